package server_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server"
)

// fetch returns a GET of the server's own path.
func fetch(t *testing.T, srv *server.Server, query string, fields ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest("GET", "http://"+srv.Addr().String()+"/socket.io/?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		req.Header.Set(fields[i], fields[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// The hooks for the engine and for single connections, as clients see them.
func TestEngineHooks(t *testing.T) {
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	var serial atomic.Int64
	refused := make(chan server.ConnectionError, 1)
	srv := start(t, server.Config{
		Tune: func(h *server.RequestInfo, t *server.Tuning) {
			if h.Query().Get("mobile") != "" {
				t.PingInterval, t.MaxPayload = 11*time.Second, 5000
			}
		},
		GenerateID:        func(*server.RequestInfo) string { return fmt.Sprintf("node-7-%020d", serial.Add(1)) },
		OnInitialHeaders:  func(_ *server.RequestInfo, header http.Header) { header.Set("X-Node", "7") },
		OnHeaders:         func(h *server.RequestInfo, header http.Header) { header.Set("X-Method", h.Method()) },
		OnConnectionError: func(e server.ConnectionError) { refused <- e },
	}, func(srv *server.Server) { withSync(srv) })
	resp, body := fetch(t, srv, "EIO=4&transport=polling&mobile=1")
	if resp.Header.Get("X-Node") != "7" || resp.Header.Get("X-Method") != "GET" ||
		!strings.HasPrefix(body, `0{"sid":"node-7-00000000000000000001"`) || !strings.Contains(body, `"pingInterval":11000,"pingTimeout":20000,"maxPayload":5000`) {
		t.Errorf("%v %s", resp.Header, body)
	}
	resp, body = fetch(t, srv, "EIO=4&transport=carrier-pigeon", "User-Agent", "bird")
	if e := receive(t, refused); resp.StatusCode != 400 || e.Code != 0 || e.Message != "Transport unknown" || body != `{"code":0,"message":"Transport unknown"}` ||
		e.Context["transport"] != "carrier-pigeon" || e.Request.Header("user-agent") != "bird" {
		t.Errorf("%d %s %+v", resp.StatusCode, body, e)
	}
	c, id := joined(t, srv, "/")
	c.sync()
	if len(id) != 20 {
		t.Errorf("the socket's id is %q", id)
	}
	p := dialPolling(t, srv)
	p.post("40")
	if got := p.take(1); len(got) != 1 || !strings.HasPrefix(got[0], `40{"sid"`) {
		t.Errorf("%q", got)
	}
}

// The settings of a live connection, set by its connect handler.
func TestConnectionSettings(t *testing.T) {
	srv := start(t, server.Config{PingInterval: 10 * time.Second}, func(srv *server.Server) {
		withSync(srv)
		srv.Of("/").OnConnect(func(_ context.Context, s *server.Socket) error {
			if err := s.SetHeartbeat(11*time.Second, time.Second); err == nil {
				t.Error("an interval longer than announced")
			}
			if err := s.SetHeartbeat(20*time.Millisecond, time.Minute); err != nil {
				return err
			}
			if err := s.SetQueue(server.Queue{MaxBytes: 1 << 40}); err == nil {
				t.Error("a queue longer than the server's")
			}
			if err := s.SetQueue(server.Queue{MaxBytes: 10_000, OnFull: server.OverflowDropNewest}); err != nil {
				return err
			}
			tuned := s.Tuning()
			if tuned.PingInterval != 20*time.Millisecond || tuned.QueueBytes != 10_000 || tuned.OnFull != server.OverflowDropNewest || tuned.VolatileBytes != 16<<10 {
				t.Errorf("%+v", tuned)
			}
			// Held back until CONNECT, within the connection's own queue.
			for range 3 {
				if err := s.Emit("big", strings.Repeat("x", 4000)); err != nil {
					t.Error(err)
				}
			}
			return nil
		})
	})
	c := dial(t, srv)
	c.join("/")
	c.next()
	c.next()
	c.sync()
	eventually(t, "a ping", func() bool { return c.pings.Load() > 0 })
	if n := srv.Stats().EarlyDrops; n != 1 {
		t.Errorf("%d dropped", n)
	}
}

// An answer to a preflight and a cookie with all that the reference offers.
func TestCORSAndCookieOptions(t *testing.T) {
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	srv := start(t, server.Config{
		CORS: server.CORS{
			Match: func(origin string) bool { return strings.HasSuffix(origin, ".example") }, Exposed: []string{"X-A", "X-B"},
			MaxAge: 10 * time.Minute, Credentials: true, PreflightStatus: 200, Enforce: true,
		},
		Cookie: server.Cookie{Name: "io", Domain: "siren.example", Secure: true, Partitioned: true, Priority: "High", SameSite: "None"},
	}, nil)
	resp, _ := fetch(t, srv, "EIO=4&transport=polling", "Origin", "http://a.example")
	h := resp.Header
	if h.Get("Access-Control-Allow-Origin") != "http://a.example" || h.Get("Vary") != "Origin" || h.Get("Access-Control-Expose-Headers") != "X-A,X-B" ||
		!strings.HasSuffix(h.Get("Set-Cookie"), "; Domain=siren.example; Path=/; HttpOnly; Secure; Partitioned; Priority=High; SameSite=None") {
		t.Errorf("%v", h)
	}
	if resp, _ := fetch(t, srv, "EIO=4&transport=polling", "Origin", "http://a.evil"); resp.StatusCode != 403 || resp.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%v", resp)
	}
	req, _ := http.NewRequest("OPTIONS", "http://"+srv.Addr().String()+"/socket.io/", nil)
	req.Header.Set("Origin", "http://a.example")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 || resp.Header.Get("Access-Control-Max-Age") != "600" || resp.Header.Get("Access-Control-Allow-Credentials") != "true" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	for want, cfg := range map[string]server.Config{
		"Priority": {Cookie: server.Cookie{Name: "x", Priority: "Huge"}}, "Partitioned": {Cookie: server.Cookie{Name: "x", Partitioned: true}},
		"domain": {Cookie: server.Cookie{Name: "x", Domain: "a;b"}}, "MaxAge": {CORS: server.CORS{MaxAge: -1}},
		"PreflightStatus": {CORS: server.CORS{PreflightStatus: 404}}, "token": {CORS: server.CORS{Exposed: []string{"a b"}}},
		"Enforce": {CORS: server.CORS{Enforce: true}},
	} {
		if _, err := server.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// What a socket knows of its first request.
func TestHandshakeIsWhole(t *testing.T) {
	got := make(chan server.Handshake, 1)
	srv := start(t, server.Config{}, func(srv *server.Server) {
		srv.Of("/").OnConnect(func(_ context.Context, s *server.Socket) error { got <- s.Handshake(); return nil })
	})
	before := time.Now()
	c := dialPath(t, srv, "/socket.io/", http.Header{"X-One": {"1", "2"}, "Origin": {"http://o.example"}, "Cookie": {"a=b"}})
	c.send(`0{"token":"t"}`)
	c.connected("")
	h := receive(t, got)
	var auth struct{ Token string }
	if err := h.Auth(&auth); err != nil || auth.Token != "t" || string(h.RawAuth()) != `{"token":"t"}` {
		t.Errorf("auth %v %v", auth, err)
	}
	if h.Header("x-one") != "1" || len(h.Headers()["X-One"]) != 2 || h.Header("COOKIE") != "a=b" || h.Query().Get("transport") != "websocket" ||
		h.Address() != "127.0.0.1" || !h.CrossDomain() || h.URL() != "/socket.io/?EIO=4&transport=websocket" || h.Method() != "GET" ||
		h.Issued() != h.Time.UnixMilli() || h.Time.Before(before.Add(-time.Second)) || h.Time.After(time.Now().Add(time.Second)) {
		t.Errorf("%+v", h.RequestInfo)
	}
}
