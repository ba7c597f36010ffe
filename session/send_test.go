package session

import (
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/httpwire"
)

func message(n int) *eio.Frame { return eio.NewMessage([]byte(strings.Repeat("x", n))) }

// send sends in one turn of the session's loop.
func (c *recorder) send(f *eio.Frame, volatile bool) (st SendStatus) {
	c.rig.loops[0].Do(func() { st = c.s.Send(f, volatile) })
	return st
}

// On polling a volatile packet is sent only if a GET waits; ordinary packets are kept.
func TestVolatilePolling(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, Config{})
		sid := r.poll(0)
		c := r.last()
		if st := c.send(message(1), true); st != DroppedVolatile {
			t.Fatal(st)
		}
		g := r.get(loop, sid)
		r.loops[0].Do(func() {
			if st := c.s.Send(message(2), true); st != Queued {
				t.Error(st)
			}
			if st := c.s.Send(message(3), true); st != DroppedVolatile {
				t.Error(st)
			}
			c.s.Send(message(4), false)
		})
		r.run()
		g.want(200, "4xx\x1e4xxxx")
		// In an upgrade nobody waits for it either.
		w := r.openWS(loop, sid).text("2probe")
		if st := c.send(message(5), true); st != DroppedVolatile {
			t.Error(st)
		}
		w.text("5").wantFrames("t:3probe")
		if n := r.engine.Stats().DroppedVolatile; n != 3 {
			t.Errorf("%d counted", n)
		}
	})
}

// On WebSocket it is dropped above a low mark; below, also several of one turn pass.
func TestVolatileWebSocket(t *testing.T) {
	wsPeers(t, Config{VolatileBytes: 1000}, func(t *testing.T, r *rig, p *peer) {
		c := r.last()
		r.loops[0].Do(func() {
			for range 5 {
				if st := c.s.Send(message(100), true); st != Queued {
					t.Fatal(st)
				}
			}
		})
		r.run()
		p.conn.TakeFrames()
		p.conn.Stall(true)
		passed := 0
		for range 100 {
			if c.send(message(100), true) == Queued {
				passed++
			}
			r.run()
		}
		if passed < 8 || passed > 12 {
			t.Errorf("%d of 100 passed", passed)
		}
		if st := c.send(message(100), false); st != Queued {
			t.Error(st)
		}
		r.run()
		p.conn.Stall(false)
		r.run()
		if st := c.send(message(100), true); st != Queued {
			t.Error("dropped although the peer reads again")
		}
	})
}

// The overflow policies, on both transports. A chain is sent whole or not at all.
func TestOverflow(t *testing.T) {
	for _, policy := range []Overflow{Disconnect, DropNewest} {
		cfg := Config{QueueBytes: 1000, OnFull: policy, MaxPayload: 100_000}
		overflow := func(t *testing.T, r *rig) {
			c := r.last()
			r.loops[0].Do(func() {
				if st := c.s.Send(message(400), false); st != Queued {
					t.Error(st)
				}
				if st := c.s.Send(eio.Link(message(1), message(300), message(300)), false); st != DroppedFull {
					t.Error(st)
				}
				if st := c.s.Send(message(1), false); (st == Queued) != (policy == DropNewest) {
					t.Error(st)
				}
				c.wantClosed() // nobody is told while the caller walks
			})
			r.run()
			s := r.engine.Stats()
			if policy == DropNewest {
				c.wantClosed()
				if s.DroppedFull != 1 || s.SlowClosed != 0 {
					t.Errorf("%+v", s)
				}
				return
			}
			c.wantClosed(ReasonTransportError)
			if s.SlowClosed != 1 || s.DroppedFull != 0 || r.engine.Sessions() != 0 {
				t.Errorf("%+v", s)
			}
		}
		wsPeers(t, cfg, func(t *testing.T, r *rig, p *peer) {
			p.conn.TakeFrames()
			p.conn.Stall(true)
			overflow(t, r)
		})
		r := newRig(t, 1, cfg)
		sid := r.poll(0)
		overflow(t, r)
		if policy == DropNewest {
			r.get(0, sid).want(200, "4"+strings.Repeat("x", 400)+"\x1e4x")
		}
	}
	// An empty packet costs memory too.
	r := newRig(t, 1, Config{QueueFrames: 3})
	r.poll(0)
	for i := range 4 {
		if st := r.last().send(message(0), false); (st == Queued) != (i < 3) {
			t.Error(i, st)
		}
	}
}

// A packet longer than the queue's bound goes when nothing waits; one longer than the connection can hold never does.
func TestLongPacket(t *testing.T) {
	wsPeers(t, Config{QueueBytes: 1000}, func(t *testing.T, r *rig, p *peer) {
		if st := r.last().send(eio.Link(message(5000), message(5000)), false); st != Queued {
			t.Fatal(st)
		}
		r.run()
		r.last().wantClosed()
		if p.message() != "4"+strings.Repeat("x", 5000) {
			t.Error("lost")
		}
		r.setQueueBytesMax(20_000)
		if st := r.last().send(eio.Link(message(5000), message(50_000)), false); st != DroppedFull {
			t.Error(st)
		}
		r.run()
		r.last().wantClosed(ReasonTransportError)
		if st := r.last().send(message(1), false); st != NotOpen {
			t.Error(st)
		}
	})
	r := newRig(t, 1, Config{QueueBytes: 1000})
	sid := r.poll(0)
	if st := r.last().send(message(5000), false); st != Queued {
		t.Fatal(st)
	}
	r.get(0, sid).want(200, "4"+strings.Repeat("x", 5000))
}

// A connection that closes by itself takes no frames; that is no slow consumer, and what its client has sent before
// is handled.
func TestSendToClosing(t *testing.T) {
	wsPeers(t, fast, func(t *testing.T, r *rig, p *peer) {
		r.setQueueBytesMax(-1)
		r.advance(302 * ms) // the ping is refused
		r.last().wantClosed(ReasonTransportClose)
	})
	wsPeers(t, Config{}, func(t *testing.T, r *rig, p *peer) {
		r.echo()
		r.setQueueBytesMax(-1) // refuses everything, as one that is closing
		p.conn.Feed([]byte(textFrame("4a") + textFrame("4b")))
		for range 2 {
			if st := r.last().send(message(1), false); st != NotOpen {
				t.Error(st)
			}
		}
		r.run()
		r.last().wantGot("a", "b")
		r.last().wantClosed(ReasonTransportClose)
		if n := r.engine.Stats().SlowClosed; n != 0 {
			t.Errorf("%d slow ones", n)
		}
	})
}

// The messages in front of the client's close are handled and answered, wherever its connection is.
func TestMessagesBeforeClose(t *testing.T) {
	wsPeers(t, Config{}, func(t *testing.T, r *rig, p *peer) {
		r.echo()
		p.write(textFrame("4a")+textFrame("4b")+frame(ws.OpClose, "")+textFrame("4c")).wantFrames("t:4a", "t:4b", "close:1005")
		r.last().wantGot("a", "b")
	})
	wsPeers(t, Config{}, func(t *testing.T, r *rig, p *peer) {
		r.echo()
		p.conn.Feed([]byte(textFrame("4a") + textFrame("4b")))
		p.cut()
		r.last().wantGot("a", "b")
		r.last().wantClosed(ReasonTransportClose)
	})
}

// A doomed session may be closed before its end has its turn. Messages of that turn reach its application; requests
// that come in later do not.
func TestDoomed(t *testing.T) {
	r := newRig(t, 1, Config{QueueFrames: 1})
	doom := func(then func(s *Session)) *recorder {
		r.poll(0)
		c := r.last()
		r.loops[0].Do(func() {
			c.s.Send(message(1), false)
			c.s.Send(message(1), false)
			c.s.receive(eio.Packet{Type: eio.Message})
			then(c.s)
		})
		r.run()
		c.wantGot("")
		return c
	}
	doom(func(s *Session) { s.Close(ReasonForcedClose) }).wantClosed(ReasonForcedClose)
	doom(func(s *Session) { s.abort(ReasonPingTimeout) }).wantClosed(ReasonPingTimeout)
	doom(func(s *Session) { (*timeUp)(s).Expire(0) }).wantClosed(ReasonTransportError)
	doom(func(s *Session) {
		p := r.dial(0)
		p.conn.Feed([]byte(postRequest(s.sid, "4x")))
		p.want(200, "ok")
	}).wantClosed(ReasonTransportError)
	if r.engine.Sessions() != 0 {
		t.Error("sessions left")
	}
}

// Calls of the application from inside of its own calls.
func TestReentrancy(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		// Close in Message, in a POST: the rest of the payload is not delivered, and the POST is refused, with a GET
		// waiting or not.
		for _, waiting := range []bool{false, true} {
			r := newRig(t, 2, Config{})
			r.onMessage = func(c *recorder, data string, _ bool) {
				if data == "end" {
					c.s.Close(ReasonForcedClose)
				}
			}
			// And everything once more in Closed.
			r.onClosed = func(c *recorder, _ Reason) {
				c.s.Close(ReasonServerShutdown)
				c.s.abort(ReasonPingTimeout)
				if st := c.s.Send(message(1), false); st != NotOpen {
					t.Error(st)
				}
			}
			sid := r.poll(0)
			var g *peer
			if waiting {
				g = r.get(loop, sid)
			}
			r.post(loop, sid, "4a\x1e4end\x1e4b\x1e1").want(400, errorBody(eio.BadRequest))
			if waiting {
				g.want(200, "1")
			}
			r.last().wantGot("a", "end")
			r.last().wantClosed(ReasonForcedClose)
		}
	})
	wsPeers(t, Config{}, func(t *testing.T, r *rig, p *peer) {
		r.onMessage = func(c *recorder, _ string, _ bool) {
			c.s.Send(message(1), false)
			c.s.Close(ReasonForcedClose)
			c.s.Close(ReasonForcedClose)
		}
		p.write(textFrame("4a")+textFrame("4b")).wantFrames("t:4x", "close:1005")
		r.last().wantGot("a")
		r.last().wantClosed(ReasonForcedClose)
	})
}

// Open may send, and may end the session, which its Client then learns.
func TestOpenCallsBack(t *testing.T) {
	r := newRig(t, 1, Config{})
	r.onOpen = func(c *recorder) {
		c.s.Send(message(2), false)
		if len(r.clients)%2 == 0 {
			c.s.Close(ReasonForcedClose)
		}
	}
	r.get(0, r.poll(0)).want(200, "4xx")
	r.last().wantClosed()
	sid := r.poll(0)
	r.get(0, sid).want(200, "4xx")
	r.get(0, sid).want(200, "1") // alone: a client that reads it drops what stands in front
	r.last().wantClosed(ReasonForcedClose)
	r.openWS(0, "").wantFrames("t:4xx")
	p := r.openWS(0, "")
	p.wantFrames("t:4xx", "close:1005")
	r.last().wantClosed(ReasonForcedClose)
	if n := r.engine.Sessions(); n != 1+1 { // the first of each kind; the WebSocket and the polling one
		t.Errorf("%d sessions", n)
	}
}

// A reason that is none does not break the counters.
func TestOddReason(t *testing.T) {
	r := newRig(t, 1, Config{})
	r.poll(0)
	r.loops[0].Do(func() { r.last().s.Close(Reason(200)) })
	if n := r.engine.Stats().Closed[ReasonForcedClose]; n != 1 {
		t.Errorf("%d counted", n)
	}
}

// A panic of the application on a loop ends the session that it happened in, and no other; the loop's own recover sees
// it.
func TestPanics(t *testing.T) {
	try := func(t *testing.T, fn func()) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		fn()
	}
	boom := func(r *rig) {
		r.onMessage = func(_ *recorder, data string, _ bool) {
			if data == "boom" {
				panic(data)
			}
		}
	}
	r := newRig(t, 2, Config{})
	boom(r)
	p := r.openWS(1, r.poll(0)).text("5")
	try(t, func() { p.text("4boom") })
	r.run()
	p.wantFrames("close:1005")
	r.last().wantClosed(ReasonTransportError)

	r = newRig(t, 2, Config{})
	boom(r)
	sid := r.poll(0)
	g := r.get(0, sid)
	post := r.dial(1)
	try(t, func() { post.write(postRequest(sid, "4a\x1e4boom\x1e4b")) })
	r.run()
	post.want(400, errorBody(eio.BadRequest))
	g.want(200, "1")
	r.last().wantClosed(ReasonTransportError)

	r = newRig(t, 1, Config{})
	r.onOpen = func(*recorder) { panic("open") }
	for _, in := range []string{request("GET", base+"polling", ""), upgradeRequest("")} {
		try(t, func() { r.dial(0).write(in) })
	}
	if r.engine.Sessions() != 0 {
		t.Error("a session is left")
	}
	r.onRequest = func(*Exchange, *httpwire.Request) { panic("request") }
	try(t, func() { r.dial(0).write(request("GET", "/", "")) })
}
