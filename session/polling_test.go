package session

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/codec/eio"
)

// The polling transport, with the requests on the session's loop and on another loop.
func TestPollingEcho(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, fast).echo()
		sid := r.poll(0)
		for _, c := range []string{
			"4hello", "4", "4test1\x1e4test2\x1e4test3", "4hello\x1ebAQIDBA==", "bAQIDBA==", "b", "4€ 😀",
		} {
			a := r.post(loop, sid, c).want(200, "ok")
			if a.Header.Get("Content-Type") != "text/html" || a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Access-Control-Allow-Origin") != "*" {
				t.Fatalf("%v", a.Header)
			}
			a = r.get(loop, sid).want(200, c)
			if a.Header.Get("Content-Type") != "text/plain; charset=UTF-8" || a.Header.Get("Cache-Control") != "no-store" {
				t.Fatalf("%v", a.Header)
			}
		}
		// The GET that waits gets all that one turn sends, in one payload.
		p := r.get(loop, sid)
		p.wantNothing()
		r.post(loop, sid, "4a\x1e4b").want(200, "ok")
		p.want(200, "4a\x1e4b")
		// One connection for everything, kept alive, HTTP/1.1.
		p.write(postRequest(sid, "4c")).want(200, "ok")
		p.write(getRequest(sid)).want(200, "4c")
	})
}

// A second GET ends the session, and the first GET is answered.
func TestSecondGet(t *testing.T) {
	for first := range 2 {
		for second := range 2 {
			r := newRig(t, 2, Config{})
			sid := r.poll(0)
			a, b := r.get(first, sid), r.get(second, sid)
			a.want(200, "1")
			b.want(400, errorBody(eio.BadRequest))
			r.last().wantClosed(ReasonTransportError)
			r.get(first, sid).want(400, errorBody(eio.SessionIDUnknown))
		}
	}
}

// A second POST ends the session while the first is still being read.
func TestSecondPost(t *testing.T) {
	for first := range 2 {
		for second := range 2 {
			for _, whole := range []bool{true, false} {
				r := newRig(t, 2, Config{})
				sid := r.poll(0)
				g := r.get(1, sid)
				text := postRequest(sid, "4hello")
				a := r.dial(first).write(text[:len(text)-1])
				a.wantNothing()
				if !whole {
					text = text[:len(text)-2]
				}
				b := r.dial(second).write(text)
				if !a.want(400, errorBody(eio.BadRequest)).Close || !a.isClosed() {
					t.Error("a request whose body is not read must be the last one")
				}
				b.want(400, errorBody(eio.BadRequest))
				g.want(200, "1")
				r.last().wantClosed(ReasonTransportError)
				r.last().wantGot()
				// The end of the first one's body is no request.
				a.write("o" + request("GET", "/x", "")).wantNothing()
				if whole == b.isClosed() {
					t.Errorf("whole %v, closed %v", whole, b.isClosed())
				}
			}
		}
	}
}

// An answer that was given by the session's end must not be given again when the request itself comes in.
func TestPostAnsweredOnce(t *testing.T) {
	r := newRig(t, 2, Config{})
	sid := r.poll(0)
	text := postRequest(sid, "4hello")
	a := r.dial(1)
	a.conn.Feed([]byte(text[:len(text)-1]))
	r.run()
	// The rest arrives, and the session ends, before either loop knows of the other.
	r.loops[0].Do(func() { r.last().s.abort(ReasonForcedClose) })
	a.conn.Feed([]byte("o" + request("GET", "/next", "")))
	r.run()
	a.want(400, errorBody(eio.BadRequest))
	a.want(404, "not ours: /next")
	a.wantNothing()
}

// Connections that are cut while a request waits.
func TestCutRequest(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		for _, c := range []string{"GET", "POST"} {
			r := newRig(t, 2, Config{})
			sid := r.poll(0)
			text := getRequest(sid)
			if c == "POST" {
				text = postRequest(sid, "4hello")
				text = text[:len(text)-1]
			}
			var g *peer
			if c == "POST" {
				g = r.get(1-loop, sid)
			}
			p := r.dial(loop).write(text)
			p.wantNothing()
			p.cut()
			r.last().wantClosed(ReasonTransportError)
			if g != nil {
				g.want(200, "1")
			}
			r.get(loop, sid).want(400, errorBody(eio.SessionIDUnknown))
		}
		// A connection that is cut after its answer is nobody's loss.
		r := newRig(t, 2, Config{}).echo()
		sid := r.poll(0)
		p := r.post(loop, sid, "4x")
		p.want(200, "ok")
		p.cut()
		p = r.get(loop, sid)
		p.want(200, "4x")
		p.cut()
		r.last().wantClosed()
		// Part of a head belongs to no session.
		p = r.dial(loop).write(getRequest(sid)[:60])
		p.cut()
		r.last().wantClosed()
	})
}

// A payload on its way to a connection that is gone takes the session with it: its packets are lost.
func TestCutUnderAnswer(t *testing.T) {
	r := newRig(t, 2, Config{})
	sid := r.poll(0)
	p := r.get(1, sid)
	r.loops[0].Do(func() { r.last().s.Send(eio.NewMessage([]byte("lost")), false) })
	r.loops[0].RunUntilIdle() // the answer is posted to loop 1
	p.conn.PeerClose(nil)
	r.run()
	r.last().wantClosed(ReasonTransportError)

	// The same when the connection cannot take the answer.
	r = newRig(t, 1, Config{})
	sid = r.poll(0)
	p = r.get(0, sid)
	r.setQueueBytesMax(-1)
	r.loops[0].Do(func() { r.last().s.Send(eio.NewMessage([]byte("lost")), false) })
	r.run()
	r.last().wantClosed(ReasonTransportError)
	if !p.isClosed() {
		t.Error("the connection stays")
	}
}

// A close packet by POST ends the session. Packets before it are delivered.
func TestClosePacket(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		for _, body := range []string{"1", "4before\x1e1", "4before\x1e1\x1e4behind", "1\x1eabc"} {
			r := newRig(t, 2, Config{})
			sid := r.poll(0)
			g := r.get(loop, sid)
			r.post(loop, sid, body).want(200, "ok")
			g.want(200, "6")
			r.last().wantClosed(ReasonTransportClose)
			if strings.HasPrefix(body, "4before") {
				r.last().wantGot("before")
			} else {
				r.last().wantGot()
			}
			r.get(loop, sid).want(400, errorBody(eio.SessionIDUnknown))
		}
	})
}

// Malformed payloads are answered with 400 and end the session.
func TestInvalidPayload(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		for _, c := range []struct {
			body   string
			reason Reason
			got    []string
		}{
			{"abc", ReasonParseError, nil},
			{"", ReasonParseError, nil},
			{"4a\x1e", ReasonParseError, []string{"a"}},
			{"4a\x1e9", ReasonParseError, []string{"a"}},
			{"4\xff", ReasonParseError, nil},
			{"b###", ReasonParseError, nil},
			{strings.Repeat("4\x1e", 20) + "4", ReasonParseError, make([]string, 16)},
			{"2", ReasonTransportError, nil},
			{"4a\x1e2probe\x1e4b", ReasonTransportError, []string{"a"}},
		} {
			r := newRig(t, 2, Config{MaxPackets: 16})
			sid := r.poll(0)
			g := r.get(loop, sid)
			r.post(loop, sid, c.body).want(400, errorBody(eio.BadRequest))
			g.want(200, "1")
			r.last().wantClosed(c.reason)
			r.last().wantGot(c.got...)
			r.get(loop, sid).want(400, errorBody(eio.SessionIDUnknown))
		}
		// Protocol 4 has no binary bodies.
		r := newRig(t, 2, Config{})
		sid := r.poll(0)
		text := request("POST", base+"polling&sid="+sid, "4x", "Content-Type: application/octet-stream")
		r.dial(loop).write(text[:len(text)-1]).write("x").want(400, errorBody(eio.BadRequest))
		r.last().wantClosed(ReasonTransportError)
		// Packets that mean nothing to a server do no harm.
		sid = r.poll(0)
		r.post(loop, sid, "0\x1e6\x1e5\x1e3\x1e4x").want(200, "ok")
		r.last().wantGot("x")
	})
}

// The response to one GET stays below maxPayload; the next ones get the rest. A packet above maxPayload is sent alone,
// and a packet may be split between its attachments.
func TestPayloadSplit(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, Config{MaxPayload: 20})
		sid := r.poll(0)
		s := r.last().s
		bin := func(n int) *eio.Frame { return eio.NewBinary(make([]byte, n)) }
		r.loops[0].Do(func() {
			for i := range 5 {
				s.Send(eio.NewMessage([]byte(fmt.Sprintf("five%d", i))), false)
			}
			s.Send(eio.NewMessage([]byte(strings.Repeat("x", 40))), false)
			s.Send(eio.Link(eio.NewMessage([]byte("head")), bin(6), bin(6), bin(9), bin(3)), false)
			s.Send(eio.NewMessage([]byte("tail")), false)
		})
		var got []string
		for i := 0; len(s.poll.queue) > 0 && i < 20; i++ {
			a := r.get(loop, sid).answer()
			if len(a.body) > 20 && len(a.body) != 41 {
				t.Errorf("%d bytes: %q", len(a.body), a.body)
			}
			got = append(got, strings.Split(a.body, "\x1e")...)
		}
		want := "4five0 4five1 4five2 4five3 4five4 4" + strings.Repeat("x", 40) + " 4head bAAAAAAAA bAAAAAAAA bAAAAAAAAAAAA bAAAA 4tail"
		if strings.Join(got, " ") != want {
			t.Errorf("got %q\nwant %q", got, want)
		}
		if s.poll.bytes != 0 {
			t.Errorf("%d bytes counted in an empty queue", s.poll.bytes)
		}
	})
}

// A request body above maxPayload is refused before it arrives, and the session goes on.
func TestBodyTooLong(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, Config{MaxPayload: 1000, MaxRequestBody: 5000, CORS: CORS{Origins: []string{"*"}}})
		sid := r.poll(0)
		r.post(loop, sid, "4"+strings.Repeat("x", 999)).want(200, "ok")
		head := fmt.Sprintf("POST %spolling&sid=%s HTTP/1.1\r\nHost: h\r\n", base, sid)
		for name, text := range map[string]string{
			"declared":      head + "Content-Length: 1001\r\n\r\n",
			"expected":      head + "Content-Length: 1001\r\nExpect: 100-continue\r\n\r\n",
			"whole":         postRequest(sid, strings.Repeat("x", 1001)),
			"far too long":  head + "Content-Length: 1000000000\r\n\r\n",
			"chunked":       head + "Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + strings.Repeat("x", 1001) + "\r\n0\r\n\r\n",
			"chunked, long": head + "Transfer-Encoding: chunked\r\n\r\n1fff\r\n" + strings.Repeat("x", 0x1fff),
		} {
			p := r.dial(loop).write(text)
			a := p.answer()
			if a == nil || a.StatusCode != 413 || !p.isClosed() {
				t.Errorf("%s: %v", name, a)
			}
		}
		// In pieces it is known to the session when it turns out too long.
		p := r.dial(loop).write(head + "Transfer-Encoding: chunked\r\n\r\n7d0\r\n")
		p.write(strings.Repeat("x", 2000) + "\r\nbb8\r\n").write(strings.Repeat("x", 3000) + "\r\n1\r\n")
		if a := p.answer(); a.StatusCode != 413 || a.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("chunked in pieces: %v", a)
		}
		r.post(loop, sid, "4alive").want(200, "ok")
		if len(r.last().got) != 2 || r.last().got[1] != "alive" {
			t.Errorf("got %d messages", len(r.last().got))
		}
		// Other paths have a limit of their own.
		r.dial(loop).write(request("POST", "/other", strings.Repeat("x", 5000))).want(404, "not ours: /other")
		r.dial(loop).write(request("POST", "/other", strings.Repeat("x", 5001))).want(413, "body too long")
	})
}

// Close of a polling session: the client fetches what is queued, and then the close packet.
func TestClosePolling(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, Config{MaxPayload: 8})
		sid := r.poll(0)
		c := r.last()
		r.loops[0].Do(func() {
			c.s.Send(eio.NewMessage([]byte("first")), false)
			c.s.Send(eio.NewMessage([]byte("second")), false)
			c.s.Close(ReasonForcedClose)
			c.s.Close(ReasonServerShutdown)
			if st := c.s.Send(eio.NewMessage([]byte("late")), false); st != NotOpen {
				t.Error(st)
			}
		})
		c.wantClosed(ReasonForcedClose)
		r.get(loop, sid).want(200, "4first")
		r.post(loop, sid, "4x").want(200, "ok") // too late, but no error
		r.dial(loop).write(upgradeRequest(sid)).answer()
		r.get(loop, sid).want(200, "4second")
		r.get(loop, sid).want(200, "1")
		r.get(loop, sid).want(400, errorBody(eio.SessionIDUnknown))
		c.wantGot()

		// With a GET that waits it is over at once.
		sid = r.poll(0)
		g := r.get(loop, sid)
		r.loops[0].Do(func() { r.last().s.Close(ReasonForcedClose) })
		r.run()
		g.want(200, "1")
		r.get(loop, sid).want(400, errorBody(eio.SessionIDUnknown))

		// A POST in progress is not disturbed by a close, and its packets are not delivered.
		sid = r.poll(0)
		text := postRequest(sid, "4x")
		p := r.dial(loop).write(text[:len(text)-1])
		r.loops[0].Do(func() { r.last().s.Close(ReasonForcedClose) })
		p.write("x").want(200, "ok")
		r.last().wantGot()
	})
}

// A client that never fetches its close packet is forgotten after CloseTimeout, or with its heartbeat.
func TestCloseTimeout(t *testing.T) {
	for _, cfg := range []Config{{CloseTimeout: 100 * 1e6}, {PingInterval: 70 * 1e6, PingTimeout: 30 * 1e6}} {
		testCloseTimeout(t, cfg)
	}
}

func testCloseTimeout(t *testing.T, cfg Config) {
	r := newRig(t, 1, cfg)
	r.poll(0)
	r.loops[0].Do(func() { r.last().s.Close(ReasonForcedClose) })
	r.advance(99 * 1e6)
	if r.engine.Sessions() != 1 {
		t.Fatal("gone too early")
	}
	r.advance(2 * 1e6)
	r.last().wantClosed(ReasonForcedClose)
	r.wantEmpty()
}

// A GET with a body, requests of HTTP/1.0, and pipelining behind a waiting GET.
func TestOddRequests(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, Config{}).echo()
		sid := r.poll(0)
		r.post(loop, sid, "4a").want(200, "ok")
		p := r.dial(loop)
		p.conn.FeedSplit([]byte(request("GET", base+"polling&sid="+sid, "a body")), 7)
		r.run()
		p.want(200, "4a")

		// A POST pipelined behind a waiting GET is handled at once, because the GET may wait for its outcome. The
		// responses keep the order of the requests, and the second GET waits.
		p.write(getRequest(sid) + postRequest(sid, "4b") + getRequest(sid) + request("HEAD", "/x", ""))
		p.want(200, "4b")
		p.want(200, "ok")
		p.wantNothing()
		r.post(1-loop, sid, "4c").want(200, "ok")
		p.want(200, "4c")
		if a := p.answerTo("HEAD"); a.StatusCode != 404 || a.body != "" {
			t.Errorf("HEAD: %v", a)
		}

		p = r.dial(loop).write(fmt.Sprintf("POST %spolling&sid=%s HTTP/1.0\r\nContent-Length: 2\r\n\r\n4d", base, sid))
		if a := p.want(200, "ok"); !a.Close || !p.isClosed() {
			t.Error("HTTP/1.0 stays open")
		}
		p = r.dial(loop).write(fmt.Sprintf("GET %spolling&sid=%s HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", base, sid))
		p.want(200, "4d")
		if !p.isClosed() {
			t.Error("HTTP/1.0 stays open")
		}
		p = r.dial(loop).write(request("POST", base+"polling&sid="+sid, "4e", "Connection: close") + getRequest(sid))
		p.want(200, "ok")
		p.wantNothing()
		if !p.isClosed() {
			t.Error("Connection: close stays open")
		}
		r.get(loop, sid).want(200, "4e")
	})
}
