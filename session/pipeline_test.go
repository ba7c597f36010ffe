package session

import (
	"testing"

	"github.com/seed58c87869/siren/codec/httpwire"
)

// Requests that a client pipelines behind a waiting GET.
func TestPipelinedPost(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, Config{})
		sid := r.poll(0)
		p := r.dial(loop)

		// One that does not end the wait is handled, and its answer stays behind the GET's.
		p.write(getRequest(sid) + postRequest(sid, "4a")).wantNothing()
		r.last().wantGot("a")
		// A second one waits for the first one's turn.
		p.write(postRequest(sid, "4b")).wantNothing()
		r.last().wantGot("a")
		r.loops[0].Do(func() { r.last().s.Send(message(3), false) })
		r.run()
		p.want(200, "4xxx")
		p.want(200, "ok")
		p.want(200, "ok")
		r.last().wantGot("a", "b")

		// Half of one is finished when the GET is over.
		text := "POST " + base + "polling&sid=" + sid + " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n4c\r\n1\r\nd\r\n0\r\n\r\n"
		p.write(getRequest(sid) + text[:len(text)-9]).wantNothing()
		r.loops[0].Do(func() { r.last().s.Send(message(3), false) })
		r.run()
		p.want(200, "4xxx")
		p.write(text[len(text)-9:]).want(200, "ok")
		r.last().wantGot("a", "b", "cd")

		// Connection: close is the POST's, and the GET goes before.
		p.write(getRequest(sid) + request("POST", base+"polling&sid="+sid, "4e", "Connection: close")).wantNothing()
		r.loops[0].Do(func() { r.last().s.Send(message(3), false) })
		r.run()
		p.want(200, "4xxx")
		if a := p.want(200, "ok"); !a.Close || !p.isClosed() {
			t.Error("Connection: close stays open")
		}
	})
}

// Behind a waiting GET: a close packet, a malformed payload, and a connection that closes.
func TestPipelinedPostEnds(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, Config{})
		sid := r.poll(0)
		p := r.dial(loop).write(getRequest(sid) + postRequest(sid, "4a\x1e1"))
		p.want(200, "6")
		p.want(200, "ok")
		r.last().wantGot("a")
		r.last().wantClosed(ReasonTransportClose)

		sid = r.poll(0)
		p.write(getRequest(sid) + postRequest(sid, "x"))
		p.want(200, "1")
		p.want(400, `{"code":3,"message":"Bad request"}`)
		r.last().wantClosed(ReasonParseError)

		sid = r.poll(0)
		p.write(getRequest(sid) + postRequest(sid, "4b")).wantNothing()
		p.conn.PeerClose(nil)
		r.run()
		r.last().wantClosed(ReasonTransportError)
		r.wantEmpty()
	})
}

// A POST whose path only begins with the engine's is handled at once too, by the application. Its answer stays
// behind the GET's, and another one is ignored. The exchange of the GET is used for the next request.
func TestPipelinedPostOfApp(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, Config{})
		var asked []*Exchange
		gone := 0
		r.onRequest = func(x *Exchange, _ *httpwire.Request) {
			asked = append(asked, x)
			x.OnGone(func() { gone++ })
		}
		respond := func(i int, body string) {
			r.loops[loop].Do(func() { asked[i].Respond(&httpwire.Response{Status: 200, Body: []byte(body)}) })
		}
		sid := r.poll(0)
		const path = "/engine.io/other"
		for _, early := range []bool{true, false} {
			asked = nil
			p := r.dial(loop).write(getRequest(sid) + request("POST", path, "") + request("GET", path, ""))
			if p.wantNothing(); len(asked) != 1 {
				t.Fatalf("%d requests have reached the application", len(asked))
			}
			if early {
				respond(0, "one")
				respond(0, "again")
				p.wantNothing()
			}
			r.loops[0].Do(func() { r.last().s.Send(message(3), false) })
			r.run()
			p.want(200, "4xxx")
			if !early {
				p.wantNothing()
				respond(0, "one")
				respond(0, "again")
			}
			p.want(200, "one")
			if p.wantNothing(); len(asked) != 2 || asked[1] == asked[0] {
				t.Fatalf("requests of the application: %v", asked)
			}
			respond(1, "two")
			p.want(200, "two")
			respond(0, "late")
			if p.wantNothing(); gone != 0 {
				t.Errorf("%d answered requests were given up", gone)
			}
			p.cut()
		}
		p := r.dial(loop).write(getRequest(sid) + request("POST", path, ""))
		p.cut()
		if gone != 1 {
			t.Errorf("%d requests were given up with their connection, want the application's one", gone)
		}
		r.last().wantClosed(ReasonTransportError)
		r.wantEmpty()
	})
}
