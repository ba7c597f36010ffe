package poller

import (
	"reflect"

	"github.com/panjf2000/gnet/v2"
	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"golang.org/x/sys/unix"
)

// inputSet is the epoll set by which gnet watches the connections of a loop for input. gnet cannot stop to read a
// connection, so that the peer of a loop that is behind would fill memory instead of its own send buffer: the loop
// changes the set itself. Loop-owned; the zero value changes nothing.
type inputSet struct{ epoll int }

// inputSetOf finds the set of a gnet loop, which gnet keeps to itself. It is the zero value in a gnet that keeps it
// elsewhere: then input is bounded by Config.RestBytesMax alone. A test tells.
func inputSetOf(el gnet.EventLoop) (s inputSet) {
	v := reflect.ValueOf(el)
	for _, name := range []string{"poller", "fd"} {
		if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
			return s
		}
		v = v.Elem().FieldByName(name)
	}
	if v.IsValid() && v.CanInt() {
		s.epoll = int(v.Int())
	}
	return s
}

// stop makes gnet stop to read a connection, or go on. The events are those that gnet asks for.
func (s inputSet) stop(fd int, stop bool) {
	if s.epoll == 0 {
		return
	}
	ev := unix.EpollEvent{Fd: int32(fd), Events: netpoll.ReadEvents}
	if stop {
		ev.Events = 0
	}
	_ = retry(func() error { return unix.EpollCtl(s.epoll, unix.EPOLL_CTL_MOD, fd, &ev) })
}
