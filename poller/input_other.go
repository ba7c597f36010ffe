//go:build !linux

package poller

import "github.com/panjf2000/gnet/v2"

// inputSet changes nothing on this system: gnet goes on reading from connections that are held, and Config.RestBytesMax
// bounds the input.
type inputSet struct{}

func inputSetOf(gnet.EventLoop) inputSet { return inputSet{} }

func (inputSet) stop(int, bool) {}
