package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
)

// OnInitialHeaders sees the first response of a session, OnHeaders every response. Both may change the CORS fields, and
// neither may change fields that frame a response.
func TestHeaderHooks(t *testing.T) {
	var mu sync.Mutex
	var calls []string
	cfg := Config{
		CORS: CORS{Origins: []string{"*"}}, Cookie: Cookie{Name: "io"},
		OnInitialHeaders: func(h *Handshake, header http.Header) {
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, "initial "+h.Query().Get("transport")+header.Get("Access-Control-Allow-Origin"))
			header.Set("X-First", "1")
			header.Set("X-Both", "initial")
		},
		OnHeaders: func(h *Handshake, header http.Header) {
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, "headers "+h.Method()+header.Get("X-First"))
			header.Set("X-Both", "headers")
			header.Del("Access-Control-Allow-Origin")
			header["Content-Length"], header["Sec-Websocket-Accept"] = []string{"7"}, []string{"no"}
			header["bad name"], header["X-Lines"] = []string{"x"}, []string{"a\r\nb: c"}
		},
	}
	check := func(t *testing.T, a *response, first string) {
		t.Helper()
		h := a.Header
		if h.Get("X-First") != first || h.Get("X-Both") != "headers" || h.Get("Access-Control-Allow-Origin") != "" || h.Get("B") != "" ||
			a.ContentLength == 7 || len(h["Sec-Websocket-Accept"]) > 1 {
			t.Errorf("header %v", h)
		}
	}
	both(t, func(t *testing.T, loop int) {
		calls = nil
		r := newRig(t, 2, cfg)
		p := r.dial(0).asked(0, request("GET", base+"polling", ""))
		a := p.answer()
		check(t, a, "1")
		if a.Header.Get("Set-Cookie") == "" {
			t.Error("the cookie is gone")
		}
		sid := parseOpen(t, a.body).SID
		g := r.get(loop, sid)
		r.last().s.Send(eio.NewMessage([]byte("x")), false)
		r.run()
		check(t, g.want(200, "4x"), "")
		check(t, r.post(loop, sid, "4y").want(200, "ok"), "")
		w := r.dial(loop).write(upgradeRequest(sid))
		a = w.answer()
		if a.StatusCode != 101 {
			t.Fatal(a)
		}
		check(t, a, "")
		check(t, r.get(loop, strings.Repeat("A", eio.SIDLen)).answer(), "")
		mu.Lock()
		defer mu.Unlock()
		if got := fmt.Sprint(calls); got != "[initial polling* headers GET1 headers GET headers POST headers GET headers GET]" {
			t.Error(got)
		}
	})
	t.Run("websocket", func(t *testing.T) {
		r := newRig(t, 1, cfg)
		w := r.dial(0).asked(0, upgradeRequest(""))
		a := w.answer()
		check(t, a, "1")
		if a.StatusCode != 101 || len(a.Header["Sec-Websocket-Accept"]) != 1 || a.Header.Get("Set-Cookie") == "" {
			t.Error(a.Header)
		}
	})
}

// The order of the hooks, and the outcome when a hook panics or ends its goroutine.
func TestHookOrderAndFailures(t *testing.T) {
	var order []string
	step := func(name string) func(h *Handshake) {
		return func(h *Handshake) {
			order = append(order, name)
			switch h.Header("X-Fail") {
			case "panic " + name:
				panic(name)
			case "goexit " + name:
				runtime.Goexit()
			}
		}
	}
	var running atomic.Int64
	cfg := Config{
		Running:          &running,
		Allow:            func(_ context.Context, h *Handshake) error { step("allow")(h); return nil },
		Tune:             func(h *Handshake, _ *Tuning) { step("tune")(h) },
		GenerateID:       func(h *Handshake) string { step("id")(h); return "" },
		OnInitialHeaders: func(h *Handshake, _ http.Header) { step("initial")(h) },
		OnHeaders:        func(h *Handshake, _ http.Header) { step("headers")(h) },
	}
	names := []string{"allow", "tune", "id", "initial", "headers"}
	for i, name := range append(names, "none") {
		for _, how := range []string{"panic ", "goexit "} {
			order = nil
			r := newRig(t, 1, cfg)
			a := r.dial(0).asked(0, request("GET", base+"polling", "", "X-Fail: "+how+name)).answer()
			want, status, panics := names, 200, uint64(0)
			if name != "none" {
				want, status = names[:i+1], 403
				if how == "panic " {
					panics = 1
				}
			}
			if a.StatusCode != status || fmt.Sprint(order) != fmt.Sprint(want) || r.engine.Stats().HookPanics != panics {
				t.Errorf("%s%s: %v, order %v, %d panics", how, name, a, order, r.engine.Stats().HookPanics)
			}
		}
	}
	order = nil
	r := newRig(t, 1, cfg)
	a := r.dial(0).asked(0, request("GET", strings.Replace(base, "EIO=4", "EIO=9", 1)+"polling", "")).answer()
	if a.body != errorBody(eio.UnsupportedProtocolVersion) || len(order) != 1 {
		t.Errorf("%v, order %v: a protocol that is not spoken has no session", a, order)
	}
	for deadline := time.Now().Add(10 * time.Second); running.Load() != 0; time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatal("hooks are counted that do not run")
		}
	}
}

// A panic in OnHeaders is counted and changes neither the response nor the loop.
func TestHeadersPanicOnLoop(t *testing.T) {
	panics := false
	r := newRig(t, 1, Config{CORS: CORS{Origins: []string{"*"}}, OnHeaders: func(_ *Handshake, header http.Header) {
		if panics {
			header.Set("X-Half", "1")
			panic("hook")
		}
	}})
	p := r.dial(0).asked(0, request("GET", base+"polling", ""))
	sid := parseOpen(t, p.answer().body).SID
	panics = true
	a := r.post(0, sid, "4x").want(200, "ok")
	if a.Header.Get("X-Half") != "" || a.Header.Get("Access-Control-Allow-Origin") != "*" || r.engine.Stats().HookPanics != 1 {
		t.Errorf("%v, %d panics", a.Header, r.engine.Stats().HookPanics)
	}
}

// Sessions are found from any loop by ids of a generator, whatever their form.
func TestGenerateID(t *testing.T) {
	var serial atomic.Int64
	cfg := Config{GenerateID: func(h *Handshake) string {
		if id := h.Header("X-ID"); id != "" {
			return id
		}
		return fmt.Sprintf("app.id-%012d_~", serial.Add(1))
	}}
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, cfg)
		p := r.dial(0).asked(0, request("GET", base+"polling", ""))
		sid := parseOpen(t, p.answer().body).SID
		if !strings.HasPrefix(sid, "app.id-") || r.last().s.SID() != sid {
			t.Fatal(sid)
		}
		r.post(loop, sid, "4hi").want(200, "ok")
		r.last().wantGot("hi")
		w := r.dial(loop).write(upgradeRequest(sid))
		if a := w.answer(); a.StatusCode != 101 {
			t.Fatal(a)
		}
		w.text("2probe").text("5").text("4there")
		r.last().wantGot("hi", "there")
		again := r.dial(1-loop).asked(1-loop, request("GET", base+"polling", "", "X-ID: "+sid))
		again.want(400, errorBody(eio.BadRequest))
		w.cut()
		again = r.dial(1-loop).asked(1-loop, request("GET", base+"polling", "", "X-ID: "+sid))
		if o := parseOpen(t, again.answer().body); o.SID != sid {
			t.Error("the id of a session that is over cannot be used")
		}
		r.get(loop, strings.Repeat("A", eio.SIDLen)).want(400, errorBody(eio.SessionIDUnknown))
		r.last().s.abort(ReasonForcedClose)
		if n := r.engine.Stats().BadSIDs; n != 1 {
			t.Errorf("%d ids counted", n)
		}
		for i := range r.engine.sids.stripes {
			if len(r.engine.sids.stripes[i].homes) != 0 {
				t.Error("ids are left")
			}
		}
	})
	for _, c := range []struct {
		id string
		ok bool
	}{
		{strings.Repeat("a", 15), false}, {strings.Repeat("a", 16), true}, {strings.Repeat("Z", 128), true},
		{strings.Repeat("a", 129), false}, {"0123456789abcde ", false}, {"0123456789abcde\"", false}, {"0123456789abcde;", false},
		{"0123456789abcdeé", false}, {"0123456789abcde=", false}, {"0123456789abcde/", false}, {"0f8fad5b-d9cb-469f-a165-70867728950e", true},
	} {
		if validSID(c.id) != c.ok {
			t.Errorf("%q: %v", c.id, !c.ok)
		}
	}
	r := newRig(t, 1, Config{GenerateID: func(*Handshake) string { return "short" }})
	p := r.dial(0).asked(0, upgradeRequest(""))
	p.want(400, errorBody(eio.BadRequest))
	p.cut()
	r.wantEmpty()
}

// OnConnectionError gets every error code with its details.
func TestConnectionErrors(t *testing.T) {
	got := make(chan ConnectionError, 1)
	refusal := errors.New("not you")
	cfg := Config{
		CORS:              CORS{Origins: []string{"http://good.example"}, Enforce: true},
		OnConnectionError: func(e ConnectionError) { got <- e },
		Allow: func(_ context.Context, h *Handshake) error {
			if h.Header("X-No") != "" {
				return refusal
			}
			return nil
		},
		GenerateID: func(h *Handshake) string { return h.Header("X-ID") },
	}
	for _, c := range []struct {
		name, request string
		asks          bool
		code          eio.ErrorCode
		context       string
	}{
		{"transport", request("GET", base+"pigeon", ""), false, 0, "map[transport:pigeon]"},
		{"no transport", request("GET", "/engine.io/?EIO=4", ""), false, 0, "map[]"},
		{"sid", request("GET", base+"polling&sid=nobody", ""), false, 1, "map[sid:nobody]"},
		{"method", request("PUT", base+"polling", ""), false, 2, "map[method:PUT]"},
		{"upgrade", request("GET", base+"websocket", ""), false, 3, "map[]"},
		{"handshake", request("GET", base+"websocket", "", "Connection: Upgrade", "Upgrade: websocket"), false, 3, "map[]"},
		{"id", request("GET", base+"polling", "", "X-ID: x"), true, 3, "map[error:" + errBadSID.Error() + " name:ID_GENERATION_ERROR]"},
		{"hook", request("GET", base+"polling", "", "X-No: 1"), true, 4, "map[error:not you]"},
		{"origin", request("GET", base+"polling", "", "Origin: http://bad.example"), false, 4, "map[name:INVALID_ORIGIN origin:http://bad.example]"},
		{"protocol", request("GET", "/engine.io/?EIO=9&transport=polling", ""), true, 5, "map[protocol:9]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, 1, cfg)
			p := r.dial(0)
			if c.asks {
				p.asked(0, c.request)
			} else {
				p.write(c.request)
			}
			e := <-got
			if e.Code != c.code || fmt.Sprint(e.Context) != c.context || !strings.HasPrefix(e.Request.URL(), "/engine.io/") || e.Message == "" {
				t.Errorf("%+v", e)
			}
			if a := p.answerTo("GET"); a == nil || a.StatusCode != c.code.Status() {
				t.Errorf("answer %v", a)
			}
			if n := len(r.engine.shards[0].noted); n != 0 {
				t.Errorf("%d requests are kept", n)
			}
		})
	}
	// From another loop, and not for what is answered well.
	r := newRig(t, 2, cfg)
	p := r.dial(0).asked(0, request("GET", base+"polling", ""))
	sid := parseOpen(t, p.answer().body).SID
	r.post(1, sid, "4x").want(200, "ok")
	for _, w := range []*peer{r.dial(0).asked(0, upgradeRequest("")), r.dial(1).write(upgradeRequest(sid))} {
		if a := w.answer(); a == nil || a.StatusCode != 101 {
			t.Errorf("%v", a)
		}
	}
	g := r.get(1, sid)
	if len(r.engine.shards[1].noted) != 1 {
		t.Error("a request that waits is not known")
	}
	g.cut()
	r.post(1, sid, "4x")
	if e := <-got; e.Code != eio.SessionIDUnknown || e.Context["sid"] != sid {
		t.Errorf("%+v", e)
	}
	for i := range r.engine.shards {
		if n := len(r.engine.shards[i].noted); n != 0 {
			t.Errorf("shard %d keeps %d requests", i, n)
		}
	}
}

// A hook that is too slow misses refusals, which are counted. A hook that panics still gets the next one.
func TestConnectionErrorFlood(t *testing.T) {
	release, told := make(chan struct{}), make(chan bool, 4096)
	r := newRig(t, 1, Config{OnConnectionError: func(ConnectionError) {
		told <- true
		<-release
		panic("hook")
	}})
	p := r.dial(0)
	bad := request("GET", base+"pigeon", "")
	p.write(bad)
	<-told
	const more = connectionErrorsMax + 10
	for range more {
		p.write(bad)
		p.pull()
		p.in = nil
	}
	if n := r.engine.Stats().Unreported; n != 10 {
		t.Errorf("%d not reported", n)
	}
	close(release)
	for range connectionErrorsMax {
		<-told
	}
	for deadline := time.Now().Add(10 * time.Second); r.engine.Stats().HookPanics != connectionErrorsMax+1; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d panics", r.engine.Stats().HookPanics)
		}
	}
}

// Without hooks a handshake is made in the call, and nothing of a request is kept.
func TestNoHooks(t *testing.T) {
	r := newRig(t, 1, Config{})
	p := r.dial(0)
	p.conn.Feed([]byte(request("GET", base+"polling", "")))
	if a := p.answer(); a == nil || a.StatusCode != 200 {
		t.Error("not in the call")
	}
	if r.engine.hasHooks || r.engine.debug.Load() || r.engine.sids != nil || r.engine.shards[0].noted != nil {
		t.Error("something is on")
	}
}
