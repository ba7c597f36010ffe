package servertest

import (
	"time"
)

// clock is the time of all loops. Owned by the test's goroutine.
type clock struct {
	// base is what the loops' clocks showed at first, now what has passed since.
	base int64
	now  time.Duration
	// bubble: the time is that of a bubble of testing/synctest, which showed begin at first.
	bubble bool
	begin  time.Time
	// wake is signalled when something is posted.
	wake <-chan struct{}
}

func newClock(base int64, wake <-chan struct{}) clock {
	return clock{base: base, bubble: inBubble(), begin: time.Now(), wake: wake}
}

// target is what the time should be: in a bubble, time passes without the loops.
func (c *clock) target() time.Duration {
	if c.bubble {
		return time.Since(c.begin)
	}
	return c.now
}

// Advance moves the clock by d. It stops at each moment at which a timer of the server is due, as often as that is,
// and settles there before it goes on, so that for example each ping is answered in time. In a bubble of
// testing/synctest, the bubble's time moves along, and timers of the test and of handlers fire on the way.
func (ts *Server) Advance(d time.Duration) {
	ts.t.Helper()
	for end := ts.clock.target() + d; ; {
		ts.settle()
		now := ts.clock.now
		if now >= end {
			return
		}
		next := max(min(ts.due(), end), now+1)
		if ts.clock.bubble {
			ts.sleep(next - now)
		} else {
			ts.turn(next)
		}
	}
}

// Now is what has passed since New on the server's clock.
func (ts *Server) Now() time.Duration { return ts.clock.target() }

// due is when the next timer of a loop is; far away when there is none.
func (ts *Server) due() time.Duration {
	next := time.Duration(1<<63 - 1)
	for _, l := range ts.loops {
		if when, ok := l.Wheel().Next(); ok {
			next = min(next, time.Duration(when-ts.clock.base))
		}
	}
	return next
}

// turn sets the clocks of all loops, and fires the timers that are due by then.
func (ts *Server) turn(now time.Duration) {
	for _, l := range ts.loops {
		l.Advance(now - ts.clock.now)
	}
	ts.clock.now = now
}

// sleep passes the bubble's time, until something is posted.
func (ts *Server) sleep(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ts.clock.wake:
	}
}

// catchUp brings the loops nearer to the bubble's time: to the next timer on the way. It is false when they are there.
func (ts *Server) catchUp() bool {
	target := ts.clock.target()
	if target <= ts.clock.now {
		return false
	}
	ts.turn(min(max(ts.due(), ts.clock.now), target))
	return true
}
