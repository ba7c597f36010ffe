package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

const (
	floorBacklog  = 4096      // of the listening socket
	floorReadSize = 64 << 10  // of one read
	floorLineMax  = 64 << 10  // of one command
	floorStuckMs  = 30 * 1000 // how long a full connection may keep all others waiting
)

// floorConn is one connection of a floor.
type floorConn struct {
	fd     int32
	step   uint32 // replies sent
	extra  int32  // bytes of an incomplete request
	parked bool   // a read has come that asks for a tick
}

// floorServer does the least that a server can do: one thread that waits, reads, and writes bytes that it does not
// parse. Its cost is the kernel's. All of it belongs to one locked thread, which never uses Go's network poller and
// allocates nothing once the connections are open.
type floorServer struct {
	script   floorScript
	in       int // commands
	poll     int
	listener int
	conns    []floorConn // by descriptor
	open     []int32     // descriptors of the connections
	parked   int         // how many of them wait for a tick
	buffer   []byte
	line     []byte
	events   [eventsMax]unix.EpollEvent
	self     [1]unix.PollFd
	ended    bool

	// The burst under way.
	burst floorBurst
	ticks *floorTicks
	sent  int
	start int64
}

// floorChild serves until in ends.
func floorChild(script floorScript, in, out *os.File) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	encoder := json.NewEncoder(out)
	f, addr, err := newFloorServer(script, int(in.Fd()))
	if err != nil {
		return errors.Join(err, encoder.Encode(floorHello{Err: err.Error()}))
	}
	defer f.shut()
	if err := encoder.Encode(floorHello{Addr: addr}); err != nil {
		return fmt.Errorf("%w: %w", errChild, err)
	}
	return f.run()
}

// newFloorServer listens on a port that the kernel chooses.
func newFloorServer(script floorScript, in int) (f *floorServer, addr string, err error) {
	limit, err := descriptorLimit()
	if err != nil {
		return nil, "", err
	}
	limit = min(limit, floorConnsMax)
	// The tables are as large as they can get, but only what is used of them
	// takes memory.
	f = &floorServer{
		script: script, in: in, poll: -1, listener: -1, buffer: make([]byte, floorReadSize),
		conns: make([]floorConn, limit), open: make([]int32, 0, limit),
	}
	defer func() {
		if err != nil {
			f.shut()
		}
	}()
	if f.listener, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return nil, "", fmt.Errorf("bench: socket: %w", err)
	}
	if err := unix.Bind(f.listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return nil, "", fmt.Errorf("bench: bind: %w", err)
	}
	if err := unix.Listen(f.listener, floorBacklog); err != nil {
		return nil, "", fmt.Errorf("bench: listen: %w", err)
	}
	name, err := unix.Getsockname(f.listener)
	if err != nil {
		return nil, "", fmt.Errorf("bench: getsockname: %w", err)
	}
	if f.poll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, "", fmt.Errorf("bench: epoll_create1: %w", err)
	}
	for _, fd := range []int{f.in, f.listener} {
		if err := f.watch(fd); err != nil {
			return nil, "", err
		}
	}
	return f, fmt.Sprintf("127.0.0.1:%d", name.(*unix.SockaddrInet4).Port), nil
}

// watch registers a descriptor for reading.
func (f *floorServer) watch(fd int) error {
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	if err := unix.EpollCtl(f.poll, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return fmt.Errorf("bench: epoll_ctl: %w", err)
	}
	return nil
}

// shut closes everything except the pipe, which is the caller's.
func (f *floorServer) shut() {
	for _, fd := range f.open {
		_ = unix.Close(int(fd))
	}
	f.open = nil
	for _, fd := range []int{f.poll, f.listener} {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}

// run is the loop.
func (f *floorServer) run() error {
	for !f.ended {
		if err := f.wait(f.untilTick()); err != nil {
			return err
		}
		for f.ticks != nil && f.untilTick() == 0 && !f.ended {
			if err := f.tick(); err != nil {
				return err
			}
		}
	}
	return nil
}

// untilTick returns the time until the next tick is due; negative for never.
func (f *floorServer) untilTick() time.Duration {
	if f.ticks == nil {
		return -1
	}
	return time.Duration(max(0, f.start+int64(f.sent)*f.burst.GapNs-monotonic()))
}

// monotonic reads the clock of the ticks.
func monotonic() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0
	}
	return ts.Nano()
}

// wait handles the events of one epoll_wait.
func (f *floorServer) wait(limit time.Duration) error {
	ms := -1
	if limit >= 0 {
		ms = 0
	}
	if limit > 0 { // finer than the milliseconds of epoll_wait
		ts := unix.NsecToTimespec(int64(limit))
		f.self[0] = unix.PollFd{Fd: int32(f.poll), Events: unix.POLLIN}
		if _, err := unix.Ppoll(f.self[:], &ts, nil); err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("bench: ppoll: %w", err)
		}
	}
	n, err := unix.EpollWait(f.poll, f.events[:], ms)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("bench: epoll_wait: %w", err)
	}
	for i := range max(n, 0) {
		switch fd := int(f.events[i].Fd); fd {
		case f.listener:
			f.accept()
		case f.in:
			if err := f.command(); err != nil {
				return err
			}
		default:
			f.read(fd)
		}
	}
	return nil
}

// accept accepts the waiting connections.
func (f *floorServer) accept() {
	for {
		// unix.Accept4 would allocate the peer's address.
		n, _, errno := unix.Syscall6(unix.SYS_ACCEPT4, uintptr(f.listener), 0, 0, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		if errno != 0 {
			return // none is left; one that failed is its client's to report
		}
		fd := int(n)
		// As every server does: it has its price.
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		if fd >= len(f.conns) || f.watch(fd) != nil {
			_ = unix.Close(fd)
			continue
		}
		f.conns[fd] = floorConn{fd: int32(fd)}
		f.open = append(f.open, int32(fd))
	}
}

// drop forgets a connection.
func (f *floorServer) drop(fd int) {
	c := &f.conns[fd]
	if c.fd < 0 {
		return
	}
	f.park(c, false)
	c.fd = -1
	_ = unix.Close(fd)
	for i, have := range f.open {
		if int(have) == fd {
			f.open[i] = f.open[len(f.open)-1]
			f.open = f.open[:len(f.open)-1]
			return
		}
	}
}

// read reads from a connection and answers.
func (f *floorServer) read(fd int) {
	n, err := unix.Read(fd, f.buffer)
	if n <= 0 {
		if err != nil && (errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR)) {
			return
		}
		f.drop(fd)
		return
	}
	c := &f.conns[fd]
	step := int(c.step)
	if step < len(f.script.Replies) {
		c.step++
		f.write(c, f.script.Replies[step])
		return
	}
	if len(f.script.Cycle) == 0 {
		f.park(c, true)
		return
	}
	answers := 1
	if f.script.Request > 0 {
		total := int(c.extra) + n
		answers, c.extra = total/f.script.Request, int32(total%f.script.Request)
	}
	for range answers {
		reply := f.script.Cycle[(int(c.step)-len(f.script.Replies))%len(f.script.Cycle)]
		c.step++
		f.write(c, reply)
	}
}

// write sends all of p. A full connection blocks the others, which does not last long with clients that measure.
func (f *floorServer) write(c *floorConn, p []byte) {
	for len(p) > 0 && c.fd >= 0 {
		n, err := unix.Write(int(c.fd), p)
		if n > 0 {
			p = p[n:]
		}
		switch {
		case err == nil, errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			f.self[0] = unix.PollFd{Fd: c.fd, Events: unix.POLLOUT}
			if ready, err := unix.Poll(f.self[:], floorStuckMs); err == nil && ready == 0 {
				f.drop(int(c.fd))
			}
		default:
			f.drop(int(c.fd))
		}
	}
}

// command reads the parent's commands. The floor ends with them.
func (f *floorServer) command() error {
	n, err := unix.Read(f.in, f.buffer)
	if errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) {
		return nil
	}
	if err != nil || n <= 0 {
		f.ended = true
		return nil
	}
	f.line = append(f.line, f.buffer[:n]...)
	if len(f.line) > floorLineMax {
		return fmt.Errorf("%w: command too long", errChild)
	}
	for {
		line, rest, ok := bytes.Cut(f.line, []byte("\n"))
		if !ok {
			return nil
		}
		var b floorBurst
		err := json.Unmarshal(line, &b)
		f.line = append(f.line[:0], rest...)
		if err != nil || b.Count < 1 || b.Size < sizeMin || b.Batch < 1 || b.GapNs < 0 {
			return fmt.Errorf("%w: command: %w", errChild, errors.Join(err, io.ErrUnexpectedEOF))
		}
		f.burst, f.sent = b, 0
		f.ticks, f.start = newFloorTicks(b.Size, f.script.Lockstep), monotonic()
	}
}

// tick sends the next ticks to everybody, with one write each.
func (f *floorServer) tick() error {
	last := f.sent + 1
	if f.burst.GapNs == 0 {
		last = min(f.sent+f.burst.Batch, f.burst.Count)
	}
	if f.script.Lockstep {
		for !f.ended && f.parked < len(f.open) {
			if err := f.wait(-1); err != nil {
				return err
			}
		}
	}
	p := f.ticks.batch(f.sent, last, monotonic())
	for i := len(f.open) - 1; i >= 0; i-- { // backwards: one may be dropped
		c := &f.conns[f.open[i]]
		f.park(c, false)
		f.write(c, p)
	}
	if f.sent = last; f.sent >= f.burst.Count {
		f.ticks = nil
	}
	return nil
}

// park notes whether a connection waits for a tick.
func (f *floorServer) park(c *floorConn, parked bool) {
	switch {
	case parked && !c.parked:
		f.parked++
	case !parked && c.parked:
		f.parked--
	}
	c.parked = parked
}
