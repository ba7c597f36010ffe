package poller

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// One write per recipient and flush, however many frames wait.
func TestFramesOfATurnLeaveInOneWrite(t *testing.T) {
	h := newHub()
	e := start(t, Config{Accept: h.accept, Loops: 2})
	const conns, frames = 50, 16
	byLoop := map[*Loop][]*Conn{}
	var clients []net.Conn
	for range conns {
		clients = append(clients, dial(t, e))
		p := h.next(t)
		byLoop[p.conn.Loop()] = append(byLoop[p.conn.Loop()], p.conn)
	}
	before := e.Stats()
	for l, members := range byLoop {
		on(t, l, func() {
			for i := range frames {
				frame := []byte{'a' + byte(i)}
				for _, c := range members {
					if !c.Queue(frame) {
						t.Error("Queue refused")
					}
				}
			}
			if members[0].QueuedFrames() != frames || members[0].QueuedBytes() != frames {
				t.Errorf("%d bytes queued", members[0].QueuedBytes())
			}
		})
	}
	for _, c := range clients {
		expect(t, c, "abcdefghijklmnop")
	}
	after := e.Stats()
	if n := after.Writes - before.Writes; n != conns {
		t.Errorf("%d writes for %d connections", n, conns)
	}
	if n := after.Frames - before.Frames; n != conns*frames {
		t.Errorf("%d frames counted", n)
	}
}

func TestPipelinedRepliesLeaveInOneWrite(t *testing.T) {
	h := newHub()
	h.receive = func(p *peer, data []byte) (int, int) {
		for _, b := range data {
			p.conn.Queue([]byte{b})
		}
		return len(data), 0
	}
	e := start(t, Config{Accept: h.accept, Loops: 1})
	c := dial(t, e)
	write(t, c, "0123456789")
	expect(t, c, "0123456789")
	if s := e.Stats(); s.Writes > s.Reads {
		t.Errorf("%d writes for %d reads", s.Writes, s.Reads)
	}
}

// A peer that does not read costs bounded memory: Queue refuses more, and the write timeout ends the connection.
func TestSlowReader(t *testing.T) {
	const queueMax = 256 << 10
	h := newHub()
	e := start(t, Config{Accept: h.accept, Loops: 1, QueueBytesMax: queueMax, SendBufferBytes: 32 << 10,
		WriteTimeout: 200 * time.Millisecond})
	c := dial(t, e)
	_ = c.(*net.TCPConn).SetReadBuffer(16 << 10)
	p := h.next(t)
	frame := bytes.Repeat([]byte{'x'}, 8<<10)
	var refused, held atomic.Int64
	l := p.conn.Loop()
	eventually(t, "Queue refuses", func() bool {
		on(t, l, func() {
			for range 16 {
				if !p.conn.Queue(frame) {
					refused.Add(1)
					held.Store(max(held.Load(), int64(p.conn.QueuedBytes())))
				}
			}
		})
		return refused.Load() > 0
	})
	if held.Load() > queueMax {
		t.Errorf("%d bytes queued, the limit is %d", held.Load(), queueMax)
	}
	if err := recv(t, p.closed, "Closed"); !errors.Is(err, ErrWriteTimeout) {
		t.Fatalf("Closed(%v)", err)
	}
	on(t, l, func() {
		if p.conn.Queue(frame) || p.conn.QueuedBytes() != 0 {
			t.Error("a closed connection takes frames")
		}
		p.conn.Close()
		p.conn.CloseAfterFlush()
		p.conn.Resume()
	})
	if s := e.Stats(); s.WriteTimeouts != 1 || s.Blocked != 0 || s.FramesDropped == 0 || s.Refused == 0 {
		t.Errorf("%+v", s)
	}
}

// A reader that is slow but reads is not cut off, and gets everything in order.
func TestBlockedConnectionGoesOn(t *testing.T) {
	h := newHub()
	e := start(t, Config{Accept: h.accept, Loops: 1, QueueBytesMax: 64 << 20, SendBufferBytes: 32 << 10})
	c := dial(t, e)
	p := h.next(t)
	var want bytes.Buffer
	on(t, p.conn.Loop(), func() {
		for i := range 3000 {
			frame := bytes.Repeat([]byte{byte(i)}, 1+i*7%3000)
			want.Write(frame)
			p.conn.Queue(frame)
		}
		big := bytes.Repeat([]byte("big"), 300_000)
		want.Write(big)
		p.conn.Queue(big)
	})
	got := make([]byte, want.Len())
	for n := 0; n < len(got); {
		m, err := c.Read(got[n:min(n+40_000, len(got))])
		if err != nil {
			t.Fatal(err)
		}
		n += m
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Fatal("bytes differ")
	}
	eventually(t, "idle again", func() bool {
		idle := false
		on(t, p.conn.Loop(), func() { idle = p.conn.QueuedBytes() == 0 })
		return idle && e.Stats().Blocked == 0
	})
}

// CloseAfterFlush delivers everything that is queued before the connection closes.
func TestCloseAfterFlushDeliversAll(t *testing.T) {
	h := newHub()
	e := start(t, Config{Accept: h.accept, Loops: 1, QueueBytesMax: 16 << 20, FlushTimeout: time.Minute})
	c := dial(t, e)
	p := h.next(t)
	payload := bytes.Repeat([]byte("0123456789abcdef"), 8<<20/16)
	on(t, p.conn.Loop(), func() {
		for off := 0; off < len(payload); off += 100_000 {
			p.conn.Queue(payload[off:min(off+100_000, len(payload))])
		}
		p.conn.CloseAfterFlush()
		if p.conn.Queue([]byte("late")) {
			t.Error("a leaving connection takes frames")
		}
	})
	write(t, c, "this is discarded, and must not reset the connection")
	got := make([]byte, 0, len(payload)+1)
	buf := make([]byte, 64<<10)
	for {
		n, err := c.Read(buf)
		got = append(got, buf[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("after %d bytes: %v", len(got), err)
		}
		if len(got)%7 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	if !bytes.Equal(got, payload) {
		t.Fatalf("got %d bytes of %d", len(got), len(payload))
	}
	_ = c.Close()
	if err := recv(t, p.closed, "Closed"); err != nil {
		t.Errorf("Closed(%v), want nil", err)
	}
}

func TestCloseAfterFlushHasADeadline(t *testing.T) {
	h := newHub()
	e := start(t, Config{Accept: h.accept, Loops: 1, QueueBytesMax: 64 << 20, FlushTimeout: 100 * time.Millisecond})
	dial(t, e) // never reads
	p := h.next(t)
	on(t, p.conn.Loop(), func() {
		p.conn.Queue(make([]byte, 32<<20))
		p.conn.CloseAfterFlush()
	})
	if err := recv(t, p.closed, "Closed"); !errors.Is(err, ErrFlushTimeout) {
		t.Errorf("Closed(%v)", err)
	}
	// With nothing queued it closes although the peer keeps its side open.
	c := dial(t, e)
	p = h.next(t)
	on(t, p.conn.Loop(), p.conn.CloseAfterFlush)
	expectEOF(t, c)
	if err := recv(t, p.closed, "Closed"); err != nil {
		t.Errorf("Closed(%v)", err)
	}
}

func TestCloseIsNotReentrant(t *testing.T) {
	var inside atomic.Bool
	h := newHub()
	h.onClose = func(*peer, error) {
		if inside.Load() {
			t.Error("Closed was called from inside of an entry")
		}
	}
	h.receive = func(p *peer, data []byte) (int, int) {
		inside.Store(true)
		p.conn.Queue([]byte("dropped"))
		p.conn.Close()
		p.conn.Close()
		if p.conn.Queue([]byte("x")) {
			t.Error("Queue after Close")
		}
		inside.Store(false)
		return 0, 1000
	}
	e := start(t, Config{Accept: h.accept, Loops: 1})
	c := dial(t, e)
	write(t, c, "x")
	expectEOF(t, c)
	if err := recv(t, h.next(t).closed, "Closed"); err != nil {
		t.Errorf("Closed(%v)", err)
	}
	// Inside of Run: the tasks behind see it closed.
	c = dial(t, e)
	p := h.next(t)
	l := p.conn.Loop()
	var order tally[string]
	p.onClose = func(*peer, error) { order.add("closed") }
	l.PostFunc(func() { p.conn.Close(); order.add("run") })
	on(t, l, func() { order.add("next") })
	expectEOF(t, c)
	if got := strings.Join(order.all(), " "); got != "run closed next" {
		t.Errorf("order %q", got)
	}
}

// Peers reset their connections while a fan-out writes to them.
func TestResetDuringFanOut(t *testing.T) {
	h := newHub()
	members := map[*Conn]bool{}
	h.onOpen = func(p *peer) { members[p.conn] = true } // one loop: no lock
	h.onClose = func(p *peer, _ error) {
		delete(members, p.conn)
		for c := range members { // a disconnect is told to all others, from inside of a flush
			c.Queue([]byte("."))
		}
	}
	e := start(t, Config{Accept: h.accept, Loops: 1, FlushSlice: 8})
	const conns = 60
	var clients []net.Conn
	var peers []*peer
	for range conns {
		clients = append(clients, dial(t, e))
		peers = append(peers, h.next(t))
	}
	l := e.Loops()[0]
	frame := bytes.Repeat([]byte{'f'}, 2000)
	for i := range conns {
		if i%2 == 0 {
			_ = clients[i].(*net.TCPConn).SetLinger(0)
			_ = clients[i].Close()
		}
		l.PostFunc(func() {
			for c := range members {
				for range 10 {
					c.Queue(frame)
				}
			}
		})
	}
	for i, p := range peers {
		if i%2 == 0 {
			if err := recv(t, p.closed, "Closed"); err == nil {
				t.Error("a reset peer got Closed(nil)")
			}
		}
	}
	// The descriptors are used again; nothing of the old may come here.
	on(t, l, func() { // behind all fan-outs
		if len(members) != conns/2 {
			t.Errorf("%d members left of %d", len(members), conns/2)
		}
		clear(members)
		h.onOpen = nil
	})
	fresh := dial(t, e)
	p := h.next(t)
	on(t, l, func() { p.conn.Queue([]byte("hello")) })
	expect(t, fresh, "hello")
	if n := e.Stats().Conns; n != conns/2+1 {
		t.Errorf("%d connections", n)
	}
}
