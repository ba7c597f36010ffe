package poller

import (
	"encoding/binary"
	"os"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"

	"github.com/seed58c87869/siren/poller/wheel"
)

// bell wakes a loop when blocked connections of it take more data, without another goroutine in between. gnet waits for
// its own epoll set and calls the engine for connections only. So the bell is a connection for gnet: a descriptor that
// is always readable and that gnet does not watch. In its place gnet's set watches the bell's set, an epoll set of
// blocked connections, under the number of that descriptor. Loop-owned.
type bell struct {
	loop  *Loop
	set   readySet
	gnet  int // gnet's epoll set
	fd    int // the descriptor that gnet reads
	rings int
}

// ringsMax is how often the descriptor can be read. Each read takes one off its counter.
const ringsMax = 1 << 62

// hangBell gives the loop a bell. It waits for a turn of the loop, so it must not be called there. If the system
// refuses, the engine's own set goes on serving the loop. Safe for concurrent use.
func (l *Loop) hangBell() {
	e := l.engine
	if !e.adoptions.begin() {
		return
	}
	defer e.adoptions.end()
	el := l.gnetLoop()
	if el == nil {
		return
	}
	near, far, err := connPair()
	if err != nil {
		return
	}
	defer closeFile(far)
	b := &bell{loop: l}
	if err := e.enroll(el, near, &adoption{bell: b}); err != nil {
		e.config.Logger.Debug("poller: no bell", "loop", l.index, "error", err)
	}
}

// open hangs the bell in the place of the connection gc, which gnet has opened for it, on its loop. It returns false if
// the system refuses; gnet then closes gc.
func (b *bell) open(gc gnet.Conn) bool {
	b.gnet, b.fd = b.loop.input.epoll, gc.Fd()
	if b.gnet == 0 {
		return false
	}
	always, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK|unix.EFD_SEMAPHORE)
	if err != nil {
		return false
	}
	defer closeFile(always)
	if _, err := unix.Write(always, binary.NativeEndian.AppendUint64(nil, ringsMax)); err != nil {
		return false
	}
	set, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return false
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(b.fd)}
	if err := b.change(unix.EPOLL_CTL_ADD, set, &ev); err != nil {
		closeFile(set)
		return false
	}
	// From here on gnet does not see the connection, but reads the descriptor when the set is ready.
	err = b.change(unix.EPOLL_CTL_DEL, b.fd, &ev)
	if err == nil {
		err = retry(func() error { return unix.Dup3(always, b.fd, unix.O_CLOEXEC) })
	}
	if err != nil {
		closeFile(set)
		return false
	}
	b.set.epoll = set
	gc.SetContext(b)
	b.loop.bell = b
	return true
}

// change changes gnet's epoll set.
func (b *bell) change(op, fd int, ev *unix.EpollEvent) error {
	return os.NewSyscallError("epoll_ctl", retry(func() error { return unix.EpollCtl(b.gnet, op, fd, ev) }))
}

// ring lets ready connections write. It is called when gnet has read the descriptor.
func (b *bell) ring() {
	l := b.loop
	defer l.survive("writable")
	l.enter()
	defer l.leave()
	l.chain.sawRead = true
	b.rings++
	l.gathering.hurry = true
	if ready, _ := b.set.poll(l.Writable); ready > 0 {
		l.FlushSome(ready, wheel.Deadline(l.Now(), l.engine.config.FlushTime))
	}
}

// close takes the bell down, before gnet closes its descriptor.
func (b *bell) close() {
	b.loop.bell = nil
	_ = b.change(unix.EPOLL_CTL_DEL, b.set.epoll, nil)
	// gnet is about to take its descriptor out of its set.
	_ = b.change(unix.EPOLL_CTL_ADD, b.fd, &unix.EpollEvent{Fd: int32(b.fd)})
	closeFile(b.set.epoll)
}

// await requests one call of Writable with the ticket.
func (b *bell) await(fd int, ticket uint64, again bool) error { return b.set.arm(fd, ticket, again) }

// forget removes a descriptor that is about to be closed.
func (b *bell) forget(fd int) { b.set.disarm(fd) }
