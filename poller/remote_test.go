package poller

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"
)

// homeOf returns the loop that has a handle of the peer's connection: the next one.
func homeOf(e *Engine, p *peer) *Loop {
	return e.Loops()[(p.conn.Loop().Index()+1)%len(e.Loops())]
}

// lend opens a connection and borrows it to another loop.
func lend(t *testing.T, e *Engine, h *hub) (io.Reader, *peer, *Remote) {
	t.Helper()
	c := dial(t, e)
	p := h.next(t)
	home := homeOf(e, p)
	var r *Remote
	on(t, p.conn.Loop(), func() {
		r = p.conn.Borrow(home)
		if p.conn.Borrow(home) != r {
			t.Error("a second handle for the same home")
		}
	})
	return c, p, r
}

func TestRemoteKeepsOrderAndPostsOncePerTurn(t *testing.T) {
	h := newHub()
	e := start(t, Config{Accept: h.accept, Loops: 2, QueueBytesMax: 8 << 20})
	c, p, r := lend(t, e, h)
	if r.RemoteAddr() != p.conn.RemoteAddr() {
		t.Error("address")
	}
	var want bytes.Buffer
	before := p.conn.Loop().Stats().Posts
	const turns, frames = 50, 40
	for turn := range turns {
		on(t, homeOf(e, p), func() {
			for i := range frames {
				frame := fmt.Appendf(nil, "%d.%d ", turn, i)
				want.Write(frame)
				if !r.Queue(frame) {
					t.Error("Queue refused")
				}
			}
			r.Queue(nil)
		})
	}
	on(t, homeOf(e, p), r.CloseAfterFlush)
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Fatalf("%d bytes of %d, %v", len(got), want.Len(), err)
	}
	on(t, homeOf(e, p), func() {
		if r.Queue([]byte("x")) {
			t.Error("Queue after CloseAfterFlush")
		}
	})
	if err := recv(t, p.closed, "Closed"); err != nil {
		t.Errorf("Closed(%v)", err)
	}
	if n := p.conn.Loop().Stats().Posts - before; n > turns+5 {
		t.Errorf("%d posts for %d turns", n, turns)
	}
}

func TestRemoteIsBoundedAndLearnsOfTheEnd(t *testing.T) {
	h := newHub()
	const queueMax = 1 << 20
	e := start(t, Config{Accept: h.accept, Loops: 2, QueueBytesMax: queueMax, SendBufferBytes: 32 << 10, WriteTimeout: time.Hour})
	_, p, r := lend(t, e, h)
	frame := make([]byte, 32<<10)
	eventually(t, "Queue refuses", func() bool {
		full := false
		on(t, homeOf(e, p), func() {
			for range 8 {
				full = !r.Queue(frame) || full
			}
			if r.QueuedBytes() > queueMax {
				t.Errorf("%d bytes queued", r.QueuedBytes())
			}
		})
		return full
	})
	on(t, homeOf(e, p), func() { r.Close(); r.Close() })
	if err := recv(t, p.closed, "Closed"); err != nil {
		t.Errorf("Closed(%v)", err)
	}
	// Another one, closed by its peer: the home learns it.
	c, p, r := lend(t, e, h)
	on(t, homeOf(e, p), func() { r.Queue([]byte("hello")) })
	_, _ = io.ReadFull(c, make([]byte, 5))
	eventually(t, "backlog is gone", func() bool {
		idle := false
		on(t, homeOf(e, p), func() { idle = r.QueuedBytes() == 0 && r.QueuedFrames() == 0 })
		return idle
	})
	_ = c.(io.Closer).Close()
	if err := recv(t, p.closed, "Closed"); !errors.Is(err, io.EOF) {
		t.Errorf("Closed(%v)", err)
	}
	on(t, homeOf(e, p), func() {
		if r.Queue([]byte("x")) || !r.Closed() {
			t.Error("Queue on a handle of a closed connection")
		}
	})
}
