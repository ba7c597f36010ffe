package poller

import (
	"net"
	"reflect"
	"sync/atomic"
	"testing"
	"time"
)

// A turn of the mailbox ends when Config.DrainTime is over, though there are tasks that its number of them would allow.
func TestDrainTimeEndsATurn(t *testing.T) {
	const tasks = 80
	e := start(t, Config{Accept: newHub().accept, Loops: 1, DrainItems: 1 << 20, DrainTime: time.Millisecond})
	l := e.Loops()[0]
	var first, last int64
	gate, done := make(chan struct{}), make(chan struct{})
	l.PostFunc(func() { <-gate }) // until all is posted
	for n := range tasks {
		l.PostFunc(func() {
			if n == 0 {
				first = e.Stats().Turns
			}
			for begin := time.Now(); time.Since(begin) <= time.Millisecond; {
			}
			last = e.Stats().Turns
			if n == tasks-1 {
				close(done)
			}
		})
	}
	close(gate)
	recv(t, done, "end of the tasks")
	// The clock is looked at after every few tasks, of which each takes longer than a turn may.
	if turns, want := last-first+1, int64(tasks/clockEvery); turns < want {
		t.Errorf("%d tasks of a millisecond took %d turns, want at least %d", tasks, turns, want)
	}
}

// Between two sockets that are ready at the same time a loop works a long mailbox off, within bounds.
func TestLongMailboxIsWorkedOffBetweenReads(t *testing.T) {
	const items = 64
	for _, c := range []struct{ posts, want int }{
		{items - 1, 0}, // short: it waits until all sockets are read
		{2 * items, 2 * items},
		{10 * items, catchUpTurns * items},
	} {
		h := newHub()
		var ran atomic.Int64
		var at []int64 // how many tasks had run when a socket was read
		h.receive = func(p *peer, data []byte) (int, int) {
			if string(data) == "go" {
				if at = append(at, ran.Load()); len(at) == 1 {
					for range c.posts {
						p.conn.Loop().PostFunc(func() { ran.Add(1) })
					}
				}
			}
			return echo(p, data)
		}
		e := start(t, Config{Accept: h.accept, Loops: 1, DrainItems: items, DrainTime: time.Hour, FlushTime: time.Hour, TurnTime: time.Hour})
		l := e.Loops()[0]
		peers := []net.Conn{dial(t, e), dial(t, e)}
		for _, p := range peers {
			write(t, p, "x")
			expect(t, p, "x")
		}
		// Both are in their sockets (loopback) when the loop polls next.
		on(t, l, func() {
			for _, p := range peers {
				_, _ = p.Write([]byte("go"))
			}
		})
		for _, p := range peers {
			expect(t, p, "go")
		}
		var got []int64
		on(t, l, func() { got = at })
		if len(got) != 2 || got[0] != 0 || got[1] != int64(c.want) {
			t.Errorf("%d posts: tasks had run at the reads: %v, want 0 and %d", c.posts, got, c.want)
		}
	}
}

// A connection with much to write lets the next one write first after turnBytesMax, also while the kernel would take
// more.
func TestOneConnectionWritesPartOfATurn(t *testing.T) {
	h := newHub()
	// A turn is one task, and then what one connection writes.
	e := start(t, Config{Accept: h.accept, Loops: 1, DrainItems: 1, FlushSlice: 1, FlushTime: time.Hour, TurnTime: time.Hour, QueueBytesMax: 16 << 20})
	l := e.Loops()[0]
	p := dial(t, e)
	c := h.next(t).conn
	var before, after int64
	on(t, l, func() {
		before = e.Stats().BytesOut
		c.Queue(make([]byte, 8<<20))
		l.PostFunc(func() { after = e.Stats().BytesOut })
	})
	on(t, l, func() {})
	if n := after - before; n < 1 || n > turnBytesMax {
		t.Errorf("%d bytes were written in one turn, of at most %d", n, turnBytesMax)
	}
	expect(t, p, string(make([]byte, 8<<20)))
}

// Every limit of connections has a value.
func TestLimitsAreHandedDown(t *testing.T) {
	cfg := Config{Accept: newHub().accept}.withDefaults()
	limits := reflect.ValueOf(cfg.limits())
	for i := range limits.NumField() {
		if limits.Field(i).IsZero() {
			t.Errorf("%s is zero", limits.Type().Field(i).Name)
		}
	}
}

// A loop with much work goes on after passGap, also if it is woken many times meanwhile: the steps of waking it are
// shorter than passGap, and each gives way to other goroutines for a moment, which does not count.
func TestShortStepsAddUpToAPass(t *testing.T) {
	const step, away = passGap / 10, passGap / 20
	now := passGap * 100
	ch := chain{items: 10, ended: now}
	for n := 1; n <= 20; n++ {
		now += step
		ch.renew(now) // what loopRunner.Run does
		ch.leaveOut(away)
		now += away
		if ch.begin(now, 10, 1<<40) {
			if n < 10 {
				t.Errorf("a turn after %d steps of a tenth of passGap", n)
			}
			return
		}
	}
	t.Error("no turn in the time of two passes")
}
