package poller

import (
	"bytes"
	"errors"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed58c87869/siren/poller/stream"
	"github.com/seed58c87869/siren/poller/wheel"
)

// TestHeldConnectionIsNotRead: what a client sends on a connection that is held waits at the client, not in the loop's
// memory, and all of it arrives after Resume.
func TestHeldConnectionIsNotRead(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("gnet can be kept from reading on Linux only")
	}
	var got atomic.Int64
	var holding atomic.Bool
	holding.Store(true)
	h := newHub()
	h.receive = func(p *peer, data []byte) (int, int) {
		got.Add(int64(len(data)))
		if holding.Load() {
			p.conn.Hold()
		}
		return len(data), 0
	}
	e := start(t, Config{Accept: h.accept, Loops: 1})
	c := dial(t, e)
	write(t, c, "x")
	eventually(t, "held", func() bool { return got.Load() == 1 })
	on(t, e.loops[0], func() {}) // Receive has returned

	// The kernel holds some megabytes; the rest waits until the deadline, which only a loop that reads can prevent.
	_ = c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
	sent, err := c.Write(make([]byte, 64<<20))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("all was taken: %d bytes, %v", sent, err)
	}
	if n := e.Stats().BytesIn; n != 1 {
		t.Fatalf("the loop has read %d bytes", n)
	}
	holding.Store(false)
	p := h.next(t)
	on(t, e.loops[0], p.conn.Resume)
	eventually(t, "read on", func() bool { return got.Load() == int64(sent)+1 })

	// The end of the peer is seen, too, when the connection is closed while it is held.
	on(t, e.loops[0], func() {
		p.conn.Hold()
		p.conn.CloseAfterFlush()
	})
	expectEOF(t, c)
	_ = c.Close()
	if err := recv(t, p.closed, "end"); err != nil {
		t.Errorf("Closed(%v)", err)
	}
}

// pinging sends one byte after the other on a connection of an echo, each when the one before has come back, until stop
// is closed.
func pinging(t *testing.T, c net.Conn, stop <-chan struct{}) (done chan struct{}) {
	done = make(chan struct{})
	go func() {
		defer close(done)
		one := make([]byte, 1)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := c.Write([]byte("!")); err != nil {
				t.Error(err)
				return
			}
			if _, err := c.Read(one); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	return done
}

// tallyTimer is one of many timers that are due at once.
type tallyTimer struct {
	wheel.Timer
	fired *atomic.Int64
}

func (c *tallyTimer) Expire(int64) { c.fired.Add(1) }

// longTask is a task with more work than a turn has time for.
type longTask struct {
	loop       *Loop
	left, work int
	done       *atomic.Int64
}

func (l *longTask) Run(int) {
	for over := false; l.left > 0 && !over; over = l.loop.Spend(l.work) {
		l.left--
		l.done.Add(1)
	}
	if l.left > 0 {
		l.loop.Continue(l)
	}
}

// TestOthersAreServedMeanwhile: while a loop has work for hundreds of turns, timers that are due at once, a task of
// very much work or the input of one client, another client's messages are handled in between.
func TestOthersAreServedMeanwhile(t *testing.T) {
	const timers, bytesIn, work = 200_000, 60_000, 10_000
	for _, c := range []struct {
		name string
		all  int64
		// begin makes the work, which counts in done.
		begin func(t *testing.T, e *Engine, done *atomic.Int64)
	}{
		{"timers", timers, func(t *testing.T, e *Engine, done *atomic.Int64) {
			on(t, e.loops[0], func() {
				l := e.loops[0]
				for range timers {
					c := &tallyTimer{fired: done}
					c.Init(c)
					l.Wheel().Schedule(&c.Timer, l.Now()+int64(200*time.Millisecond))
				}
			})
		}},
		{"a task that goes on", timers, func(t *testing.T, e *Engine, done *atomic.Int64) {
			e.loops[0].Post(&longTask{loop: e.loops[0], left: timers, work: work, done: done})
		}},
		{"input", bytesIn, func(t *testing.T, e *Engine, _ *atomic.Int64) {
			write(t, dial(t, e), strings.Repeat("x", bytesIn))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var done, pinged, between, most atomic.Int64
			h := newHub()
			h.receive = func(p *peer, data []byte) (n, need int) {
				if bytes.HasPrefix(data, []byte("!")) {
					pinged.Add(1)
					if d := done.Load(); d > 0 && d < c.all {
						between.Add(1)
					}
					return echo(p, data)
				}
				for n < len(data) {
					n++
					if p.conn.Loop().Spend(work) && n < len(data) {
						p.conn.Hold()
						p.conn.Resume()
						break
					}
				}
				done.Add(int64(n))
				most.Store(max(most.Load(), int64(n)))
				return n, 0
			}
			e := start(t, Config{Accept: h.accept, Loops: 1, TurnTime: time.Millisecond})
			stop := make(chan struct{})
			pings := pinging(t, dial(t, e), stop)
			eventually(t, "the first ping", func() bool { return pinged.Load() > 0 })
			c.begin(t, e, &done)
			eventually(t, "all is done", func() bool { return done.Load() == c.all })
			close(stop)
			recv(t, pings, "the last ping")
			if between.Load() < 1 {
				t.Errorf("%d messages of another client were handled meanwhile", between.Load())
			}
			if fits := int64(time.Millisecond)/work + 2; most.Load() > fits {
				t.Errorf("%d bytes in one entry, %d fit", most.Load(), fits)
			}
		})
	}
}

// TestTurnsGoOnByThemselves: timers that are left over are fired by further turns, also when nothing else wakes the
// loop.
func TestTurnsGoOnByThemselves(t *testing.T) {
	e := start(t, Config{Accept: newHub().accept, Loops: 1})
	var fired atomic.Int64
	const timers = 20_000
	l := e.loops[0]
	on(t, l, func() {
		for range timers {
			c := &tallyTimer{fired: &fired}
			c.Init(c)
			l.Wheel().Schedule(&c.Timer, l.Now()+int64(20*time.Millisecond))
		}
	})
	eventually(t, "all have fired", func() bool { return fired.Load() == timers })
}

// TestInputHasABudgetAgainAfterATurn: an entry that has used up the budget brings about a turn, so that entries of
// later passes are not bounded by it.
func TestInputHasABudgetAgainAfterATurn(t *testing.T) {
	var over atomic.Bool
	var turns atomic.Int64
	h := newHub()
	h.receive = func(p *peer, data []byte) (int, int) {
		work := stream.EntryWork
		if data[0] == 'x' {
			work = int(time.Second)
			turns.Store(p.conn.Loop().Stats().Turns)
		}
		over.Store(p.conn.Loop().Spend(work))
		return echo(p, data)
	}
	e := start(t, Config{Accept: h.accept, Loops: 1})
	c := dial(t, e)
	write(t, c, "x")
	expect(t, c, "x")
	if !over.Load() {
		t.Fatal("a second of work is within the budget")
	}
	eventually(t, "a turn", func() bool { return e.Stats().Turns > turns.Load() })
	write(t, c, "y")
	expect(t, c, "y")
	if over.Load() {
		t.Error("the budget is used up still")
	}
}

// TestTimersDoNotUseUpTheBudgetOfInput: a turn whose timers took all of its time leaves a whole budget for what is read
// behind it.
func TestTimersDoNotUseUpTheBudgetOfInput(t *testing.T) {
	l, _, _ := stubLoop(t, 0, Config{})
	var fired atomic.Int64
	for range 10_000 {
		c := &tallyTimer{fired: &fired}
		c.Init(c)
		l.Wheel().Schedule(&c.Timer, 0)
	}
	eventually(t, "a timer has fired", func() bool {
		l.turn(false)
		return fired.Load() > 0
	})
	if fired.Load() == 10_000 || l.Overspent() {
		t.Errorf("%d timers have fired, the budget is used up: %v", fired.Load(), l.Overspent())
	}
}

// Work that is posted again, step by step, gets one step in each turn, so that the loop looks at its sockets in
// between.
func TestStepsOfWorkTakeTurns(t *testing.T) {
	h := newHub()
	e := start(t, Config{Accept: h.accept, Loops: 1})
	dial(t, e)
	l := h.next(t).conn.Loop()
	const steps = 20
	n, done := 0, make(chan error, 1)
	var step func()
	step = func() {
		for !l.Spend(int(DefaultTurnTime)) {
		}
		if n++; n == steps {
			done <- nil
			return
		}
		l.PostFunc(step)
	}
	before := l.Stats().Turns
	l.PostFunc(step)
	_ = recv(t, done, "the last step")
	if turns := l.Stats().Turns - before; turns < steps-1 {
		t.Errorf("%d steps in %d turns", steps, turns)
	}
}

// While work goes on over many turns, each of which takes all of its time, the loop looks at its sockets between two of
// them. gnet runs everything that wakes the loop within a pass before it looks at them again.
func TestSocketsAreReadBetweenTurnsOfLongWork(t *testing.T) {
	const steps = 400
	var sent, reads, waited int64 // loop-owned: the turn in which a byte was sent, 0 when it was read
	h := newHub()
	h.receive = func(p *peer, data []byte) (int, int) {
		if sent > 0 {
			reads++
			waited += p.conn.Loop().counters.turns.Load() - sent
			sent = 0
		}
		return len(data), 0
	}
	e := start(t, Config{Accept: h.accept, Loops: 1})
	c := dial(t, e)
	write(t, c, "x")
	l := h.next(t).conn.Loop()
	eventually(t, "the loop is gnet's", l.isBound)
	n, done := 0, make(chan struct{})
	var step func()
	step = func() {
		if sent == 0 { // the byte is in the socket before the next turn
			sent = l.counters.turns.Load()
			_, _ = c.(*net.TCPConn).Write([]byte("y"))
		}
		for began := monotonic(); monotonic()-began < int64(2*DefaultTurnTime); {
			l.Spend(1000)
		}
		if n++; n == steps {
			close(done)
			return
		}
		l.PostFunc(step)
	}
	l.PostFunc(step)
	recv(t, done, "the last step")
	on(t, l, func() {
		t.Logf("%d reads waited for %d further turns", reads, waited)
		if waited > reads || reads < steps/3 {
			t.Errorf("%d reads waited for %d further turns, of %d", reads, waited, steps)
		}
	})
}

// While sockets always have input, the loop takes the turn that goes on with its work after each look at them, even if
// the process has one processor, which the loop never leaves.
func TestLongWorkGoesOnBetweenReads(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const steps = 200
	var posted, waited, reads int64 // loop-owned
	var feeding atomic.Bool
	feeding.Store(true)
	var clients sync.Map
	h := newHub()
	h.receive = func(p *peer, data []byte) (int, int) {
		reads++
		if c, ok := clients.Load(p.conn.RemoteAddr().String()); ok && feeding.Load() {
			_, _ = c.(net.Conn).Write(data) // the socket has input again
		}
		return len(data), 0
	}
	e := start(t, Config{Accept: h.accept, Loops: 1})
	const conns = 3
	for range conns {
		c := dial(t, e)
		clients.Store(c.LocalAddr().String(), c)
		write(t, c, "x")
	}
	l := h.next(t).conn.Loop()
	n, done := 0, make(chan struct{})
	var step func()
	step = func() {
		if posted > 0 {
			waited += reads - posted
		}
		for !l.Spend(1000) {
		}
		if n++; n == steps {
			close(done)
			return
		}
		posted = reads
		l.PostFunc(step)
	}
	l.PostFunc(step)
	recv(t, done, "the last step")
	feeding.Store(false)
	on(t, l, func() {
		t.Logf("%d steps waited for %d reads", steps, waited)
		if waited > 4*conns*steps {
			t.Errorf("%d steps waited for %d reads", steps, waited)
		}
	})
}
