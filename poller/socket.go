package poller

import (
	"golang.org/x/sys/unix"
)

// copyBytesMax is the largest total that is copied into one buffer and sent with send(2). Above it, writev(2)
// without a copy is cheaper.
const copyBytesMax = 16 << 10

// socket implements stream.Socket for a Conn. gnet reads and closes; socket writes itself, because gnet copies the
// bytes that the kernel does not take and does not report when they have been sent. Loop-owned.
type socket Conn

func (s *socket) loop() *Loop { return (*Conn)(s).Loop() }

// Write implements stream.Socket.
func (s *socket) Write(parts [][]byte, total int) (n int, err error) {
	if s.gc == nil {
		return 0, unix.EBADF
	}
	fd := s.gc.Fd()
	for {
		switch {
		case len(parts) == 1 && total <= copyBytesMax:
			n, err = send(fd, parts[0])
		case total <= copyBytesMax:
			l := s.loop()
			buf := l.scratch[:0]
			for _, p := range parts {
				buf = append(buf, p...)
			}
			n, err = send(fd, buf)
		default:
			n, err = s.loop().writev(fd, parts)
		}
		switch err {
		case nil:
			return n, nil
		case unix.EAGAIN:
			return 0, nil
		case unix.EINTR:
		default:
			return 0, err
		}
	}
}

// AwaitWritable implements stream.Socket.
func (s *socket) AwaitWritable(ticket uint64) error {
	l := s.loop()
	if l.bell != nil {
		return l.bell.await(s.gc.Fd(), ticket, (*Conn)(s).Armed())
	}
	l.wantBell()
	return l.engine.writables.await(s.gc.Fd(), l.index, ticket, (*Conn)(s).Armed())
}

// StopReading implements stream.Socket.
func (s *socket) StopReading(stop bool) {
	if s.gc != nil {
		s.loop().input.stop(s.gc.Fd(), stop)
	}
}

// Unsent implements stream.Socket.
func (s *socket) Unsent() int {
	if s.gc == nil {
		return -1
	}
	return unsentBytes(s.gc.Fd())
}

// CloseWrite implements stream.Socket.
func (s *socket) CloseWrite() error { return unix.Shutdown(s.gc.Fd(), unix.SHUT_WR) }

// Close implements stream.Socket. It runs before gnet closes the descriptor, or inside of gnet's own closing.
func (s *socket) Close(error) {
	gc, l := s.gc, s.loop()
	s.gc = nil
	if (*Conn)(s).Armed() {
		l.engine.writables.forget(gc.Fd())
		if l.bell != nil {
			l.bell.forget(gc.Fd())
		}
	}
	switch s.Mark {
	case markAdmitted:
		l.engine.admitted.Add(-1)
		l.counters.conns.Add(-1)
	case markRejected:
		l.engine.rejecting.Add(-1)
	}
	if err := gc.EventLoop().Close(gc); err != nil { // nothing happens when gnet is closing it already
		l.engine.config.Logger.Debug("poller: close", "loop", l.index, "error", err)
	}
}
