package server

import (
	"sync/atomic"
	"time"

	"github.com/seed58c87869/siren/poller/wheel"
)

// clock is the time of what no event loop owns. Safe for concurrent use.
type clock struct {
	begin time.Time // immutable
	// loops is the clock of event loops that are somebody else's, see Server.Attach; nil for the runtime's.
	loops atomic.Pointer[func() time.Duration]
}

// now is what has passed since the server was made.
func (c *clock) now() time.Duration {
	if now := c.loops.Load(); now != nil {
		return (*now)()
	}
	return time.Since(c.begin)
}

// follow takes over the clock of attached loops, if they have one that any goroutine may read.
func (c *clock) follow(l EventLoop) {
	if timed, ok := l.(interface{ Elapsed() time.Duration }); ok {
		now := timed.Elapsed
		c.loops.Store(&now)
	}
}

// after calls fn on a goroutine of its own when d is over, unless stop is called before; stop reports whether it came in
// time. The time runs on the wheel of a loop, as every other time; a server whose loops do not run yet has the runtime's
// timers.
func (srv *Server) after(d time.Duration, fn func()) (stop func() bool) {
	if _, engine := srv.host.Running(); engine == nil {
		return time.AfterFunc(d, fn).Stop
	}
	a := &alarm{srv: srv, loop: srv.host.Loop(int(srv.someLoop())), after: d, ring: fn}
	a.loop.Post(a)
	return a.stop
}

// alarm is a timer of Server.after.
type alarm struct {
	wheel.Timer // the loop's
	srv         *Server
	loop        EventLoop
	after       time.Duration
	ring        func()
	over        atomic.Bool // it rang, or was stopped
}

// Run implements task: the time begins, or is over before its end.
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
	a.srv.jobs.Add(1)
	go func() {
		defer a.srv.jobs.Add(-1)
		a.ring()
	}()
}
