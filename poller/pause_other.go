//go:build !linux

package poller

import "time"

// pauser is for Linux.
type pauser struct{}

// pause waits for Config.GatherTime.
func (l *Loop) pause() { time.Sleep(l.engine.config.GatherTime) }

func (l *Loop) closePauser() {}
