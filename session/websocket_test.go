package session

import (
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/wsframe"
)

// wsPeers gives a WebSocket of a session at loop 0 whose connection is there, or on another loop (by an upgrade).
func wsPeers(t *testing.T, cfg Config, run func(t *testing.T, r *rig, p *peer)) {
	t.Helper()
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, cfg)
		if loop == 0 {
			run(t, r, r.openWS(0, ""))
			return
		}
		p := r.openWS(1, r.poll(0)).text("2probe")
		p.wantFrames("t:3probe")
		run(t, r, p.text("5"))
	})
}

// Messages over WebSocket.
func TestWebSocketEcho(t *testing.T) {
	wsPeers(t, Config{}, func(t *testing.T, r *rig, p *peer) {
		r.echo()
		p.text("4hello").text("4").write(frame(ws.OpBinary, "\x01\x02")).write(frame(ws.OpBinary, "")).text("bAQI=")
		p.wantFrames("t:4hello", "t:4", "b:\x01\x02", "b:", "b:\x01\x02")
		r.last().wantGot("hello", "", "b:\x01\x02", "b:", "b:\x01\x02")
		// Several in one segment, a fragmented one with a ping inside, and half a frame.
		mask := [4]byte{9, 8, 7, 6}
		b := wsframe.AppendMaskedFrame(nil, ws.OpText, false, mask, []byte("4fr"))
		b = wsframe.AppendMaskedFrame(b, ws.OpPing, true, mask, []byte("p"))
		b = wsframe.AppendMaskedFrame(b, ws.OpContinuation, true, mask, []byte("ag"))
		b = append(b, textFrame("4x")+textFrame("4y")+textFrame("4z")[:3]...)
		p.write(string(b)).wantFrames("pong:p", "t:4frag", "t:4x", "t:4y")
		p.write(textFrame("4z")[3:]).wantFrames("t:4z")
		p.write(frame(ws.OpPong, "")).wantFrames()
		r.last().wantClosed()
	})
}

// How a session on WebSocket ends, and what both sides are told.
func TestWebSocketEnds(t *testing.T) {
	big := strings.Repeat("x", 1001)
	for _, c := range []struct {
		name, in string
		frames   []string
		reason   Reason
	}{
		{"close packet", textFrame("1"), []string{"close:1005"}, ReasonTransportClose},
		{"close packet and more", textFrame("1") + textFrame("4x"), []string{"close:1005"}, ReasonTransportClose},
		{"ping of the client", textFrame("2"), []string{"close:1005"}, ReasonTransportError},
		{"probe too late", textFrame("2probe"), []string{"close:1005"}, ReasonTransportError},
		{"no packet", textFrame("abc"), []string{"close:1005"}, ReasonParseError},
		{"empty", textFrame(""), []string{"close:1005"}, ReasonParseError},
		{"bad base64", textFrame("b!"), []string{"close:1005"}, ReasonParseError},
		{"close frame", frame(ws.OpClose, ""), []string{"close:1005"}, ReasonTransportClose},
		{"close frame with code", frame(ws.OpClose, "\x03\xe9bye") + textFrame("4x"), []string{"close:1001"}, ReasonTransportClose},
		{"bad close code", frame(ws.OpClose, "\x00\x01"), []string{"close:1002"}, ReasonTransportError},
		{"not masked", "\x81\x02hi", []string{"close:1002"}, ReasonTransportError},
		{"compressed", "\xc1\x80\x00\x00\x00\x00", []string{"close:1002"}, ReasonTransportError},
		{"not UTF-8", frame(ws.OpText, "4\xff"), []string{"close:1007"}, ReasonTransportError},
		{"first byte alone", "\xff", []string{"close:1002"}, ReasonTransportError},
		{"header without mask", "\x89\xfe", []string{"close:1002"}, ReasonTransportError},
		{"not UTF-8, incomplete", textFrame("4\xff" + big[:500])[:30], []string{"close:1007"}, ReasonTransportError},
		{"not UTF-8, incomplete fragment", string(wsframe.AppendMaskedFrame(nil, ws.OpText, false, [4]byte{}, []byte("4\xce"))) +
			string(wsframe.AppendMaskedFrame(nil, ws.OpContinuation, true, [4]byte{}, []byte("\xff"+big[:500])))[:9], []string{"close:1007"}, ReasonTransportError},
		{"too long", textFrame(big), []string{"close:1009"}, ReasonTransportError},
		{"too long, header only", textFrame(big)[:8], []string{"close:1009"}, ReasonTransportError},
		{"too long in fragments", string(wsframe.AppendMaskedFrame(nil, ws.OpText, false, [4]byte{}, []byte(big[:600]))) +
			string(wsframe.AppendMaskedFrame(nil, ws.OpContinuation, true, [4]byte{}, []byte(big[:600]))), []string{"close:1009"}, ReasonTransportError},
	} {
		t.Run(c.name, func(t *testing.T) {
			// maxPayload applies to WebSocket too.
			wsPeers(t, Config{MaxPayload: 1000}, func(t *testing.T, r *rig, p *peer) {
				p.write(textFrame("4before") + c.in)
				p.wantFrames(c.frames...)
				if !p.isClosed() {
					t.Error("the connection stays")
				}
				r.last().wantClosed(c.reason)
				r.last().wantGot("before")
				r.advance(fast.PingInterval)
				if n := r.engine.Sessions(); n != 0 {
					t.Errorf("%d sessions", n)
				}
			})
		})
	}
	wsPeers(t, Config{}, func(t *testing.T, r *rig, p *peer) {
		p.cut()
		r.last().wantClosed(ReasonTransportClose)
	})
	wsPeers(t, Config{}, func(t *testing.T, r *rig, p *peer) {
		r.loops[0].Do(func() {
			r.last().s.Send(eio.NewMessage([]byte("bye")), false)
			r.last().s.Close(ReasonForcedServerClose)
		})
		r.run()
		p.wantFrames("t:4bye", "close:1005")
		r.last().wantClosed(ReasonForcedServerClose)
		r.wantEmpty()
	})
}

// What a connection held of an unfinished message is given back with it.
func TestFragmentsAreReleased(t *testing.T) {
	wsPeers(t, Config{}, func(t *testing.T, r *rig, p *peer) {
		w := r.last().s.ws
		p.write(string(wsframe.AppendMaskedFrame(nil, ws.OpText, false, [4]byte{}, []byte("4half"))))
		if n := w.reader.Buffered(); n != 5 {
			t.Errorf("%d bytes held", n)
		}
		p.cut()
		if n := w.reader.Buffered(); n != 0 || w.foreign != nil && w.foreign.batch != nil {
			t.Errorf("%d bytes held", n)
		}
	})
}

// A second WebSocket for a session is accepted and closed; the first one continues.
func TestSecondWebSocket(t *testing.T) {
	wsPeers(t, Config{}, func(t *testing.T, r *rig, p *peer) {
		for loop := range 2 {
			second := r.openWS(loop, r.last().s.SID())
			second.wantFrames("close:1005")
			if !second.isClosed() {
				t.Error("the second one stays")
			}
		}
		p.text("4alive")
		r.last().wantGot("alive")
		r.last().wantClosed()
	})
}

// A peer that pings and never reads is closed when its pongs pass the queue's bound.
func TestPingFlood(t *testing.T) {
	wsPeers(t, Config{QueueBytes: 4096}, func(t *testing.T, r *rig, p *peer) {
		p.conn.Stall(true)
		for range 100 {
			p.write(frame(ws.OpPing, strings.Repeat("p", 100)))
		}
		if !p.isClosed() {
			t.Fatal("the connection stays")
		}
		if n := p.conn.ByteCount(); n > 8192 {
			t.Errorf("%d bytes were queued", n)
		}
		r.last().wantClosed(ReasonTransportClose)
	})
}

// What a WebSocket on another loop sends faster than its session's loop takes it waits at the client.
func TestInboundWaits(t *testing.T) {
	for _, c := range []struct {
		name, payload string
		count         int
	}{
		{"bytes", strings.Repeat("x", 1500), 40},
		{"empty messages", "", 2000},
		{"one long message", strings.Repeat("x", 50_000), 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, 2, Config{InboundBytes: 10_000})
			p := r.openWS(1, r.poll(0)).text("5")
			f := r.last().s.ws.foreign
			one := textFrame("4" + c.payload)
			most := 10_000 + int64(inboundBatch*inboundMessageBytes+len(c.payload)*2)
			for range c.count {
				p.conn.Feed([]byte(one))
				r.loops[1].RunUntilIdle()
				if n := f.pending.Load(); n > most {
					t.Fatalf("%d bytes wait", n)
				}
			}
			if !p.conn.Holding() {
				t.Fatal("the connection is read on")
			}
			rounds := 0
			for ran := 1; ran > 0; rounds++ {
				ran = r.loops[0].RunUntilIdle() + r.loops[1].RunUntilIdle()
			}
			if len(r.last().got) != c.count || p.conn.Holding() || f.pending.Load() != 0 || p.isClosed() {
				t.Fatalf("%d of %d messages, held %v, %d bytes wait", len(r.last().got), c.count, p.conn.Holding(), f.pending.Load())
			}
			p.text("4end")
			if got := r.last().got; got[len(got)-1] != "end" || rounds < 2 {
				t.Errorf("the last is %.10q after %d rounds", got[len(got)-1], rounds)
			}
			r.last().wantClosed()
		})
	}
}

// What waits for the session's loop is posted in pieces, so that the loop can do other things in between.
func TestInboundIsPostedInPieces(t *testing.T) {
	r := newRig(t, 2, Config{InboundBytes: 1 << 20})
	p := r.openWS(1, r.poll(0)).text("5")
	for name, input := range map[string]string{
		"many":  strings.Repeat(textFrame("4"), 4*inboundBatch),
		"large": strings.Repeat(textFrame("4"+strings.Repeat("x", inboundBatchBytes/2+10)), 8),
	} {
		p.conn.Feed([]byte(input))
		if n := r.loops[0].Posted(); n < 4 {
			t.Errorf("%s: %d posts", name, n)
		}
		r.run()
	}
}

// Input that is held for two reasons waits for both to end.
func TestInboundWaitsBehindAnInflatedMessage(t *testing.T) {
	cfg := deflateOn
	cfg.InboundBytes = 1000
	r := newRig(t, 2, cfg)
	p := deflating(r, 1)
	p.conn.Feed([]byte(longText("a") + longText("b") + textFrame("4c")))
	r.loops[1].RunUntilIdle()
	if w := r.last().s.ws; w.held != holdInbound || !p.conn.Holding() || r.loops[0].Posted() != 1 {
		t.Fatalf("held for %b, read on: %v, %d posts", w.held, !p.conn.Holding(), r.loops[0].Posted())
	}
	r.run()
	if got := r.last().names(); got != "abc" || p.conn.Holding() {
		t.Errorf("got %q", got)
	}
}
