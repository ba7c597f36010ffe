package stream

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"
)

// Each row leads a connection into a state and lets one event happen; the table is that of the package comment.
func TestEndings(t *testing.T) {
	failure := errors.New("reset")
	type world struct {
		l *testLoop
		c *Conn
		s *testSocket
		r *testReceiver
	}
	states := map[string]func(w *world){
		"open":    func(*world) {},
		"blocked": func(w *world) { w.s.room = 10; w.c.Queue(make([]byte, 100)); w.l.turn() },
		"leaving": func(w *world) {
			w.s.room = 10
			w.c.Queue(make([]byte, 100))
			w.c.CloseAfterFlush()
			w.l.turn()
		},
		"lingering": func(w *world) { w.c.Queue(make([]byte, 100)); w.c.CloseAfterFlush(); w.l.turn() },
	}
	for _, tt := range []struct {
		state, event string
		do           func(w *world)
		want         state
		err          error
		sent         int
		shut         int
	}{
		{"open", "CloseAfterFlush", func(w *world) { w.c.CloseAfterFlush() }, stateLingering, nil, 0, 1},
		{"open", "Close", func(w *world) { w.c.Close() }, stateClosed, nil, 0, 0},
		{"open", "peer ends", func(w *world) { w.c.Ended(io.EOF) }, stateClosed, io.EOF, 0, 0},
		{"open", "time passes", func(w *world) { w.l.advance(time.Hour) }, stateOpen, nil, 0, 0},
		{"blocked", "CloseAfterFlush", func(w *world) { w.c.CloseAfterFlush() }, stateLeaving, nil, 10, 0},
		{"blocked", "Close", func(w *world) { w.c.Close() }, stateClosed, nil, 10, 0},
		{"blocked", "peer ends", func(w *world) { w.c.Ended(io.EOF) }, stateClosed, io.EOF, 10, 0},
		{"blocked", "no progress", func(w *world) { w.l.advance(31 * time.Second) }, stateClosed, ErrWriteTimeout, 10, 0},
		{"blocked", "writable", func(w *world) { w.s.room = -1; w.l.Writable(w.s.ticket) }, stateOpen, nil, 100, 0},
		{"blocked", "write fails", func(w *world) { w.s.failure = failure; w.l.Writable(w.s.ticket) }, stateClosed, failure, 10, 0},
		{"leaving", "CloseAfterFlush", func(w *world) { w.c.CloseAfterFlush() }, stateLeaving, nil, 10, 0},
		{"leaving", "Close", func(w *world) { w.c.Close() }, stateClosed, nil, 10, 0},
		{"leaving", "peer ends", func(w *world) { w.c.Ended(io.EOF) }, stateClosed, io.EOF, 10, 0},
		{"leaving", "writable", func(w *world) { w.s.room = -1; w.l.Writable(w.s.ticket) }, stateLingering, nil, 100, 1},
		{"leaving", "no progress", func(w *world) { w.l.advance(6 * time.Second) }, stateClosed, ErrFlushTimeout, 10, 0},
		{"leaving", "input", func(w *world) { w.c.Read(make([]byte, 1000)) }, stateLeaving, nil, 10, 0},
		{"leaving", "input without end", func(w *world) { w.c.Read(make([]byte, 1001)) }, stateClosed, ErrDiscarded, 10, 0},
		{"lingering", "CloseAfterFlush", func(w *world) { w.c.CloseAfterFlush() }, stateLingering, nil, 100, 1},
		{"lingering", "Close", func(w *world) { w.c.Close() }, stateClosed, nil, 100, 1},
		{"lingering", "peer ends", func(w *world) { w.c.Ended(io.EOF) }, stateClosed, nil, 100, 1},
		{"lingering", "no progress", func(w *world) { w.l.advance(2 * time.Second) }, stateClosed, nil, 100, 1},
		{"lingering", "input", func(w *world) { w.c.Read(make([]byte, 1000)) }, stateLingering, nil, 100, 1},
		{"lingering", "input without end", func(w *world) { w.c.Read(make([]byte, 1001)) }, stateClosed, ErrDiscarded, 100, 1},
	} {
		t.Run(tt.state+"/"+tt.event, func(t *testing.T) {
			l, _ := newTestLoop()
			w := &world{l: l}
			w.c, w.s, w.r = l.open()
			states[tt.state](w)
			tt.do(w)
			l.turn()
			if w.c.state != tt.want || len(w.s.got) != tt.sent || w.s.shut != tt.shut {
				t.Fatalf("state %d, %d bytes sent, shut %d times; want %d, %d, %d", w.c.state, len(w.s.got), w.s.shut, tt.want, tt.sent, tt.shut)
			}
			if w.c.state != stateOpen && w.c.Queue([]byte("late")) {
				t.Error("an ending connection takes frames")
			}
			if tt.want != stateClosed {
				if len(w.r.ends) != 0 || w.s.closed != 0 {
					t.Fatalf("closed: %v", w.r.ends)
				}
				w.c.Close()
				l.turn()
			} else {
				w.r.ended(t, w.s, tt.err)
			}
			w.c.Close()
			w.c.CloseAfterFlush()
			w.c.Ended(io.EOF)
			w.c.Read([]byte("more"))
			l.Writable(w.s.ticket)
			l.advance(time.Hour)
			if len(w.r.ends) != 1 || w.s.closed != 1 || len(w.r.got) != 0 {
				t.Fatalf("Closed %d times, the socket %d times, received %q", len(w.r.ends), w.s.closed, w.r.got)
			}
			if l.Unfinished() || l.Wheel().Len() != 0 || l.Counters.Blocked.Load() != 0 || w.c.rare != nil {
				t.Errorf("left behind: unfinished %v, %d timers, %d blocked, %+v", l.Unfinished(), l.Wheel().Len(), l.Counters.Blocked.Load(), w.c.rare)
			}
		})
	}
}

// Limits of time are times without progress, whatever the state, and whether the progress shows in our queue or only in
// what the socket holds.
func TestProgressResetsTheClock(t *testing.T) {
	for _, tt := range []struct {
		name    string
		leave   bool
		advance time.Duration
	}{{"open", false, 29 * time.Second}, {"leaving", true, 4 * time.Second}} {
		t.Run(tt.name, func(t *testing.T) {
			l, _ := newTestLoop()
			c, s, r := l.open()
			s.room, s.unsent = 0, 1000
			c.Queue(make([]byte, 500))
			l.turn()
			if tt.leave {
				c.CloseAfterFlush()
			}
			for range 20 {
				l.advance(tt.advance)
				s.room = 10
				l.Writable(s.ticket)
				l.turn()
			}
			for range 20 { // nothing leaves our queue, but the socket gets rid of some
				l.advance(tt.advance)
				s.unsent--
			}
			if len(r.ends) != 0 || len(s.got) != 200 {
				t.Fatalf("ended %v after %d bytes", r.ends, len(s.got))
			}
			l.advance(2 * time.Minute)
			want := ErrWriteTimeout
			if tt.leave {
				want = ErrFlushTimeout
			}
			r.ended(t, s, want)
		})
	}
}

// A connection that lingers goes on while the kernel still gets rid of what it holds.
func TestLingeringWaitsForTheKernel(t *testing.T) {
	l, _ := newTestLoop()
	c, s, r := l.open()
	s.unsent = 100
	c.Queue(make([]byte, 100))
	c.CloseAfterFlush()
	l.turn()
	for range 50 {
		l.advance(900 * time.Millisecond)
		s.unsent--
	}
	if len(r.ends) != 0 {
		t.Fatal("cut while bytes still left")
	}
	s.unsent = 0
	l.advance(2500 * time.Millisecond)
	r.ended(t, s, nil)

	c, s, r = l.open() // a kernel that gets rid of nothing
	s.unsent = 100
	c.Queue(make([]byte, 100))
	c.CloseAfterFlush()
	l.turn()
	l.advance(4 * time.Second)
	if len(r.ends) != 0 {
		t.Fatal("cut before FlushTimeout")
	}
	l.advance(3 * time.Second)
	r.ended(t, s, nil)
}

// Data that is queued after a time without any does not count from the time before.
func TestEachWaitBeginsAnew(t *testing.T) {
	l, _ := newTestLoop()
	c, s, r := l.open()
	for range 10 {
		s.room = 10
		c.Queue(make([]byte, 100))
		l.turn()
		l.advance(20 * time.Second)
		s.room = -1
		l.Writable(s.ticket)
		l.turn()
		l.advance(time.Minute)
	}
	if len(r.ends) != 0 || len(s.got) != 1000 || c.rare != nil {
		t.Fatalf("ended %v, %d bytes, rare %v", r.ends, len(s.got), c.rare)
	}
}

// One connection writes at most its share, then it is the next one's turn.
func TestAConnectionsTurnIsBounded(t *testing.T) {
	l, limits := newTestLoop()
	c, s, _ := l.open()
	c.Queue(bytes.Repeat([]byte("x"), 5*limits.TurnBytesMax/2))
	other, s2, _ := l.open()
	other.Queue([]byte("y"))
	for turn, want := range []int{1, 2} {
		l.FlushSome(1, 1<<62)
		if turn == 0 && len(s.got) != want*limits.TurnBytesMax {
			t.Fatalf("%d bytes in the first turn", len(s.got))
		}
	}
	if string(s2.got) != "y" || len(s.got) != limits.TurnBytesMax {
		t.Fatalf("the other connection got %q after %d bytes", s2.got, len(s.got))
	}
	l.turn()
	if len(s.got) != 5*limits.TurnBytesMax/2 {
		t.Fatalf("%d bytes in the end", len(s.got))
	}
}

// A farewell goes out whatever waits before it, and the connection ends behind it.
func TestLastIsNeverRefused(t *testing.T) {
	l, limits := newTestLoop()
	limits.QueueBytesMax = 100
	c, s, r := l.open()
	s.room = 0
	c.Queue(make([]byte, 100))
	if c.Queue([]byte("no")) {
		t.Fatal("over the limit")
	}
	c.Last([]byte("bye"))
	s.room = -1
	l.turn()
	l.Writable(s.ticket)
	l.turn()
	if !bytes.HasSuffix(s.got, []byte("bye")) || s.shut != 1 {
		t.Fatalf("got %d bytes, shut %d", len(s.got), s.shut)
	}
	c.Ended(io.EOF)
	r.ended(t, s, nil)
	if l.Counters.Abandoned.Load() != 0 {
		t.Error("counted as abandoned")
	}
}

// A connection that has closed does not wait for its peer any more, although the dirty list still has it.
func TestClosedConnectionsDoNotWait(t *testing.T) {
	for name, queue := range map[string]func(l *testLoop, c *Conn, s *testSocket){
		"not flushed": func(_ *testLoop, c *Conn, _ *testSocket) { c.Queue(make([]byte, 100)) },
		"blocked": func(l *testLoop, c *Conn, s *testSocket) {
			s.room = 10
			c.Queue(make([]byte, 100))
			l.turn()
		},
		"writable again": func(l *testLoop, c *Conn, s *testSocket) {
			s.room = 10
			c.Queue(make([]byte, 100))
			l.turn()
			l.Writable(s.ticket)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l, _ := newTestLoop()
			c, s, _ := l.open()
			queue(l, c, s)
			if n := l.Waiting(); n != 1 {
				t.Errorf("%d connections wait before the end", n)
			}
			c.Ended(io.EOF)
			if n := l.Waiting(); n != 0 || l.Unfinished() {
				t.Errorf("%d connections wait after the end", n)
			}
		})
	}
}

// Frames that a connection has not sent are counted when this side ends it, or had begun to; those of a peer that goes
// by itself, and the farewell of Last, are not.
func TestCutIsCounted(t *testing.T) {
	for name, c := range map[string]struct {
		end         func(l *testLoop, c *Conn)
		cut, frames int64
	}{
		"the peer ends":      {func(_ *testLoop, c *Conn) { c.Ended(io.EOF) }, 0, 0},
		"the engine stops":   {func(_ *testLoop, c *Conn) { c.Stopped(io.EOF) }, 1, 3},
		"Close":              {func(_ *testLoop, c *Conn) { c.Close() }, 1, 3},
		"Cut":                {func(_ *testLoop, c *Conn) { c.Cut(nil) }, 1, 3},
		"WriteTimeout":       {func(l *testLoop, _ *Conn) { l.advance(31 * time.Second) }, 1, 3},
		"FlushTimeout":       {func(l *testLoop, c *Conn) { c.CloseAfterFlush(); l.turn(); l.advance(6 * time.Second) }, 1, 3},
		"Expendable, Close":  {func(_ *testLoop, c *Conn) { c.Expendable(); c.Close() }, 0, 0},
		"Last, and the peer": {func(l *testLoop, c *Conn) { c.Last([]byte("bye")); l.turn(); c.Ended(io.EOF) }, 1, 3},
	} {
		t.Run(name, func(t *testing.T) {
			l, _ := newTestLoop()
			conn, s, _ := l.open()
			s.room = 10
			for range 3 {
				conn.Queue(make([]byte, 100))
			}
			l.turn()
			c.end(l, conn)
			l.turn()
			if cut, frames := l.Counters.Cut.Load(), l.Counters.FramesCut.Load(); cut != c.cut || frames != c.frames || !conn.Closed() {
				t.Errorf("%d connections, %d frames; want %d, %d", cut, frames, c.cut, c.frames)
			}
		})
	}
	l, _ := newTestLoop()
	conn, s, _ := l.open()
	s.room = 0
	conn.Last([]byte("bye"))
	l.turn()
	l.advance(6 * time.Second)
	if n := l.Counters.Cut.Load(); n != 0 || !conn.Closed() {
		t.Errorf("%d connections were cut for their farewell", n)
	}
}
