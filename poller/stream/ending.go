package stream

import (
	"time"

	"github.com/seed58c87869/siren/poller/wheel"
)

// All changes of a connection's state are in this file and in flush.go. The package comment has the table of states.

// stall is the state of a connection that waits for its peer to read or to close. It is loop-owned.
type stall struct {
	wheel.Timer
	conn      *Conn
	moved     int64  // when the peer last took something
	unsent    int    // the socket's unsent bytes at that time; -1 means unknown
	ticket    uint64 // in Loop.awaiting, while blocked
	discarded int    // input that was read and discarded
}

// CloseAfterFlush sends what is queued and then closes. Queue returns false from now on, and input is discarded. When
// everything is sent, it shuts down our side of the connection, so that the peer reads EOF after the last byte. The
// connection closes when the peer closes its side, or when nothing has moved for a second. It closes with
// ErrFlushTimeout when the peer takes nothing for FlushTimeout while data waits, and with ErrDiscarded when the peer
// sends too much meanwhile.
func (c *Conn) CloseAfterFlush() {
	c.own("Conn.CloseAfterFlush")
	if c.state != stateOpen {
		return
	}
	c.state = stateLeaving
	c.flags |= flagLeft
	c.flags &^= flagHeld
	c.readOn() // the peer's end must be seen
	c.loop.ending++
	s := c.stalled()
	s.moved = c.loop.now
	if c.flags&flagBlocked != 0 {
		c.watch()
	}
	c.loop.afterwards(c)
}

// Close closes the connection without flushing. Receiver.Closed is not called inside of Close, but when the current
// entry (Receive, Run, Accept, Closed) has returned; for timers, when all that are due have run.
func (c *Conn) Close() {
	c.own("Conn.Close")
	if c.state < stateCut {
		c.leaveEnding()
		c.state = stateCut
		c.flags |= flagCut
		c.loop.afterwards(c)
	}
}

// Ended reports that the backend has lost the connection: the peer has closed it, or the socket has failed.
func (c *Conn) Ended(err error) {
	if c.state == stateLingering || c.state == stateCut {
		err = nil // the connection waited for the peer's end
	} else if c.QueuedBytes() > 0 {
		c.loop.Counters.Abandoned.Add(1)
	}
	c.over(err)
}

// Stopped is Ended for a backend that has closed the connection because it ends itself.
func (c *Conn) Stopped(err error) {
	c.flags |= flagCut
	c.Ended(err)
}

// Cut closes the connection at once, with err as the reason. No user code may be on the stack.
func (c *Conn) Cut(err error) {
	c.flags |= flagCut
	c.over(err)
}

// settle does what was requested in the entry that has returned.
func (c *Conn) settle() {
	switch {
	case c.state == stateClosed:
	case c.state == stateCut:
		c.over(nil)
	case c.state == stateLeaving: // before Resume, which it overrules
		c.Flush()
	case c.flags&flagResume != 0:
		c.resumeRest()
	}
}

// linger shuts our side down behind the last byte and waits for the peer to close.
func (c *Conn) linger() {
	c.state = stateLingering
	if err := c.sock.CloseWrite(); err != nil {
		c.over(nil)
		return
	}
	s := c.stalled()
	s.moved, s.unsent = c.loop.now, c.sock.Unsent()
	c.watch()
}

// over ends the connection. It may still be in the loop's lists; they skip closed connections.
func (c *Conn) over(err error) {
	if c.state == stateClosed {
		return
	}
	l := c.loop
	c.leaveEnding()
	c.state = stateClosed
	if c.flags&flagBlocked != 0 {
		l.unblock(c)
	}
	c.countCut()
	l.Counters.FramesDropped.Add(int64(c.dropQueue()))
	if c.flags&flagReceiving == 0 {
		c.dropRest()
	}
	if c.flags&flagListed != 0 {
		c.list()
	}
	c.calm()
	c.dropDrained()
	l.held.forget(c)
	for r := c.remotes(); r != nil; r = r.next {
		r.closed.Store(true)
	}
	if recv := c.recv; recv != nil {
		c.recv = nil
		_ = c.guard("closed", func() { recv.Closed(err) })
	}
	c.sock.Close(err)
}

// countCut counts a connection that this side has ended, or was about to end, before the socket had taken all frames.
// A frame of Last, which says goodbye, does not count, nor does anything after Expendable.
func (c *Conn) countCut() {
	lost := c.QueuedFrames()
	if c.flags&flagLast != 0 && lost > 0 {
		lost--
	}
	if lost > 0 && c.flags&(flagLeft|flagCut) != 0 {
		c.CountCut(lost)
	}
}

// CountCut counts the connection in Counters.Cut with that many frames. It is for backends whose Socket takes frames
// before they are sent.
func (c *Conn) CountCut(frames int) {
	if c.flags&flagExpendable != 0 {
		return
	}
	c.loop.Counters.Cut.Add(1)
	c.loop.Counters.FramesCut.Add(int64(frames))
}

// leaveEnding takes the connection off the count of those that are leaving or lingering.
func (c *Conn) leaveEnding() {
	if c.state == stateLeaving || c.state == stateLingering {
		c.loop.ending--
	}
}

// discard counts discarded input of a connection that is closing.
func (c *Conn) discard(n int) {
	if c.state != stateLeaving && c.state != stateLingering {
		return
	}
	s := c.stalled()
	if s.discarded += n; s.discarded > c.loop.limits.DiscardBytesMax {
		c.loop.Counters.Discarded.Add(1)
		c.over(ErrDiscarded)
	}
}

// stalled returns the stall of c and makes it if necessary.
func (c *Conn) stalled() *stall {
	r := c.rarely()
	if r.stall == nil {
		r.stall = &stall{conn: c, unsent: -1}
		r.stall.Init(r.stall)
	}
	return r.stall
}

// watch sets the timer of a connection that waits for its peer, unless one runs that comes early enough.
func (c *Conn) watch() {
	s := c.rare.stall
	due := wheel.Deadline(s.moved, c.patience())
	if c.state == stateLingering {
		due = min(due, wheel.Deadline(c.loop.now, lingerLook)) // the socket does not report when it is empty
	}
	if !s.Scheduled() || due < s.When() {
		c.loop.wheel.Schedule(&s.Timer, due)
	}
}

// calm stops waiting for the peer.
func (c *Conn) calm() {
	if c.rare != nil && c.rare.stall != nil {
		c.loop.wheel.Cancel(&c.rare.stall.Timer)
		c.rare.stall = nil
		c.dropRare()
	}
}

// patience returns how long the connection waits without progress. One that lingers waits a moment for the peer's end,
// and longer while the socket holds bytes.
func (c *Conn) patience() time.Duration {
	switch c.state {
	case stateLeaving:
		return c.loop.limits.FlushTimeout
	case stateLingering:
		if c.rare.stall.unsent <= 0 {
			return lingerTime
		}
		return c.loop.limits.FlushTimeout
	}
	return c.loop.limits.WriteTimeout
}

// Expire closes the connection if there was no progress for too long.
func (s *stall) Expire(now int64) {
	c := s.conn
	if c.state >= stateCut || c.state == stateOpen && c.flags&flagBlocked == 0 {
		return
	}
	// A socket reports that it takes more only when a good part of it is free. A slow reader must not count as dead.
	if unsent := c.sock.Unsent(); unsent >= 0 && (unsent < s.unsent || s.unsent < 0) {
		s.unsent, s.moved = unsent, now
	}
	if now < wheel.Deadline(s.moved, c.patience()) {
		c.watch()
		return
	}
	switch c.state {
	case stateLingering:
		c.over(nil)
	case stateLeaving:
		c.loop.Counters.FlushTimeouts.Add(1)
		c.Cut(ErrFlushTimeout)
	default:
		c.loop.Counters.WriteTimeouts.Add(1)
		c.Cut(ErrWriteTimeout)
	}
}
