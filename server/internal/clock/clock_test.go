package clock

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed58c87869/siren/poller/pollertest"
	"github.com/seed58c87869/siren/server/internal/host"
)

type loops struct {
	loop    *pollertest.Loop
	started bool
}

func (l *loops) Started() bool      { return l.started }
func (l *loops) Loop(int) host.Loop { return l.loop }

// TestAfter shows that a function is called at its time by the loop's clock, unless it was stopped.
func TestAfter(t *testing.T) {
	l := &loops{pollertest.NewLoop(0), true}
	var jobs atomic.Int64
	c := New(l, 1, &jobs)
	rang := make(chan bool, 2)
	early := c.After(time.Second, func() { rang <- false })
	late := c.After(2*time.Second, func() { rang <- true })
	l.loop.RunUntilIdle()
	l.loop.Advance(time.Second - time.Millisecond)
	if !early() || early() {
		t.Error("stop does not tell that it was in time, once")
	}
	l.loop.Advance(time.Second)
	l.loop.Advance(time.Millisecond)
	if !<-rang {
		t.Error("a stopped function was called")
	}
	if late() || l.loop.Wheel().Len() != 0 {
		t.Error("something is left")
	}
}

// TestAfterStoppedAtOnce shows that the loop starts no timer for a function that was stopped before.
func TestAfterStoppedAtOnce(t *testing.T) {
	l := &loops{pollertest.NewLoop(0), true}
	c := New(l, 1, new(atomic.Int64))
	c.After(time.Second, func() { t.Error("called") })()
	l.loop.RunUntilIdle()
	l.loop.Advance(time.Minute)
	if l.loop.Wheel().Len() != 0 {
		t.Error("a timer is left")
	}
}

// TestAfterBeforeLoopsRun shows that the runtime has the timer while the loops do not run.
func TestAfterBeforeLoopsRun(t *testing.T) {
	c := New(&loops{}, 1, new(atomic.Int64))
	rang := make(chan struct{})
	c.After(time.Millisecond, func() { close(rang) })
	<-rang
	if !c.After(time.Hour, func() {})() {
		t.Error("not stopped")
	}
}

// timed is a loop with a clock of its own.
type timed struct {
	host.Loop
	at time.Duration
}

func (l *timed) Elapsed() time.Duration { return l.at }

// TestFollow shows whose clock counts.
func TestFollow(t *testing.T) {
	c := New(&loops{}, 3, new(atomic.Int64))
	c.Follow(pollertest.NewLoop(0)) // which has no clock for others
	if now := c.Now(); now < 0 || now > time.Hour {
		t.Error(now)
	}
	c.Follow(&timed{at: 5 * time.Hour})
	if now := c.Now(); now != 5*time.Hour {
		t.Error(now)
	}
	if a, b := c.Turn(), c.Turn(); a == b || a < 0 || b > 2 {
		t.Error(a, b)
	}
}
