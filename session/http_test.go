package session

import (
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/codec/httpwire"
)

// Clients that are slow on purpose are answered and closed, and leave nothing behind.
func TestSlowClients(t *testing.T) {
	cfg := Config{HeaderTimeout: 100 * ms, BodyTimeout: 300 * ms, IdleTimeout: 200 * ms}
	both(t, func(t *testing.T, loop int) {
		for _, c := range []struct {
			name   string
			in     func(sid string) string
			after  time.Duration // when it is over
			status int
			ended  bool // the session too
		}{
			{"silent", func(string) string { return "" }, 100 * ms, 0, false},
			{"half a head", func(sid string) string { return getRequest(sid)[:50] }, 100 * ms, 408, false},
			{"half a body", func(sid string) string { return postRequest(sid, "4hello")[:len(postRequest(sid, "4hello"))-1] }, 300 * ms, 408, true},
			{"half a chunk", func(sid string) string {
				return strings.Replace(postRequest(sid, ""), "Content-Length: 0", "Transfer-Encoding: chunked", 1) + "5\r\n4"
			}, 300 * ms, 408, true},
		} {
			r := newRig(t, 2, cfg)
			sid := r.poll(0)
			p := r.dial(loop).write(c.in(sid))
			r.advance(c.after - ms)
			if p.isClosed() || p.conn.FrameCount() != 0 {
				t.Errorf("%s: over too early", c.name)
			}
			r.advance(3 * ms)
			a := p.answer()
			if !p.isClosed() || (c.status == 0) != (a == nil) || a != nil && (a.StatusCode != c.status || !a.Close) {
				t.Errorf("%s: %v", c.name, a)
			}
			if got := len(r.last().closed) == 1; got != c.ended {
				t.Errorf("%s: session closed: %v", c.name, r.last().closed)
			}
		}
		// A kept-alive connection has its idle time, and then the header's time from the next first byte on.
		r := newRig(t, 2, cfg)
		p := r.dial(loop).write(request("GET", "/x", ""))
		p.want(404, "not ours: /x")
		r.advance(195 * ms)
		p.write("G")
		r.advance(98 * ms)
		if p.isClosed() {
			t.Error("closed too early")
		}
		p.write("ET /x HT")
		r.advance(4 * ms)
		if a := p.answer(); a == nil || a.StatusCode != 408 {
			t.Error("a drip is no progress")
		}
		p = r.dial(loop).write(request("GET", "/x", ""))
		p.want(404, "not ours: /x")
		r.advance(202 * ms)
		p.wantNothing()
		if !p.isClosed() {
			t.Error("an idle connection stays")
		}
		r.wantEmpty()
	})
}

// The answer to a bad request reaches a client that reads slowly: no timer cuts it off.
func TestAnswerIsNotCutOff(t *testing.T) {
	r := newRig(t, 1, Config{HeaderTimeout: 100 * ms})
	for _, in := range []string{"GET / HTTP/9.9\r\nHost: h\r\n\r\n", "POST / HTTP/9.9\r\n"} {
		for _, size := range []int{1000, 5} {
			p := r.dial(0)
			p.conn.Stall(true)
			p.conn.FeedSplit([]byte(in), size)
			r.advance(500 * ms)
			if p.isClosed() {
				t.Fatal("closed before the answer could leave")
			}
			p.conn.Stall(false)
			if a := p.answer(); a == nil || a.StatusCode != 505 || !p.isClosed() {
				t.Errorf("%v", a)
			}
			p.wantNothing()
		}
	}
	r.wantEmpty()
}

func TestSyntaxErrors(t *testing.T) {
	for in, status := range map[string]int{
		"\x16\x03\x01\x02":                 400, // a TLS hello
		"GET /\r\n\r\n":                    400,
		"GET / HTTP/1.1\r\n\r\n":           400,
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": 505,
		request("GET", "/x", "", "A : b"):  400,
		request("GET", "/x", "", " fold"):  400,
		strings.Repeat("x", 17<<10):        414,
		request("GET", "/", "", strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 20)+"Z: z"):                 431,
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n": 400,
		"POST / HTTP/1.1\r\nHost: h\r\nExpect: magic\r\nContent-Length: 1\r\n\r\nx":                                417,
	} {
		r := newRig(t, 1, Config{})
		// After a HEAD, whose answers have no body, this one has.
		p := r.dial(0).write(request("HEAD", "/", ""))
		p.answerTo("HEAD")
		p.write(in + request("GET", "/behind", ""))
		a := p.answer()
		if a == nil || a.StatusCode != status || a.body == "" || !a.Close || !p.isClosed() {
			t.Errorf("%.40q: %v, want %d", in, a, status)
		}
		p.wantNothing()
		r.wantEmpty()
	}
}

// A request line may be as long as the head.
func TestLongRequestLine(t *testing.T) {
	r := newRig(t, 1, Config{})
	p := r.dial(0).write(request("GET", base+"polling&token="+strings.Repeat("x", 12<<10), ""))
	if a := p.answer(); a == nil || a.StatusCode != 200 {
		t.Errorf("a line of 12 KiB: %v", a)
	}
	if a := p.write(request("GET", base+"polling&token="+strings.Repeat("x", 16<<10), "")).answer(); a == nil || a.StatusCode != 414 {
		t.Errorf("a line of 16 KiB: %v", a)
	}
	r = newRig(t, 1, Config{MaxHeaderBytes: 64 << 10})
	if a := r.dial(0).write(request("GET", base+"polling&token="+strings.Repeat("x", 60<<10), "")).answer(); a == nil || a.StatusCode != 200 {
		t.Errorf("a line of 60 KiB where heads may have 64: %v", a)
	}
}

// Clients in Node write an IPv6 address without brackets into the Host field.
func TestHostForms(t *testing.T) {
	for host, status := range map[string]int{
		"::1:3000": 200, "[::1]:3000": 200, "2001:db8::1:65535": 200, "::1": 200, "[fe80::1%eth0]:80": 200, "a_b.example": 200,
		"h:1:2": 400, "::1:3000, h": 400,
	} {
		r := newRig(t, 1, Config{})
		a := r.dial(0).write(strings.Replace(request("GET", base+"polling", ""), "siren.example", host, 1)).answer()
		if a == nil || a.StatusCode != status {
			t.Errorf("%s: %v, want %d", host, a, status)
		}
	}
}

func TestExpectContinue(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, Config{})
		sid := r.poll(0)
		text := request("POST", base+"polling&sid="+sid, "4hello", "Expect: 100-continue")
		head := len(text) - len("4hello")
		p := r.dial(loop).write(text[:head])
		if got := string(p.pull()); got != string(httpwire.ContinueResponse) {
			t.Fatalf("%q", got)
		}
		p.in = nil
		p.write(text[head : head+2]).wantNothing()
		p.write(text[head+2:]).want(200, "ok")
		r.last().wantGot("hello")
	})
}

// What a client may send behind a request that is not answered is bounded.
func TestPipelineBound(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, Config{MaxPipeline: 1000})
		sid := r.poll(0)
		g := r.get(loop, sid)
		g.write(strings.Repeat("x", 1000)).wantNothing()
		if g.isClosed() {
			t.Fatal("closed below the bound")
		}
		g.write("x")
		if !g.isClosed() {
			t.Fatal("stays above the bound")
		}
		r.last().wantClosed(ReasonTransportError)
	})
}

// A client that asks on and reads no answers gets no more than some.
func TestUnreadAnswersBound(t *testing.T) {
	r := newRig(t, 1, Config{MaxPipeline: 1000, MaxPayload: 1000})
	r.onRequest = func(x *Exchange, _ *httpwire.Request) {
		x.Respond(&httpwire.Response{Status: 200, Body: make([]byte, 100)})
	}
	p := r.dial(0)
	p.conn.Stall(true)
	for range 100 {
		p.write(request("GET", "/other", "") + request("GET", base+"polling&sid=none", ""))
	}
	if n := p.conn.QueuedBytes(); n < 2000 || n > 3000 {
		t.Errorf("%d bytes wait", n)
	}
	p.conn.Stall(false)
	r.run()
	if p.want(200, string(make([]byte, 100))); !p.isClosed() {
		t.Error("the connection stays")
	}
	// One that reads goes on.
	p = r.dial(0)
	for range 100 {
		p.write(request("GET", "/other", "")).want(200, string(make([]byte, 100)))
	}
}

// The application serves other paths. It may answer later, or never because the client has left.
func TestAppRequest(t *testing.T) {
	r := newRig(t, 1, Config{})
	var waiting []*Exchange
	gone := 0
	r.onRequest = func(x *Exchange, req *httpwire.Request) {
		if string(req.Body) != "" && string(req.Body) != "body" {
			t.Errorf("body %q", req.Body)
		}
		waiting = append(waiting, x)
		x.OnGone(func() { gone++ })
	}
	shared := &httpwire.Response{Status: 200, Body: []byte("late"), Header: []string{"X-A", "b"}}
	p := r.dial(0)
	p.write(request("PUT", "/a", "body") + request("HEAD", "/b", "")).wantNothing()
	r.loops[0].Do(func() { waiting[0].Respond(shared) })
	if a := p.want(200, "late"); a.Header.Get("X-A") != "b" {
		t.Error(a.Header)
	}
	r.loops[0].Do(func() { waiting[1].Respond(shared); waiting[1].Respond(shared) })
	if a := p.answerTo("HEAD"); a.StatusCode != 200 || a.ContentLength != 4 || a.body != "" {
		t.Error(a)
	}
	p.wantNothing()
	if shared.Head || shared.Close {
		t.Error("the application's response was changed")
	}
	p.write(request("GET", "/c", "", "Connection: close"))
	if waiting[2].Loop() != r.loops[0] || waiting[2].RemoteAddr().String() != "192.0.2.1:40000" {
		t.Error("loop or address")
	}
	r.loops[0].Do(func() { waiting[2].Respond(shared) })
	if a := p.want(200, "late"); !a.Close || !p.isClosed() || gone != 0 {
		t.Errorf("close %v, gone %d", a.Close, gone)
	}
	p = r.dial(0).write(request("GET", "/d", ""))
	p.cut()
	r.loops[0].Do(func() { waiting[3].Respond(shared) })
	p.wantNothing()
	if gone != 1 {
		t.Errorf("gone %d", gone)
	}
	r.wantEmpty()
}
