// Package clock is the time of what no event loop owns: it runs on the wheels of the loops, like every other time, so
// that it takes no timer of the runtime and the clock of tests controls it.
package clock

import (
	"sync/atomic"
	"time"

	"github.com/seed58c87869/siren/poller/wheel"
	"github.com/seed58c87869/siren/server/internal/host"
)

// Loops are the event loops of a server; *host.Host has the methods. Safe for concurrent use.
type Loops interface {
	// Started reports whether the loops run. Loop returns one of them by its index.
	Started() bool
	Loop(i int) host.Loop
}

// Clock tells the time, and calls functions when a time is over. Safe for concurrent use.
type Clock struct {
	begin time.Time // immutable, as loops, n and jobs are
	loops Loops
	n     uint32
	jobs  *atomic.Int64
	turns atomic.Uint32
	// elapsed is the clock of event loops that are somebody else's; nil for the runtime's.
	elapsed atomic.Pointer[func() time.Duration]
}

// New returns a clock that begins now, for n loops. jobs counts the functions that run.
func New(loops Loops, n int, jobs *atomic.Int64) *Clock {
	return &Clock{begin: time.Now(), loops: loops, n: uint32(n), jobs: jobs}
}

// Now returns the time since the clock was made.
func (c *Clock) Now() time.Duration {
	if elapsed := c.elapsed.Load(); elapsed != nil {
		return (*elapsed)()
	}
	return time.Since(c.begin)
}

// Follow takes over the clock of a loop that is somebody else's, if it has one that any goroutine may read.
func (c *Clock) Follow(l host.Loop) {
	if timed, ok := l.(interface{ Elapsed() time.Duration }); ok {
		elapsed := timed.Elapsed
		c.elapsed.Store(&elapsed)
	}
}

// Turn returns the index of a loop for something that belongs to none: each loop in turn.
func (c *Clock) Turn() int { return int(c.turns.Add(1) % c.n) }

// After calls fn on a separate goroutine when d is over, unless stop is called before; stop reports whether it was in
// time. If the loops do not run yet, the runtime has the timer.
func (c *Clock) After(d time.Duration, fn func()) (stop func() bool) {
	if !c.loops.Started() {
		return time.AfterFunc(d, fn).Stop
	}
	a := &alarm{loop: c.loops.Loop(c.Turn()), after: d, ring: fn, jobs: c.jobs}
	a.loop.Post(a)
	return a.stop
}

// alarm is a timer of After.
type alarm struct {
	wheel.Timer // the loop's
	loop        host.Loop
	after       time.Duration
	ring        func()
	jobs        *atomic.Int64
	over        atomic.Bool // it rang, or was stopped
}

// Run starts the timer on its loop, or stops it.
func (a *alarm) Run(int) {
	if a.over.Load() {
		a.loop.Wheel().Cancel(&a.Timer)
		return
	}
	a.Init(a)
	a.loop.Wheel().Schedule(&a.Timer, wheel.Deadline(a.loop.Now(), a.after))
}

// stop keeps the alarm from ringing.
func (a *alarm) stop() bool {
	if a.over.Swap(true) {
		return false
	}
	a.loop.Post(a)
	return true
}

// Expire implements wheel.Expirer.
func (a *alarm) Expire(int64) {
	if a.over.Swap(true) {
		return
	}
	a.jobs.Add(1)
	go func() {
		defer a.jobs.Add(-1)
		a.ring()
	}()
}
