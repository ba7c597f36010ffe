package session

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
)

// The path with and without a trailing slash, and the content of the open packet.
func TestPollingHandshake(t *testing.T) {
	r := newRig(t, 1, Config{Path: "/socket.io/"})
	for _, path := range []string{"/socket.io", "/socket.io/", "http://siren.example/socket.io/"} {
		p := r.dial(0).write(request("GET", path+"?EIO=4&transport=polling&t=x", ""))
		a := p.answer()
		if a.StatusCode != 200 || a.Header.Get("Content-Type") != "text/plain; charset=UTF-8" ||
			a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Set-Cookie") != "" {
			t.Fatalf("%s: %v %v", path, a, a.Header)
		}
		o := parseOpen(t, a.body)
		if strings.Join(o.Upgrades, " ") != "websocket" || o.PingInterval != 25000 || o.PingTimeout != 20000 || o.MaxPayload != 1_000_000 {
			t.Fatalf("%s: %+v", path, o)
		}
		if s := r.last().s; s.SID() != o.SID || s.Transport() != Polling || s.Transport().String() != "polling" || s.Shard().Loop() != r.loops[0] {
			t.Fatalf("session %q", s.SID())
		}
	}
	// The application serves every other path.
	for _, path := range []string{"/socket.io/x", "/socket.iox", "/", "/socket.i", "//socket.io"} {
		r.dial(0).write(request("GET", path, "")).want(404, "not ours: "+path)
	}
}

// A session that starts on WebSocket.
func TestWebSocketHandshake(t *testing.T) {
	r := newRig(t, 1, Config{Cookie: Cookie{Name: "io"}, CORS: CORS{Origins: []string{"*"}}})
	p := r.dial(0).write(upgradeRequest(""))
	a := p.answer()
	if a.StatusCode != 101 || a.Header.Get("Sec-Websocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" ||
		a.Header.Get("Sec-Websocket-Extensions") != "" || a.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Fatalf("%v", a.Header)
	}
	o := parseOpen(t, p.message())
	if len(o.Upgrades) != 0 || a.Header.Get("Set-Cookie") != "io="+o.SID+"; Path=/; HttpOnly; SameSite=Lax" {
		t.Fatalf("%+v %v", o, a.Header)
	}
	if r.last().s.Transport() != WebSocket || r.last().s.Transport().String() != "websocket" {
		t.Fatal(r.last().s.Transport())
	}
}

// Session ids are long, url-safe and unique.
func TestSessionIDs(t *testing.T) {
	r := newRig(t, 2, Config{})
	seen := map[string]bool{}
	for i := range 64 {
		sid := r.poll(i % 2)
		if seen[sid] || len(sid) < 22 || strings.Trim(sid, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Fatalf("sid %q", sid)
		}
		if shard, ok := eio.ShardOf([]byte(sid)); !ok || shard != i%2 {
			t.Fatalf("shard of %q: %d", sid, shard)
		}
		seen[sid] = true
	}
}

// refusalCase is a request, and the code it is refused with.
type refusalCase struct {
	name, method, target, fields string
	code                         eio.ErrorCode
}

func refusalCases(unknown, sid, wsID string) []refusalCase {
	const up = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + testKey
	return []refusalCase{
		{"no transport", "GET", "?EIO=4", "", 0},
		{"unknown transport", "GET", "?EIO=4&transport=abc", "", 0},
		{"proto transport", "GET", "?EIO=4&transport=__proto__", "", 0},
		{"transport before sid", "GET", "?EIO=4&transport=abc&sid=" + unknown, "", 0},
		{"transport before method", "POST", "?EIO=4&transport=abc", "", 0},
		{"unknown sid", "GET", "?EIO=4&transport=polling&sid=" + unknown, "", 1},
		{"unknown sid of another shard", "GET", "?EIO=4&transport=polling&sid=" + eio.NewSID(1), "", 1},
		{"sid of no shard", "GET", "?EIO=4&transport=polling&sid=" + eio.NewSID(7), "", 1},
		{"proto sid", "GET", "?EIO=4&transport=polling&sid=__proto__", "", 1},
		{"sid with rubbish", "GET", "?EIO=4&transport=polling&sid=%00%ff/../x", "", 1},
		{"sid before method", "PUT", "?EIO=4&transport=polling&sid=" + unknown, "", 1},
		{"sid before key", "GET", "?EIO=4&transport=websocket&sid=" + unknown, "Connection: Upgrade\r\nUpgrade: websocket", 1},
		{"mismatch without upgrade", "GET", "?EIO=4&transport=websocket&sid=" + sid, "", 3},
		{"mismatch before method", "PUT", "?EIO=4&transport=websocket&sid=" + sid, "", 3},
		{"polling of a WebSocket session", "GET", "?EIO=4&transport=polling&sid=" + wsID, "", 3},
		{"handshake by POST", "POST", "?EIO=4&transport=polling", "", 2},
		{"handshake by PUT", "PUT", "?EIO=4&transport=polling", "", 2},
		{"method before upgrade", "POST", "?EIO=4&transport=websocket", "", 2},
		{"WebSocket by a plain GET", "GET", "?EIO=4&transport=websocket", "", 3},
		{"upgrade to polling", "GET", "?EIO=4&transport=polling", up, 3},
		{"upgrade of a session to polling", "GET", "?EIO=4&transport=polling&sid=" + sid, up, 3},
		{"no EIO", "GET", "?transport=polling", "", 5},
		{"bad EIO", "GET", "?EIO=abc&transport=polling", "", 5},
		{"EIO 3", "GET", "?EIO=3&transport=polling", "", 5},
		{"WebSocket with bad EIO", "GET", "?EIO=5&transport=websocket", up, 5},
		{"bad version", "GET", "?EIO=4&transport=websocket", strings.Replace(up, "13", "8", 1), 3},
		{"bad key", "GET", "?EIO=4&transport=websocket", strings.Replace(up, testKey, "short", 1), 3},
		{"no key", "GET", "?EIO=4&transport=websocket", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13", 3},
		{"bad key of a session", "GET", "?EIO=4&transport=websocket&sid=" + sid, strings.Replace(up, testKey, "short", 1), 3},
	}
}

// The error code of each invalid request, in the order of the checks.
func TestRefusals(t *testing.T) {
	r := newRig(t, 2, Config{CORS: CORS{Origins: []string{"*"}}})
	sid := r.poll(0)
	ws := r.openWS(0, "")
	wsID := r.last().s.SID()
	unknown := eio.NewSID(0)
	for _, c := range refusalCases(unknown, sid, wsID) {
		for loop := range 2 {
			var fields []string
			if c.fields != "" {
				fields = []string{c.fields}
			}
			p := r.dial(loop).write(request(c.method, "/engine.io/"+c.target, "", fields...))
			a := p.answer()
			if a == nil || a.StatusCode != 400 || a.body != errorBody(c.code) || a.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%s on loop %d: %v, want code %d", c.name, loop, a, c.code)
				continue
			}
			// CORS headers let the page read the error.
			if a.Header.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%s: no CORS headers", c.name)
			}
			if strings.HasPrefix(c.name, "bad version") && a.Header.Get("Sec-Websocket-Version") != "13" {
				t.Errorf("%s: %v", c.name, a.Header)
			}
			if strings.Contains(c.fields, "Upgrade: websocket") {
				// The client may think that this is a WebSocket.
				if !a.Close || !p.isClosed() {
					t.Errorf("%s on loop %d: the connection stays", c.name, loop)
				}
				continue
			}
			// The connection can be used again.
			p.write(request("GET", "/other", "")).want(404, "not ours: /other")
		}
	}
	// Nobody suffered.
	ws.text("4x")
	r.clients[1].wantGot("x")
	r.post(1, sid, "4y").want(200, "ok")
	r.clients[0].wantGot("y")
	if n := r.engine.Stats().Refused; n[0] == 0 || n[1] == 0 || n[2] == 0 || n[3] == 0 || n[5] == 0 {
		t.Errorf("counters: %v", n)
	}
}

// Other methods on the path of a session.
func TestMethodNotAllowed(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, Config{})
		sid := r.poll(0)
		for _, m := range []string{"PUT", "DELETE", "PATCH", "OPTIONS"} {
			p := r.dial(loop).write(request(m, base+"polling&sid="+sid, ""))
			if a := p.answer(); a.StatusCode != 405 || a.Header.Get("Allow") != "GET, POST" {
				t.Fatalf("%s: %v", m, a)
			}
		}
		p := r.dial(loop).write(request("HEAD", base+"polling&sid="+sid, ""))
		if a := p.answerTo("HEAD"); a.StatusCode != 405 || a.body != "" || a.ContentLength != 18 {
			t.Fatalf("HEAD: %v %d", a, a.ContentLength)
		}
		p.write(getRequest(sid)).wantNothing()
		r.last().s.Send(eio.NewMessage([]byte("alive")), false)
		r.run()
		p.want(200, "4alive")
	})
}

func TestTransportsOffered(t *testing.T) {
	r := newRig(t, 1, Config{Transports: []Transport{Polling}})
	p := r.dial(0).write(request("GET", base+"polling", ""))
	o := parseOpen(t, p.answer().body)
	if len(o.Upgrades) != 0 {
		t.Fatal(o.Upgrades)
	}
	r.dial(0).write(upgradeRequest("")).want(400, errorBody(eio.TransportUnknown))
	r.dial(0).write(upgradeRequest(o.SID)).want(400, errorBody(eio.TransportUnknown))

	r = newRig(t, 1, Config{Transports: []Transport{WebSocket}})
	r.dial(0).write(request("GET", base+"polling", "")).want(400, errorBody(eio.TransportUnknown))
	r.openWS(0, "")
}

func TestCORS(t *testing.T) {
	listed := CORS{Origins: []string{"http://a.example", "http://b.example"}, Credentials: true, Methods: []string{"GET", "POST"}}
	enforced := CORS{Origins: []string{"http://a.example"}, Enforce: true, Headers: []string{"X-One", "X-Two"}}
	cases := []struct {
		name           string
		cors           CORS
		method, origin string
		status         int
		allow, cred    string
		methods, heads string
	}{
		{"off", CORS{}, "GET", "http://a.example", 200, "", "", "", ""},
		{"off, preflight", CORS{}, "OPTIONS", "http://a.example", 400, "", "", "", ""},
		{"any", CORS{Origins: []string{"*"}}, "GET", "http://a.example", 200, "*", "", "", ""},
		{"any, no origin", CORS{Origins: []string{"*"}}, "GET", "", 200, "*", "", "", ""},
		{"any, preflight", CORS{Origins: []string{"*"}}, "OPTIONS", "http://a.example", 204, "*", "", "GET,HEAD,PUT,PATCH,POST,DELETE", "X-Asked"},
		{"listed", listed, "GET", "http://b.example", 200, "http://b.example", "true", "", ""},
		{"listed, error", listed, "POST", "http://b.example", 400, "http://b.example", "true", "", ""},
		{"not listed", listed, "GET", "http://c.example", 200, "", "true", "", ""},
		{"listed, preflight", listed, "OPTIONS", "http://a.example", 204, "http://a.example", "true", "GET,POST", "X-Asked"},
		{"enforced, allowed", enforced, "GET", "http://a.example", 200, "http://a.example", "", "", ""},
		{"enforced, none", enforced, "GET", "", 200, "", "", "", ""},
		{"enforced, refused", enforced, "GET", "http://evil.example", 403, "", "", "", ""},
		{"enforced, null", enforced, "GET", "null", 403, "", "", "", ""},
		{"enforced, preflight", enforced, "OPTIONS", "http://a.example", 204, "http://a.example", "", "GET,HEAD,PUT,PATCH,POST,DELETE", "X-One,X-Two"},
	}
	for _, c := range cases {
		r := newRig(t, 1, Config{CORS: c.cors})
		fields := []string{"Access-Control-Request-Headers: X-Asked"}
		if c.origin != "" {
			fields = append(fields, "Origin: "+c.origin)
		}
		a := r.dial(0).write(request(c.method, base+"polling", "", fields...)).answerTo(c.method)
		h := a.Header
		if a.StatusCode != c.status || h.Get("Access-Control-Allow-Origin") != c.allow || h.Get("Access-Control-Allow-Credentials") != c.cred ||
			h.Get("Access-Control-Allow-Methods") != c.methods || h.Get("Access-Control-Allow-Headers") != c.heads {
			t.Errorf("%s: %v %v", c.name, a, h)
		}
		if len(c.cors.Origins) > 0 && c.allow != "*" && h.Get("Vary") != "Origin" {
			t.Errorf("%s: Vary %q", c.name, h["Vary"])
		}
	}
}

// An enforced origin applies to both transports, and to existing sessions too.
func TestEnforcedOrigin(t *testing.T) {
	r := newRig(t, 2, Config{CORS: CORS{Origins: []string{"http://good.example"}, Enforce: true}})
	r.dial(0).write(upgradeRequest("", "Origin: http://evil.example")).want(403, `{"code":4,"message":"Origin not allowed"}`)
	p := r.dial(0).write(upgradeRequest("", "Origin: http://good.example"))
	if a := p.answer(); a.StatusCode != 101 {
		t.Fatal(a)
	}
	sid := r.poll(0)
	// A refused POST that comes in pieces leaves the session as it was.
	for loop := range 2 {
		evil := r.dial(loop)
		evil.write(request("POST", base+"polling&sid="+sid, "4x", "Origin: http://evil.example")[:150])
		evil.conn.FeedSplit([]byte(request("POST", base+"polling&sid="+sid, "4x", "Origin: http://evil.example")[150:]), 1)
		r.run()
		evil.want(403, `{"code":4,"message":"Origin not allowed"}`)
		r.post(loop, sid, "4good").want(200, "ok")
	}
	r.last().wantGot("good", "good")
}

func TestCookie(t *testing.T) {
	for _, c := range []struct {
		cookie Cookie
		want   string
	}{
		{Cookie{Name: "io"}, "; Path=/; HttpOnly; SameSite=Lax"},
		{Cookie{Name: "io", Path: "/x", SameSite: "None", Secure: true, Script: true, MaxAge: time.Hour}, "; Max-Age=3600; Path=/x; Secure; SameSite=None"},
	} {
		r := newRig(t, 1, Config{Cookie: c.cookie})
		p := r.dial(0).write(request("GET", base+"polling", ""))
		a := p.answer()
		sid := parseOpen(t, a.body).SID
		if got := a.Header.Get("Set-Cookie"); got != "io="+sid+c.want {
			t.Errorf("%q", got)
		}
		r.last().s.Send(eio.NewMessage(nil), false)
		if a := r.get(0, sid).answer(); a.Header.Get("Set-Cookie") != "" {
			t.Error("a cookie after the handshake")
		}
	}
}

func TestEngineClose(t *testing.T) {
	r := newRig(t, 2, Config{CloseTimeout: time.Second})
	sid := r.poll(0)
	waiting := r.get(1, sid)
	lazy := r.poll(1)
	probing := r.poll(0)
	probe := r.openWS(1, probing).text("2probe")
	probe.wantFrames("t:3probe")
	w := r.openWS(1, "")
	r.engine.Close(ReasonServerShutdown)
	r.engine.Close(ReasonServerShutdown)
	r.run()
	for _, c := range r.clients {
		c.wantClosed(ReasonServerShutdown)
	}
	waiting.want(200, "1")
	w.wantFrames("close:1005")
	if r.engine.Sessions() != 2 { // lazy and probing have not fetched their close packet
		t.Fatalf("%d sessions", r.engine.Sessions())
	}
	probe.text("5").wantFrames("close:1005")
	r.get(1, lazy).want(200, "1")
	r.get(1, lazy).want(400, errorBody(eio.SessionIDUnknown))
	r.dial(0).write(request("GET", base+"polling", "")).want(503, "Server shutting down")
	r.advance(76 * time.Second)
	r.wantEmpty()
	if n := r.engine.Stats().Closed[ReasonServerShutdown]; n != 4 {
		t.Errorf("%d counted", n)
	}
}

func TestHandshakeObject(t *testing.T) {
	r := newRig(t, 1, Config{})
	r.dial(0).write(request("GET", base+"polling&a=b%20c&a=d", "", "X-One: 1", "x-one: 2", "Origin: http://o.example"))
	h := r.last().s.Handshake()
	if h.URL() != base+"polling&a=b%20c&a=d" || h.Query()["a"][0] != "b c" || h.Query()["a"][1] != "d" ||
		h.Header("x-ONE") != "1" || strings.Join(h.Headers()[http.CanonicalHeaderKey("x-one")], " ") != "1 2" ||
		!h.CrossDomain() || h.Address() != "192.0.2.1" || h.Time.IsZero() {
		t.Fatalf("%v %v", h.URL(), h.Headers())
	}
	if (&Handshake{}).Address() != "" {
		t.Error("an address from nowhere")
	}
}
