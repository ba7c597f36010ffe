package servertest

import (
	"time"
)

// clock is the time of all loops. Owned by the test's goroutine.
type clock struct {
	// base is the initial time of the loops' clocks, now the time that has passed since.
	base int64
	now  time.Duration
	// bubble is set in a bubble of testing/synctest, whose time began at begin.
	bubble bool
	begin  time.Time
	// wake is signalled when something is posted.
	wake <-chan struct{}
}

func newClock(base int64, wake <-chan struct{}) clock {
	return clock{base: base, bubble: inBubble(), begin: time.Now(), wake: wake}
}

// target returns the time that the clock should reach: in a bubble, time passes without the loops.
func (c *clock) target() time.Duration {
	if c.bubble {
		return time.Since(c.begin)
	}
	return c.now
}

// Advance moves the clock by d. It stops whenever a timer of the server is due, and settles before it continues, so
// that, for example, each ping is answered in time. In a bubble of testing/synctest, the bubble's time moves too, and
// timers of the test and of handlers fire on the way.
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

// Now returns the time since New on the server's clock.
func (ts *Server) Now() time.Duration { return ts.clock.target() }

// due returns the time of the next timer of a loop, or a far time if there is none.
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
	ts.elapsed.Store(int64(now))
}

// sleep lets the bubble's time pass until something is posted.
func (ts *Server) sleep(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ts.clock.wake:
	}
}

// catchUp moves the loops towards the bubble's time, to the next timer on the way. It returns false if they have
// reached it.
func (ts *Server) catchUp() bool {
	target := ts.clock.target()
	if target <= ts.clock.now {
		return false
	}
	ts.turn(min(max(ts.due(), ts.clock.now), target))
	return true
}
