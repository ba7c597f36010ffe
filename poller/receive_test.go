package poller

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
	"time"
)

// Messages with a length prefix: the rest grows with what came, up to need.
func TestRestWithNeed(t *testing.T) {
	h := newHub()
	var capacity int
	h.receive = func(p *peer, data []byte) (int, int) {
		rest, _ := p.conn.Rest()
		capacity = max(capacity, cap(rest))
		n := 0
		for len(data)-n >= 4 {
			size := 4 + int(binary.BigEndian.Uint32(data[n:]))
			if len(data)-n < size {
				return n, size
			}
			p.conn.Queue(bytes.Clone(data[n : n+size]))
			n += size
		}
		return n, 0
	}
	e := start(t, Config{Accept: h.accept, Loops: 1, QueueBytesMax: 64 << 20})
	c := dial(t, e)
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, 100, 511, 512, 513, 70_000, 1_000_000} {
		msg := binary.BigEndian.AppendUint32(nil, uint32(size))
		for range size {
			msg = append(msg, byte(rnd.Int()))
		}
		go func() {
			for rest := msg; len(rest) > 0; {
				n := min(1+rnd.IntN(30_000), len(rest))
				_, _ = c.Write(rest[:n])
				rest = rest[n:]
			}
		}()
		expect(t, c, string(msg))
	}
	p := h.next(t)
	on(t, p.conn.Loop(), func() {
		if capacity > 1_000_004 {
			t.Errorf("the rest had a capacity of %d for a message of 1,000,004", capacity)
		}
		if rest, _ := p.conn.Rest(); rest != nil {
			t.Error("an idle connection holds a rest buffer")
		}
	})
	// A declared length alone allocates nothing.
	write(t, c, "\x7f\xff\xff\xffabc")
	eventually(t, "rest kept", func() bool {
		ok := false
		on(t, p.conn.Loop(), func() {
			rest, _ := p.conn.Rest()
			ok = cap(rest) <= 512 && len(rest) == 7
		})
		return ok
	})
}

func TestRestTooLong(t *testing.T) {
	h := newHub()
	h.receive = func(*peer, []byte) (int, int) { return 0, 0 }
	e := start(t, Config{Accept: h.accept, Loops: 1, RestBytesMax: 1000})
	c := dial(t, e)
	p := h.next(t)
	write(t, c, string(make([]byte, 1000)))
	eventually(t, "rest kept", func() bool {
		n := 0
		on(t, p.conn.Loop(), func() {
			rest, _ := p.conn.Rest()
			n = len(rest)
		})
		return n == 1000
	})
	write(t, c, "x")
	if err := recv(t, p.closed, "Closed"); !errors.Is(err, ErrRestTooLong) {
		t.Errorf("Closed(%v)", err)
	}
}

// A receiver that answers one request at a time holds the pipeline back and resumes, from a task and from inside.
func TestResume(t *testing.T) {
	h := newHub()
	busy := false
	var calls int
	h.receive = func(p *peer, data []byte) (int, int) {
		calls++
		if busy {
			return 0, 0
		}
		busy = true
		p.conn.Queue([]byte{data[0]})
		l := p.conn.Loop()
		if data[0]%2 == 0 { // answered later
			l.PostFunc(func() { busy = false; p.conn.Resume() })
		} else { // answered at once
			busy = false
			p.conn.Resume()
		}
		return 1, 0
	}
	e := start(t, Config{Accept: h.accept, Loops: 1})
	c := dial(t, e)
	const pipeline = "abcdefghijklmnopqrstuvwxyz"
	write(t, c, pipeline)
	expect(t, c, pipeline)
	p := h.next(t)
	on(t, p.conn.Loop(), func() {
		before := calls
		p.conn.Resume() // nothing is kept: nothing is called
		p.conn.Loop().PostFunc(func() {
			if calls != before {
				t.Error("Receive was called without input")
			}
		})
	})
	on(t, p.conn.Loop(), func() {})
}

func TestResumeInsideWithoutProgressDoesNotSpin(t *testing.T) {
	h := newHub()
	h.receive = func(p *peer, data []byte) (int, int) {
		p.conn.Resume()
		p.conn.Queue([]byte("."))
		return 0, 0
	}
	e := start(t, Config{Accept: h.accept, Loops: 1})
	c := dial(t, e)
	write(t, c, "x")
	expect(t, c, ".")
}

func TestSetReceiverGetsTheRestAtOnce(t *testing.T) {
	h := newHub()
	second := &peer{closed: make(chan error, 1)}
	second.receive = func(p *peer, data []byte) (int, int) {
		p.conn.Queue(append([]byte("2:"), data...))
		return len(data), 0
	}
	h.receive = func(p *peer, data []byte) (int, int) {
		i := bytes.IndexByte(data, '\n')
		if i < 0 {
			return 0, 0
		}
		second.conn = p.conn
		p.conn.SetReceiver(second)
		return i + 1, 0
	}
	e := start(t, Config{Accept: h.accept, Loops: 1})
	c := dial(t, e)
	write(t, c, "GET /")
	time.Sleep(5 * time.Millisecond)
	write(t, c, " up\nframes")
	expect(t, c, "2:frames")
	first := h.next(t)
	_ = c.Close()
	recv(t, second.closed, "Closed of the second receiver")
	select {
	case err := <-first.closed:
		t.Errorf("the first receiver got Closed(%v) too", err)
	default:
	}
	// Receivers that hand over to each other without consuming do not hold the loop.
	loop := func(p *peer, data []byte) (int, int) { p.conn.SetReceiver(p); return 0, 0 }
	on(t, e.Loops()[0], func() { h.receive = loop })
	c = dial(t, e)
	write(t, c, "x")
	p := h.next(t)
	on(t, p.conn.Loop(), func() {})
}

func TestCloseAfterFlushOverrulesResume(t *testing.T) {
	h := newHub()
	h.receive = func(p *peer, data []byte) (int, int) {
		p.conn.Queue([]byte("bye"))
		p.conn.Resume()
		p.conn.CloseAfterFlush()
		return 1, 0
	}
	e := start(t, Config{Accept: h.accept, Loops: 1, FlushTimeout: time.Hour})
	c := dial(t, e)
	write(t, c, "xyz")
	expect(t, c, "bye")
	expectEOF(t, c)
	_ = c.Close()
	if err := recv(t, h.next(t).closed, "Closed"); err != nil {
		t.Errorf("Closed(%v)", err)
	}
	// The same from a task.
	c = dial(t, e)
	p := h.next(t)
	on(t, p.conn.Loop(), func() { p.conn.Resume(); p.conn.CloseAfterFlush() })
	expectEOF(t, c)
}
