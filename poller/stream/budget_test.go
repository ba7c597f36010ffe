package stream

import (
	"slices"
	"testing"
	"time"

	"github.com/seed58c87869/siren/poller/wheel"
)

func TestSpendEndsATurnByWorkOrByTheClock(t *testing.T) {
	for _, c := range []struct {
		name    string
		passing time.Duration // for each piece of work
		most    int           // pieces of 10 us that fit
	}{
		{"by work", 0, 100},
		{"by the clock", 100 * time.Microsecond, 12},
	} {
		l, limits := newTestLoop()
		limits.TurnTime = time.Millisecond
		l.Renew()
		pieces := 0
		for over := false; !over; pieces++ {
			l.now += int64(c.passing)
			if over = l.Spend(10_000); pieces > 1000 {
				t.Fatalf("%s: no end", c.name)
			}
		}
		if pieces < c.most-2 || pieces > c.most {
			t.Errorf("%s: %d pieces", c.name, pieces)
		}
		// Another entry of the turn has its least work, and no more.
		l.Enter()
		small := 0
		for !l.Spend(1000) {
			small++
		}
		if small != EntryWork/1000-1 || !l.Overspent() {
			t.Errorf("%s: %d small pieces in the next entry", c.name, small)
		}
		l.SetNow(l.now)
		l.Renew()
		if l.Overspent() || l.Spend(EntryWork) {
			t.Errorf("%s: the next turn has no budget", c.name)
		}
	}
}

// TestTimeBetweenEntriesIsNobodys: only the time of entries counts.
func TestTimeBetweenEntriesIsNobodys(t *testing.T) {
	l, _ := newTestLoop()
	for range 20 {
		l.now += int64(time.Second)
		l.SetNow(l.now)
		l.Enter()
		if l.Spend(EntryWork) {
			t.Fatal("waiting counts as work")
		}
	}
}

// ticking is a timer of a crowd.
type ticking struct {
	wheel.Timer
	fire func()
}

func (c *ticking) Expire(int64) { c.fire() }

// TestTimersWaitForALaterTurn: of very many timers that are due at once each turn fires some, in their order.
func TestTimersWaitForALaterTurn(t *testing.T) {
	l, _ := newTestLoop()
	const timers = 200_000
	var got []int
	for i := range timers {
		c := &ticking{fire: func() { got = append(got, i) }}
		c.Init(c)
		l.Wheel().Schedule(&c.Timer, l.now+int64(time.Second))
	}
	l.now += int64(time.Second)
	l.SetNow(l.now)
	turns := 0
	for ; l.Due(); turns++ {
		l.Renew()
		if fired := l.Expire(); fired > int(l.limits.TurnTime)/timerWork {
			t.Fatalf("%d timers in one turn", fired)
		}
	}
	if least := timers * timerWork / int(l.limits.TurnTime); turns < least {
		t.Errorf("%d turns, at least %d", turns, least)
	}
	if len(got) != timers || !slices.IsSorted(got) {
		t.Errorf("%d fired, sorted: %v", len(got), slices.IsSorted(got))
	}
}

// TestEndingsWaitForALaterTurn: a task that closes very many connections does not hold the loop until all are closed.
func TestEndingsWaitForALaterTurn(t *testing.T) {
	l, _ := newTestLoop()
	const conns = 10_000
	closed := 0
	for range conns {
		c, _, r := l.open()
		r.end = func() { closed++ }
		c.Close()
	}
	turns := 0
	for ; l.Unsettled(); turns++ {
		before := closed
		l.Renew()
		l.Settle()
		if n := closed - before; n == 0 || n > int(l.limits.TurnTime)/settleWork {
			t.Fatalf("%d endings in one turn", n)
		}
	}
	if closed != conns || turns < conns*settleWork/int(l.limits.TurnTime) {
		t.Fatalf("%d closed in %d turns", closed, turns)
	}
	c, s, r := l.open() // and the list is in order
	c.Close()
	l.Renew()
	l.Settle()
	r.ended(t, s, nil)
}
