//go:build !linux

package poller

import "github.com/panjf2000/gnet/v2"

// bell is what loops have on Linux to hear of writable connections directly. Other systems use the engine's set.
type bell struct{ rings int }

func (l *Loop) hangBell() {}

func (b *bell) open(gnet.Conn) bool { return false }

func (b *bell) ring() {}

func (b *bell) close() {}

func (b *bell) await(int, uint64, bool) error { return nil }

func (b *bell) forget(int) {}
