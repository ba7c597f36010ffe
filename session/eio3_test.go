package session

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/seed58c87869/siren/codec/eio"
)

// old is the configuration of the official suite of protocol 3.
var old = Config{PingInterval: 300 * ms, PingTimeout: 200 * ms, AllowEIO3: true, CORS: CORS{Origins: []string{"*"}}}

// in3 makes a request one of protocol 3, with more in its query.
func in3(text, query string) string { return strings.Replace(text, "EIO=4", "EIO=3"+query, 1) }

// poll3 opens a polling session of protocol 3.
func (r *rig) poll3(loop int, query string) string {
	r.t.Helper()
	p := r.dial(loop).write(in3(request("GET", base+"polling", ""), query))
	a := p.answer()
	if a == nil || a.StatusCode != 200 {
		r.t.Fatalf("handshake: %v", a)
	}
	p.cut()
	return r.last().s.sid
}

// openWS3 opens a WebSocket of protocol 3.
func (r *rig) openWS3(loop int, sid, query string) *peer {
	r.t.Helper()
	p := r.dial(loop).write(in3(upgradeRequest(sid), query))
	if a := p.answer(); a == nil || a.StatusCode != 101 {
		r.t.Fatalf("upgrade: %v", a)
	}
	if sid == "" {
		parseOpen(r.t, p.message())
	}
	return p
}

func (p *peer) binary(data string) *peer { return p.write(frame(ws.OpBinary, data)) }

// Protocol 3 is off by default; where it is on, a request that does not name protocol 4 is for it, as with the
// reference.
func TestAllowEIO3(t *testing.T) {
	for query, protocol := range map[string]int{
		"EIO=4": 4, "EIO=3": 3, "x=y": 3, "EIO": 3, "EIO=": 3, "EIO=2": 3, "EIO=5": 3, "EIO=abc": 3, "EIO=04": 3, "eio=4": 3, "EIO=%34": 4,
	} {
		for _, on := range []bool{false, true} {
			for _, text := range []string{request("GET", base+"polling", ""), upgradeRequest("")} {
				r := newRig(t, 1, Config{AllowEIO3: on})
				a := r.dial(0).write(strings.Replace(text, "EIO=4", query, 1)).answer()
				if ok := on || protocol == 4; ok != (a.StatusCode < 300) {
					t.Errorf("%q, AllowEIO3 %v: %v", query, on, a)
				} else if !ok && a.body != errorBody(eio.UnsupportedProtocolVersion) {
					t.Errorf("%q: %v", query, a)
				} else if ok && r.last().s.Protocol() != protocol {
					t.Errorf("%q: Protocol() = %d", query, r.last().s.Protocol())
				}
			}
		}
	}
}

// On polling the open packet is in a payload, after its length.
func TestHandshake3(t *testing.T) {
	r := newRig(t, 1, old)
	a := r.dial(0).write(in3(request("GET", base+"polling", ""), "")).answer()
	length, packet, _ := strings.Cut(a.body, ":")
	if fmt.Sprint(len(packet)) != length || a.Header.Get("Content-Type") != typeText {
		t.Fatal(a)
	}
	o := parseOpen(t, packet)
	if o.SID != r.last().s.sid || len(o.Upgrades) != 1 || o.PingInterval != 300 || o.PingTimeout != 200 {
		t.Errorf("%+v", o)
	}
	if r.last().s.Transport() != Polling || r.last().s.Protocol() != 3 {
		t.Error("transport or protocol is wrong")
	}
}

// Messages over polling in both framings, on the home loop and from another loop.
func TestPolling3(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		for _, c := range []struct{ query, body, contentType, want, wantType string }{
			{"&b64=1", "6:4hello", "text/plain;charset=UTF-8", "6:4hello", typeText},
			{"&b64=1", "6:4test16:4test2", "", "6:4test16:4test2", typeText},
			{"&b64=1", "6:4hello10:b4AQIDBA==", "", "6:4hello10:b4AQIDBA==", typeText},
			{"", "2:4€", "", "2:4€", typeText},
			{"", "6:4hello10:b4AQIDBA==", "", "\x00\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04", typeBinary},
			{"", "\x00\x04\xff4€\x01\x05\xff\x04\x01\x02\x03\x04", typeBinary, "\x00\x04\xff4€\x01\x05\xff\x04\x01\x02\x03\x04", typeBinary},
		} {
			r := newRig(t, 2, old).echo()
			sid := r.poll3(0, c.query)
			r.dial(loop).write(in3(request("POST", base+"polling&sid="+sid, c.body, "Content-Type: "+c.contentType), "")).want(200, "ok")
			a := r.get(loop, sid).want(200, c.want)
			if got := a.Header.Get("Content-Type"); got != c.wantType {
				t.Errorf("%q: Content-Type %q", c.body, got)
			}
			if a.Header.Get("X-XSS-Protection") != "" {
				t.Error("X-XSS-Protection for nobody")
			}
		}
	})
}

// A malformed payload of protocol 3 ends the session.
func TestInvalidPayload3(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		for _, c := range [][2]string{
			{"abc", ""}, {"4hello", ""}, {"", ""}, {"2:4", ""}, {"2:4\xff", ""}, {"1:2", typeBinary}, {"\x00\x01\xff9", typeBinary}, {"1:3", ""},
		} {
			r := newRig(t, 2, old)
			sid := r.poll3(0, "")
			g := r.get(loop, sid)
			r.dial(loop).write(request("POST", base+"polling&sid="+sid, c[0], "Content-Type: "+c[1])).want(400, errorBody(eio.BadRequest))
			g.want(200, "1:1")
			r.get(loop, sid).want(400, errorBody(eio.SessionIDUnknown))
			want := ReasonParseError
			if c[0] == "1:3" {
				want = ReasonTransportError // only servers send pongs in protocol 3
			}
			r.last().wantClosed(want)
		}
	})
}

// The limit of a payload may fall between a packet and its attachments. Everything is sent in order, and the measured
// size of the queue returns to zero.
func TestPayloadSplit3(t *testing.T) {
	for _, query := range []string{"", "&b64=1"} {
		for limit := 10; limit < 200; limit += 7 {
			r := newRig(t, 1, Config{AllowEIO3: true, MaxPayload: limit})
			sid := r.poll3(0, query)
			s := r.last().s
			want := ""
			r.loops[0].Do(func() {
				for i := range 4 {
					text := fmt.Sprintf("€%d", i)
					s.Send(eio.Link(eio.NewMessage([]byte(text)), eio.NewBinary(make([]byte, 30)), eio.NewBinary([]byte{byte(i)})), false)
					want += fmt.Sprintf("4%s|b:%q|b:%q|", text, make([]byte, 30), []byte{byte(i)})
				}
			})
			got := ""
			for range 100 {
				a := r.get(0, sid).answer()
				if a == nil {
					break
				}
				p := eio.NewPayload3([]byte(a.body), a.Header.Get("Content-Type") == typeBinary, 100)
				for {
					pkt, ok, err := p.Next()
					if err != nil {
						t.Fatal(err)
					} else if !ok {
						break
					}
					if pkt.Binary {
						got += fmt.Sprintf("b:%q|", pkt.Data)
					} else {
						got += string(pkt.Type) + string(pkt.Data) + "|"
					}
				}
			}
			if got != want {
				t.Fatalf("limit %d: %s, want %s", limit, got, want)
			}
			if s.poll.bytes != 0 || len(s.poll.queue) != 0 {
				t.Fatalf("limit %d: %d bytes, %d packets left", limit, s.poll.bytes, len(s.poll.queue))
			}
		}
	}
}

// WebSocket messages: binary data after its type byte, or in base64 for clients that ask for it.
func TestWebSocket3(t *testing.T) {
	r := newRig(t, 1, old).echo()
	w := r.openWS3(0, "", "")
	w.text("4hello").wantFrames("t:4hello")
	w.binary("\x04\x01\x02").wantFrames("b:\x04\x01\x02")
	w.text("b4AQID").wantFrames("b:\x04\x01\x02\x03")
	r.last().wantGot("hello", "b:\x01\x02", "b:\x01\x02\x03")
	w.binary("\x01\x02")
	r.last().wantClosed(ReasonParseError)
	w.wantFrames("close:1005")

	w = r.openWS3(0, "", "&b64=1")
	w.binary("\x04\x01\x02\x03").wantFrames("t:b4AQID")
	for _, bad := range []string{"abc", "", "bAQID", "3"} {
		w = r.openWS3(0, "", "")
		w.text(bad).wantFrames("close:1005")
		if len(r.last().closed) != 1 {
			t.Errorf("%q: still open", bad)
		}
	}
}

// The open packet is not in the same segment as the 101 response. Frames that the client sends right after its request
// are handled after the open packet.
func TestOpenBehindUpgrade3(t *testing.T) {
	for cut := range len(textFrame("4early")) + 1 {
		r := newRig(t, 1, old).echo()
		p := r.dial(0)
		p.conn.Feed([]byte(in3(upgradeRequest(""), "") + textFrame("4early")[:cut]))
		first := string(p.pull())
		if !strings.HasSuffix(first, "\r\n\r\n") {
			t.Fatalf("more than the answer: %q", first)
		}
		p.in = nil
		p.conn.Feed([]byte(textFrame("4early")[cut:]))
		r.run()
		parseOpen(t, p.message())
		p.wantFrames("t:4early")
		p.cut()
		r.last().wantClosed(ReasonTransportClose)
		r.wantEmpty()
	}
}

// The client or the server may close the connection between the 101 response and the open packet.
func TestGoneBeforeOpen3(t *testing.T) {
	r := newRig(t, 1, old)
	p := r.dial(0)
	p.conn.Feed([]byte(in3(upgradeRequest(""), "")))
	p.cut()
	if len(r.clients) != 0 {
		t.Error("the application got a session that is over")
	}
	r.wantEmpty()

	p = r.dial(0)
	p.conn.Feed([]byte(in3(upgradeRequest(""), "")))
	r.loops[0].Do(func() { r.engine.Shard(0).closeAll(ReasonServerShutdown) })
	r.run()
	p.answer()
	p.wantFrames("close:1005")
	p.cut()
	if len(r.clients) != 0 {
		t.Error("the application got a session that is over")
	}
	r.wantEmpty()
}

// The client pings, and the pong has the ping's data. The session ends pingInterval and pingTimeout after the last
// ping.
func TestHeartbeat3(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, old)
		w := r.openWS3(loop, "", "")
		for range 3 {
			r.advance(450 * ms)
			w.text("2").wantFrames("t:3")
		}
		w.text("2probe").wantFrames("t:3probe")
		r.advance(490 * ms)
		w.text("4x").write(frame(ws.OpPong, "")).wantFrames() // neither counts, and no ping of ours comes
		r.last().wantClosed()
		r.advance(12 * ms)
		r.last().wantClosed(ReasonPingTimeout)
		w.wantFrames("close:1005")

		sid := r.poll3(0, "")
		for range 3 {
			r.advance(450 * ms)
			r.post(loop, sid, "1:2").want(200, "ok")
			r.get(loop, sid).want(200, "1:3")
		}
		r.advance(500 * ms)
		r.post(loop, sid, "1:2").want(400, errorBody(eio.SessionIDUnknown))
		r.last().wantClosed(ReasonPingTimeout)
	})
}

// Pongs count against the limit of the queue, as messages do.
func TestPongFlood3(t *testing.T) {
	cfg := old
	cfg.QueueBytes = 1000
	r := newRig(t, 1, cfg)
	sid := r.poll3(0, "")
	for range 3 {
		if a := r.post(0, sid, strings.Repeat("101:2"+strings.Repeat("x", 100), 5)).answer(); a.StatusCode != 200 {
			break
		}
	}
	r.last().wantClosed(ReasonTransportError)
}

// The upgrade of protocol 3. Messages queued before are sent over the WebSocket, in its form.
func TestUpgrade3(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		for _, c := range []struct{ poll, upgrade, want string }{
			{"", "", "b:\x04\x01\x02\x03"}, {"&b64=1", "", "b:\x04\x01\x02\x03"}, {"", "&b64=1", "t:b4AQID"},
			{"&j=0&b64=1", "", "b:\x04\x01\x02\x03"},
		} {
			r := newRig(t, 2, old).echo()
			sid := r.poll3(0, c.poll)
			g := r.get(loop, sid)
			w := r.openWS3(loop, sid, c.upgrade)
			w.text("2probe").wantFrames("t:3probe")
			body, noop := "5:b4AQID"[2:], "1:6"
			body = fmt.Sprintf("%d:%s", len(body), body)
			if strings.Contains(c.poll, "j=") {
				body, noop = "d="+url.QueryEscape(body), `___eio[0]("1:6");`
			}
			g.want(200, noop)
			r.post(loop, sid, body).want(200, "ok")
			w.wantFrames()
			w.text("5").wantFrames(c.want)
			if r.last().s.Protocol() != 3 || r.last().s.Transport() != WebSocket {
				t.Error("protocol or transport changed")
			}
			w.binary("\x04x").text("2").wantFrames(strings.NewReplacer("\x01\x02\x03", "x", "AQID", "eA==").Replace(c.want), "t:3")
			r.get(loop, sid).want(400, errorBody(eio.BadRequest))
		}
	})
}

// Close packets in both directions.
func TestClose3(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, old)
		sid := r.poll3(0, "")
		g := r.get(loop, sid)
		r.post(loop, sid, "1:1").want(200, "ok")
		g.want(200, "1:6")
		r.last().wantClosed(ReasonTransportClose)

		sid = r.poll3(0, "")
		g = r.get(loop, sid)
		r.loops[0].Do(func() { r.last().s.Close(ReasonForcedClose) })
		r.run()
		g.want(200, "1:1")

		sid = r.poll3(0, "")
		g = r.get(loop, sid)
		r.get(loop, sid).want(400, errorBody(eio.BadRequest))
		g.want(200, "1:1")
	})
}

// Only Internet Explorer gets the header that turns its XSS filter off.
func TestOldBrowser(t *testing.T) {
	for agent, want := range map[string]string{
		"Mozilla/4.0 (compatible ;MSIE 8.0; Windows NT 6.1)": "0", "Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0) like Gecko": "0",
		"Mozilla/5.0 Chrome/126": "",
	} {
		r := newRig(t, 1, Config{AllowEIO3: true, Cookie: Cookie{Name: "io"}}).echo()
		a := r.dial(0).write(in3(request("GET", base+"polling", "", "User-Agent: "+agent), "")).answer()
		if a.Header.Get("X-XSS-Protection") != want || a.Header.Get("Set-Cookie") == "" {
			t.Errorf("%q: handshake %v", agent, a.Header)
		}
		sid := r.last().s.sid
		for _, p := range []*peer{r.post(0, sid, "2:4x"), r.get(0, sid)} {
			if a := p.answer(); a.StatusCode != 200 || a.Header.Get("X-XSS-Protection") != want {
				t.Errorf("%q: %v", agent, a.Header)
			}
		}
	}
}

// Sessions of both protocols share a frame and get it in their own form, without an allocation per session.
func TestMixedFrame(t *testing.T) {
	r := newRig(t, 1, Config{AllowEIO3: true})
	four, three, text := r.openWS(0, ""), r.openWS3(0, "", ""), r.openWS3(0, "", "&b64=1")
	f := eio.Link(eio.NewMessage([]byte("51-[]")), eio.NewBinary([]byte{1, 2, 3}))
	r.loops[0].Do(func() {
		for _, c := range r.clients {
			if c.s.Send(f, false) != Queued {
				t.Error("not queued")
			}
		}
	})
	four.wantFrames("t:451-[]", "b:\x01\x02\x03")
	three.wantFrames("t:451-[]", "b:\x04\x01\x02\x03")
	text.wantFrames("t:451-[]", "t:b4AQID")
	r.advance(time.Second)
}

// Sending to recipients of protocol 3 does not allocate once the forms of the frame are made.
func TestSend3DoesNotAllocate(t *testing.T) {
	r := newRig(t, 1, Config{AllowEIO3: true})
	r.openWS3(0, "", "")
	f := eio.NewBinary(make([]byte, 100))
	d := r.last().s.dialect
	if n := testing.AllocsPerRun(100, func() { d.frame(f) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
