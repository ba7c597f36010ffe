//go:build !linux

package poller

import "github.com/panjf2000/gnet/v2"

// inputSet cannot be changed here: input of a connection that is held is read on, within Config.RestBytesMax.
type inputSet struct{}

func inputSetOf(gnet.EventLoop) inputSet { return inputSet{} }

func (inputSet) stop(int, bool) {}
