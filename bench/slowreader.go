package bench

import "golang.org/x/sys/unix"

// slowReceiveBuffer is the receive buffer of a session that is going to stop
// reading: small, so that the server notices soon.
const slowReceiveBuffer = 4096

// freeze makes the slow sessions stop reading, as a client does whose machine
// sleeps, or let them go on. It returns how many there are.
func (w *worker) freeze(frozen bool) (n int) {
	for _, s := range w.subs {
		l, ok := s.link.(*wsLink)
		if !s.slow || s.phase != phaseReady || !ok {
			continue
		}
		n++
		interest := uint32(readable)
		if frozen {
			// The kernel still tells of an end of both directions.
			interest = 0
		}
		_ = w.poll.change(l.conn.fd, l.conn.id, interest)
	}
	return n
}

// lateTick counts what a slow session gets; none of it is part of a window.
func (s *subscriber) lateTick(p []byte) {
	number, _, ok := s.w.plan.parse(p)
	if !ok {
		s.w.tally.malformedPacket(p)
		return
	}
	s.w.counts.slowTicks++
	if number == s.w.cfg.Broadcasts-1 {
		s.w.counts.slowCaughtUp++
	}
}

// shrink gives a connection that is about to be made a small receive buffer.
func shrink(fd int) error {
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, slowReceiveBuffer)
}
