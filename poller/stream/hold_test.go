package stream

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// runPosted runs the oldest posted task as a turn of its own, and reports whether there was one.
func (l *testLoop) runPosted() bool {
	if len(l.posted) == 0 {
		return false
	}
	task := l.posted[0]
	l.posted = l.posted[1:]
	l.Renew()
	task.Run(0)
	l.Settle()
	return true
}

// working returns a receiver that takes one byte at a time, notes it, and spends work on each. When its turn is over it
// holds its input back.
func (l *testLoop) working(c *Conn, work int, note *[]byte) func([]byte) (int, int) {
	return func(data []byte) (n, need int) {
		for n < len(data) {
			*note = append(*note, data[n])
			n++
			if l.Spend(work) && n < len(data) {
				c.Hold()
				c.Resume()
				break
			}
		}
		return n, 0
	}
}

func TestHeldInputWaits(t *testing.T) {
	l, _ := newTestLoop()
	c, s, r := l.open()
	hold := true
	r.reply = func(data []byte) (int, int) {
		if hold {
			c.Resume() // from before; it must not bring Receive at once
			c.Hold()
			return 1, 0
		}
		return len(data), 0
	}
	c.Read([]byte("abc"))
	if !s.stopped || !c.Holding() {
		t.Fatal("the socket is read on")
	}
	c.Read([]byte("de")) // was read already
	c.Read([]byte("f"))
	l.turn()
	hold = false
	if rest, _ := c.Rest(); string(r.got) != "abc" || string(rest) != "bcdef" {
		t.Fatalf("Receive got %q, %q is kept", r.got, rest)
	}
	c.Resume()
	c.Resume()
	if string(r.got) != "abc" || len(l.posted) != 1 {
		t.Fatalf("resumed at once, or not in one task: got %q, %d posted", r.got, len(l.posted))
	}
	l.runPosted()
	if rest, _ := c.Rest(); string(r.got) != "abcbcdef" || len(rest) != 0 || s.stopped || c.Holding() {
		t.Fatalf("Receive got %q, %q is kept, stopped %v", r.got, rest, s.stopped)
	}
	c.Read([]byte("g"))
	if string(r.got) != "abcbcdefg" || l.runPosted() {
		t.Fatalf("Receive got %q", r.got)
	}
}

// TestHoldWithoutARest: a receiver that has consumed all may hold, too; Resume only lets the socket be read again.
func TestHoldWithoutARest(t *testing.T) {
	l, _ := newTestLoop()
	c, s, r := l.open()
	r.reply = func(data []byte) (int, int) { c.Hold(); return len(data), 0 }
	c.Read([]byte("a"))
	c.Resume()
	l.runPosted()
	if string(r.got) != "a" || s.stopped || c.Holding() {
		t.Fatalf("Receive got %q, stopped %v", r.got, s.stopped)
	}
	c.Hold()
	c.Hold()
	c.CloseAfterFlush() // the peer's end must be seen
	if s.stopped {
		t.Fatal("the socket of a connection that is leaving is not read")
	}
	c.Resume()
	l.advance(2 * time.Second)
	r.ended(t, s, nil)
}

func TestHeldInputIsBounded(t *testing.T) {
	l, limits := newTestLoop()
	limits.RestBytesMax = 10
	c, s, r := l.open()
	r.reply = func([]byte) (int, int) { c.Hold(); return 0, 0 }
	c.Read([]byte("12345"))
	c.Read([]byte("67890"))
	if c.Closed() {
		t.Fatal("closed within the limit")
	}
	c.Resume()
	c.Read([]byte("1"))
	r.ended(t, s, ErrRestTooLong)
	l.runPosted()
	if len(r.got) != 5 {
		t.Fatalf("Receive got %q", r.got)
	}
}

// TestConnectionsTakeTurns: the input of connections that need several turns each is handled in turns of the same
// length, and what arrives on another one meanwhile is handled at once.
func TestConnectionsTakeTurns(t *testing.T) {
	l, limits := newTestLoop()
	const work = 100_000
	each := int(limits.TurnTime) / work // bytes in one turn
	var got []byte
	open := func() (*Conn, *testSocket) {
		c, s, r := l.open()
		r.reply = l.working(c, work, &got)
		return c, s
	}
	l.Renew()
	var conns []*Conn
	var socks []*testSocket
	for _, name := range "abc" {
		c, s := open()
		conns, socks = append(conns, c), append(socks, s)
		l.Enter()
		c.Read([]byte(strings.Repeat(string(name), 3*each)))
	}
	honest, _ := open()
	turns := 0
	for ; len(l.posted) > 0; turns++ {
		for _, s := range socks {
			if conns[slices.Index(socks, s)].Holding() && !s.stopped {
				t.Fatal("a connection that waits for its turn is read on")
			}
		}
		before := len(got)
		l.Enter()
		honest.Read([]byte("!")) // in the pass before the turn
		if string(got[before:]) != "!" {
			t.Fatalf("turn %d: an honest connection waits", turns)
		}
		before = len(got)
		l.runPosted()
		if n := len(got) - before; n > each {
			t.Fatalf("turn %d: %d bytes in one turn, %d fit", turns, n, each)
		}
		if turns > 100 {
			t.Fatal("no end")
		}
	}
	for _, name := range []byte("abc") {
		if n := strings.Count(string(got), string(name)); n != 3*each {
			t.Errorf("%d of %c", n, name)
		}
	}
	for i, s := range socks {
		if s.stopped || conns[i].Holding() {
			t.Errorf("connection %d is not read any more", i)
		}
	}
	// Nobody is a whole round behind.
	order := strings.NewReplacer("!", "").Replace(string(got))
	first := strings.LastIndexByte(order[:len(order)-each], 'a')
	if last := strings.IndexByte(order[each+2:], 'c'); first < 0 || last < 0 || last > 2*each {
		t.Errorf("order %q", order)
	}
}

// TestHeldConnectionsProgressInBusyTurns: a task for held connections gives each of them at least one entry, also when
// the turn's budget is used up by others.
func TestHeldConnectionsProgressInBusyTurns(t *testing.T) {
	l, _ := newTestLoop()
	var got []byte
	c, _, r := l.open()
	r.reply = l.working(c, EntryWork, &got)
	l.Renew()
	l.Spend(int(time.Second))
	l.Enter()
	c.Read([]byte("abc"))
	for range 2 {
		task := l.posted[0]
		l.posted = nil
		l.Spend(int(time.Second)) // no Renew: another task had the turn
		task.Run(0)
	}
	if string(got) != "abc" || c.Holding() {
		t.Fatalf("got %q", got)
	}
}

// TestAfterHeld waits for the connections that are held when it is called, whatever becomes of them, and for no others.
func TestAfterHeld(t *testing.T) {
	l, _ := newTestLoop()
	called := 0
	l.AfterHeld(func() { called++ })
	if l.runPosted(); called != 1 {
		t.Fatal("nothing is held, and it waits")
	}
	var conns []*Conn
	for range 4 {
		c, _, _ := l.open()
		c.Hold()
		conns = append(conns, c)
	}
	l.AfterHeld(func() { called++ })
	later, _, _ := l.open()
	later.Hold()
	for i, end := range []func(c *Conn){(*Conn).Resume, (*Conn).CloseAfterFlush, (*Conn).Close, func(c *Conn) { c.Ended(nil) }} {
		end(conns[i])
		if called != 1 {
			t.Fatalf("called before connection %d is done with", i)
		}
		l.turn()
	}
	if called != 2 {
		t.Fatal("never called")
	}
	l.AfterHeld(func() { called++ })
	later.Resume()
	if l.turn(); called != 3 || len(l.held.stopped) != 0 || len(l.held.waiters) != 0 {
		t.Fatalf("called %d times, %d are held, %d wait", called, len(l.held.stopped), len(l.held.waiters))
	}
}
