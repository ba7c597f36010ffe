package session

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/httpwire"
)

// earlyCase is a request that its head decides, and the answer.
type earlyCase struct {
	name, method, target string
	fields               []string
	status               int
	body                 string
	// reason is the end of the session, if there is one.
	reason []Reason
}

func earlyCases(sid, wsID string) []earlyCase {
	allowed := "Origin: https://app.example"
	own := []string{allowed}
	up := []string{allowed, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + testKey}
	const path = "/engine.io/?EIO=4&transport="
	return []earlyCase{
		{"unknown session", "POST", path + "polling&sid=" + eio.NewSID(0), own, 400, errorBody(eio.SessionIDUnknown), nil},
		{"unknown session of another loop", "POST", path + "polling&sid=" + eio.NewSID(1), own, 400, errorBody(eio.SessionIDUnknown), nil},
		{"session of no loop", "POST", path + "polling&sid=" + eio.NewSID(7), own, 400, errorBody(eio.SessionIDUnknown), nil},
		{"no session", "POST", path + "polling", own, 400, errorBody(eio.BadHandshakeMethod), nil},
		{"unknown transport", "POST", path + "x&sid=" + sid, own, 400, errorBody(eio.TransportUnknown), nil},
		{"no transport", "POST", "/engine.io/?EIO=4&sid=" + sid, own, 400, errorBody(eio.TransportUnknown), nil},
		{"wrong transport", "POST", path + "websocket&sid=" + sid, own, 400, errorBody(eio.BadRequest), nil},
		{"polling of a WebSocket session", "POST", path + "polling&sid=" + wsID, own, 400, errorBody(eio.BadRequest), nil},
		{"wrong method", "PUT", path + "polling&sid=" + sid, own, 405, "Method not allowed", nil},
		{"another origin", "POST", path + "polling&sid=" + sid, []string{"Origin: https://evil.example"}, 403, `{"code":4,"message":"Origin not allowed"}`, nil},
		{"preflight", "OPTIONS", path + "polling&sid=" + sid, own, 204, "", nil},
		{"upgrade with a body", "GET", path + "websocket&sid=" + sid, up, 400, errorBody(eio.BadRequest), nil},
		{"WebSocket with a body", "GET", path + "websocket", up, 400, errorBody(eio.BadRequest), nil},
		{"nobody's path", "POST", "/other", own, 404, "Not found", nil},
		{"binary payload", "POST", path + "polling&sid=" + sid, []string{allowed, "Content-Type: application/octet-stream"},
			400, errorBody(eio.BadRequest), []Reason{ReasonTransportError}},
	}
}

// What the head of a request decides is answered before the body has come, which is not kept.
func TestRefusedFromTheHead(t *testing.T) {
	cfg := Config{CORS: CORS{Origins: []string{"https://app.example"}, Enforce: true}}
	bodies := map[string]struct{ field, first string }{
		"sized":                {"Content-Length: 900000", ""},
		"sized, and some":      {"Content-Length: 900000", "4abc"},
		"chunked":              {"Transfer-Encoding: chunked", ""},
		"chunked, and some":    {"Transfer-Encoding: chunked", "4\r\n4abc\r\n"},
		"sized, waited for":    {"Content-Length: 900000\r\nExpect: 100-continue", ""},
		"whole":                {"Content-Length: 4", "4abc"},
		"whole, in two pieces": {"Transfer-Encoding: chunked", "0\r\n\r\n"},
	}
	for _, c := range earlyCases("SID", "WSID") {
		for name, body := range bodies {
			both(t, func(t *testing.T, loop int) {
				r := newRig(t, 2, cfg)
				r.engine.serves = false
				r.openWS(0, "")
				wsID := r.last().s.SID()
				sid := r.poll(0)
				text := request(c.method, strings.NewReplacer("WSID", wsID, "SID", sid).Replace(c.target), "", append(c.fields, body.field)...)
				text = strings.Replace(text, "Content-Length: 0\r\n", "", 1) + body.first
				p := r.dial(loop)
				p.conn.Feed([]byte(text))
				r.run()
				in := strings.TrimPrefix(string(p.pull()), string(httpwire.ContinueResponse))
				p.in = []byte(in)
				a := p.answerTo(c.method)
				if a == nil || a.StatusCode != c.status || a.body != c.body || !a.Close || !p.isClosed() {
					t.Fatalf("%s, %s: %v, closed %v", c.name, name, a, p.isClosed())
				}
				if c.target != "/other" && c.status != 403 && a.Header.Get("Access-Control-Allow-Origin") == "" {
					t.Errorf("%s, %s: no CORS headers", c.name, name)
				}
				p.write(strings.Repeat("x", 100_000)).wantNothing()
				if rest, _ := p.conn.Rest(); len(rest) > 0 {
					t.Errorf("%s, %s: %d bytes are kept", c.name, name, len(rest))
				}
				if got := r.clients[1].closed; fmt.Sprint(got) != fmt.Sprint(c.reason) {
					t.Errorf("%s, %s: session closed %v", c.name, name, got)
				}
				refused := uint64(0)
				for _, n := range r.engine.Stats().Refused {
					refused += n
				}
				if want := map[bool]uint64{true: 1}[c.status == 400 || c.status == 403]; refused != want {
					t.Errorf("%s, %s: %d refusals counted, want %d", c.name, name, refused, want)
				}
			})
		}
	}
}

// The hooks know of a request that its head decides: the one for errors once, the one for headers once.
func TestHooksOfTheHead(t *testing.T) {
	told := make(chan ConnectionError, 10)
	var calls int
	cfg := Config{
		OnConnectionError: func(e ConnectionError) { told <- e },
		Tune:              func(_ *Handshake, t *Tuning) { t.MaxPayload = 100 },
	}
	cfg.OnHeaders = func(h *Handshake, header http.Header) {
		if h.Method() == "POST" {
			calls++
		}
		header.Set("X-Hook", "1")
	}
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, cfg)
		sid := parseOpen(t, r.dial(0).asked(0, request("GET", base+"polling", "")).answer().body).SID
		for name, c := range map[string]struct {
			sid    string
			length int
			status int
		}{"unknown": {eio.NewSID(0), 50, 400}, "too long for the session": {sid, 101, 413}, "in pieces": {sid, 50, 200}} {
			calls = 0
			head := strings.Replace(postRequest(c.sid, ""), "Content-Length: 0", fmt.Sprintf("Content-Length: %d", c.length), 1)
			p := r.dial(loop).write(head)
			if c.status == 200 {
				p.write("4" + strings.Repeat("x", c.length-1))
			}
			a := p.answer()
			if a == nil || a.StatusCode != c.status || a.Header.Get("X-Hook") != "1" || calls != 1 || a.Close != (c.status != 200) {
				t.Errorf("%s: %v, %d calls", name, a, calls)
			}
		}
		select {
		case e := <-told:
			if e.Code != eio.SessionIDUnknown {
				t.Error(e)
			}
		case <-time.After(10 * time.Second):
			t.Error("the hook for errors was not told")
		}
		if len(told) > 0 {
			t.Errorf("%d more errors", len(told))
		}
	})
}

// A body that is too long has the headers that let a page read the status, and no text, however its length is known.
func TestTooLargeForPages(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, Config{MaxPayload: 1000, CORS: CORS{Origins: []string{"https://app.example"}, Credentials: true}})
		sid := r.poll(0)
		head := request("POST", base+"polling&sid="+sid, "", "Origin: https://app.example")
		with := func(field string) string { return strings.Replace(head, "Content-Length: 0", field, 1) }
		for name, pieces := range map[string][]string{
			"declared":          {with("Content-Length: 1001")},
			"far too long":      {with("Content-Length: 9000000000")},
			"head in pieces":    {with("Content-Length: 1001")[:80], with("Content-Length: 1001")[80:]},
			"one chunk":         {with("Transfer-Encoding: chunked") + "3e9\r\n"},
			"chunk in pieces":   {with("Transfer-Encoding: chunked"), "3e9", "\r\n"},
			"many chunks":       {with("Transfer-Encoding: chunked") + "3e8\r\n" + strings.Repeat("x", 1000), "\r\n1\r\n"},
			"framing of chunks": {with("Transfer-Encoding: chunked"), strings.Repeat("1;"+strings.Repeat("e", 200)+"\r\nx\r\n", 90)},
		} {
			p := r.dial(loop)
			for _, piece := range pieces {
				p.write(piece)
			}
			a := p.answer()
			if a == nil || a.StatusCode != 413 || a.body != "" || a.Header.Get("Content-Type") != "" || a.ContentLength != 0 || !a.Close || !p.isClosed() {
				t.Errorf("%s: %v", name, a)
				continue
			}
			if a.Header.Get("Access-Control-Allow-Origin") != "https://app.example" || a.Header.Get("Access-Control-Allow-Credentials") != "true" {
				t.Errorf("%s: %v", name, a.Header)
			}
		}
		r.post(loop, sid, "4alive").want(200, "ok")
	})
}

// Nobody reads the body of a GET, so a long one is refused, with its head or when it turns out long.
func TestBodyOfGet(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, Config{MaxHeaderBytes: 1000})
		sid := r.poll(0)
		for _, target := range []string{base + "polling", base + "polling&sid=" + sid} {
			sized := request("GET", target, "", "Content-Length: 1001")
			chunked := request("GET", target, "", "Transfer-Encoding: chunked")
			if a := r.dial(loop).write(sized).answer(); a == nil || a.StatusCode != 413 || !a.Close {
				t.Errorf("sized: %v", a)
			}
			p := r.dial(loop).write(chunked)
			for range 10 {
				p.write("64\r\n" + strings.Repeat("x", 100) + "\r\n")
			}
			p.wantNothing()
			if a := p.write("1\r\n").answer(); a == nil || a.StatusCode != 413 || !p.isClosed() {
				t.Errorf("chunked: %v", a)
			}
		}
		for _, body := range []string{"", strings.Repeat("x", 1000)} {
			if a := r.dial(loop).write(request("GET", base+"polling", body)).answer(); a == nil || a.StatusCode != 200 || a.Close {
				t.Errorf("%d bytes: %v", len(body), a)
			}
		}
	})
}

// A WebSocket that is refused ends its connection: its client may have taken it for open.
func TestRefusedUpgradesClose(t *testing.T) {
	cfg := Config{Allow: func(_ context.Context, h *Handshake) error {
		if h.Header("X-Reject") != "" {
			return Refusal("no")
		}
		return nil
	}}
	both(t, func(t *testing.T, loop int) {
		for name, c := range map[string]struct {
			text   func(sid string) string
			status int
		}{
			"unknown transport": {func(string) string { return strings.Replace(upgradeRequest(""), "websocket", "x", 1) }, 400},
			"unknown session":   {func(string) string { return upgradeRequest(eio.NewSID(0)) }, 400},
			"refused by a hook": {func(string) string { return upgradeRequest("", "X-Reject: 1") }, 403},
			"another protocol":  {func(string) string { return strings.Replace(upgradeRequest(""), "EIO=4", "EIO=2", 1) }, 400},
			"bad key":           {func(sid string) string { return strings.Replace(upgradeRequest(sid), testKey, "k", 1) }, 400},
			"another path":      {func(string) string { return strings.Replace(upgradeRequest(""), "/engine.io/", "/other", 1) }, 404},
		} {
			r := newRig(t, 2, cfg)
			sid := parseOpen(t, r.dial(0).asked(0, request("GET", base+"polling", "")).answer().body).SID
			p := r.dial(loop)
			p.conn.Feed([]byte(c.text(sid) + textFrame("2probe")))
			if name == "refused by a hook" || name == "another protocol" {
				r.waitPosted(loop)
			}
			r.run()
			a := p.answer()
			if a == nil || a.StatusCode != c.status || !a.Close || !p.isClosed() {
				t.Errorf("%s: %v, closed %v", name, a, p.isClosed())
			}
			p.wantNothing()
		}
	})
}

// The key and the version of an opening handshake appear once (RFC 6455, sections 11.3.1 and 11.3.5).
func TestSingleUpgradeFields(t *testing.T) {
	const version, key = "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + testKey
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, Config{})
		for name, fields := range map[string][]string{
			"the key twice":          {key},
			"two keys":               {"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="},
			"an empty second key":    {"sec-websocket-key:"},
			"the version twice":      {version},
			"two versions":           {"Sec-WebSocket-Version: 8"},
			"both twice":             {version, key},
			"the host twice":         {"Host: other.example"},
			"two lengths":            {"Content-Length: 0", "Content-Length: 0"},
			"a length and a coding":  {"Content-Length: 0", "Transfer-Encoding: chunked"},
			"the coding twice":       {"Transfer-Encoding: chunked", "Transfer-Encoding: chunked"},
			"a body behind the head": {"Content-Length: 1"},
			"a coding":               {"Transfer-Encoding: chunked"},
		} {
			for _, sid := range []string{"", r.poll(0)} {
				p := r.dial(loop).write(upgradeRequest(sid, fields...))
				if a := p.answer(); a == nil || a.StatusCode != 400 || !a.Close || !p.isClosed() {
					t.Errorf("%s, session %q: %v", name, sid, a)
				}
			}
		}
		// Lists of tokens may have several fields and elements.
		p := r.dial(loop).write(upgradeRequest(r.poll(0), "Connection: x-other", "Upgrade: h2c, WebSocket"))
		if a := p.answer(); a == nil || a.StatusCode != 101 {
			t.Errorf("%v", a)
		}
	})
}

// A request gets one answer, though its head and its body were refused by a session's loop, one after the other.
func TestFirstAnswerCounts(t *testing.T) {
	r := newRig(t, 2, Config{})
	text := postRequest(eio.NewSID(0), "4hello")
	p := r.dial(1)
	p.conn.Stall(true) // so that the connection is not closed by the first answer
	r.loops[1].Do(func() {
		p.conn.Feed([]byte(text[:len(text)-2]))
		p.conn.Feed([]byte(text[len(text)-2:]))
	})
	r.run()
	p.conn.Stall(false)
	r.run()
	p.want(400, errorBody(eio.SessionIDUnknown))
	p.wantNothing()
	if n := r.engine.Stats().Refused[eio.SessionIDUnknown]; n != 1 || !p.isClosed() {
		t.Errorf("%d refusals counted, closed: %v", n, p.isClosed())
	}

	// The end of the session comes behind the answer to a body that is too long.
	sid := r.poll(0)
	s := r.last().s
	p = r.dial(1).write(strings.Replace(postRequest(sid, ""), "Content-Length: 0", "Transfer-Encoding: chunked", 1) + "3\r\n4ab\r\n")
	p.conn.Stall(true)
	r.loops[1].Do(func() { p.conn.Feed([]byte("fffffff\r\n")) })
	r.loops[0].Do(func() { s.abort(ReasonForcedClose) })
	r.run()
	p.conn.Stall(false)
	r.run()
	if a := p.answer(); a == nil || a.StatusCode != statusTooLarge {
		t.Errorf("%v", a)
	}
	p.wantNothing()
	if n := r.engine.Stats().Refused[eio.BadRequest]; n != 0 {
		t.Errorf("%d refusals counted behind the answer", n)
	}
	r.wantEmpty()
}
