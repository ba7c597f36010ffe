package poller

import (
	"reflect"

	"github.com/panjf2000/gnet/v2"
	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"golang.org/x/sys/unix"
)

// inputSet is the epoll set in which gnet watches the connections of a loop for input. gnet cannot stop reading from a
// connection, so the peer of a busy loop would fill the server's memory instead of its own send buffer. The loop
// therefore changes the set itself. Loop-owned; the zero value changes nothing.
type inputSet struct{ epoll int }

// inputSetOf finds the set of a gnet loop by reflection, because gnet does not export it. It returns the zero value if
// this version of gnet has other fields; Config.RestBytesMax alone then bounds the input. A test checks it.
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

// stop makes gnet stop reading from a connection, or continue with the events that gnet itself asks for.
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
