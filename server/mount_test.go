package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/seed58c87869/siren/server"
)

// wrapped is a listener whose connections are of its own kind, as those of limiting listeners are.
type wrapped struct{ net.Listener }

type wrappedConn struct{ net.Conn }

func (l wrapped) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return wrappedConn{c}, nil
}

// kinds are the ways in which net/http serves.
var kinds = []string{"tcp", "unix", "wrapped", "tls", "http2"}

// host is a program with a mux of its own that serves Siren.
type host struct {
	srv    *server.Server
	http   *httptest.Server
	client *http.Client
	kind   string
	socket string // of kind unix
}

// hosted starts one. Paths but Socket.IO's answer with "the program's".
func hosted(t testing.TB, kind string, cfg server.Config, setup func(srv *server.Server)) *host {
	t.Helper()
	if cfg.Loops == 0 {
		cfg.Loops = 2
	}
	srv, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if setup != nil {
		setup(srv)
	}
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", srv.Handler())
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the program's") })
	h := &host{srv: srv, http: httptest.NewUnstartedServer(mux), kind: kind}
	switch kind {
	case "unix":
		h.socket = filepath.Join(t.TempDir(), "s")
		_ = h.http.Listener.Close()
		if h.http.Listener, err = net.Listen("unix", h.socket); err != nil {
			t.Fatal(err)
		}
	case "wrapped":
		h.http.Listener = wrapped{h.http.Listener}
	}
	h.http.EnableHTTP2 = kind == "http2"
	if kind == "tls" || kind == "http2" {
		h.http.StartTLS()
	} else {
		h.http.Start()
	}
	h.client = h.http.Client()
	if kind == "unix" {
		h.client = &http.Client{Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", h.socket)
			},
		}}
		h.http.URL = "http://siren.example"
	}
	h.client.Timeout = patience
	t.Cleanup(func() {
		h.client.CloseIdleConnections()
		_ = srv.Close()
		h.http.Close()
	})
	return h
}

// dial opens a WebSocket session.
func (h *host) dial(t testing.TB) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	d := ws.Dialer{TLSConfig: &tls.Config{InsecureSkipVerify: true}}
	if h.socket != "" {
		d.NetDial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", h.socket)
		}
	}
	conn, br, _, err := d.Dial(ctx, "ws"+strings.TrimPrefix(h.http.URL, "http")+"/socket.io/?EIO=4&transport=websocket")
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, conn)
	var r io.Reader = conn
	if br != nil {
		r = br
	}
	go c.read(struct {
		io.Reader
		io.Writer
	}{r, lockedWriter{c}})
	t.Cleanup(c.close)
	return c
}

func (h *host) poll(t testing.TB) *poller {
	t.Helper()
	p := &poller{t: t, http: h.client, url: h.http.URL + "/socket.io/?EIO=4&transport=polling"}
	var open struct {
		SID string `json:"sid"`
	}
	if err := json.Unmarshal([]byte(p.get()[1:]), &open); err != nil {
		t.Fatal(err)
	}
	p.url += "&sid=" + open.SID
	t.Cleanup(func() { // Close waits a while for a polling client that might be there
		if resp, err := h.client.Post(p.url, "text/plain", strings.NewReader("1")); err == nil {
			_ = resp.Body.Close()
		}
	})
	return p
}

func echoes(srv *server.Server) {
	withSync(srv)
	srv.Of("/").On("echo", func(_ context.Context, m *server.Message) { _ = m.Socket().Emit("echo", m.Args()...) })
}

// Both transports, through every kind of connection net/http may have.
func TestMount(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			h := hosted(t, kind, server.Config{}, echoes)
			resp, err := h.client.Get(h.http.URL + "/other")
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if string(body) != "the program's" || kind == "http2" && resp.ProtoMajor != 2 {
				t.Fatalf("%q over %s", body, resp.Proto)
			}
			p := h.poll(t)
			p.post("40")
			if got := p.take(1)[0]; !strings.HasPrefix(got, `40{"sid":`) {
				t.Fatal(got)
			}
			reused := false
			ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
				GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused },
			})
			req, _ := http.NewRequestWithContext(ctx, "GET", h.http.URL+"/socket.io/?transport=none", nil)
			if resp, err = h.client.Do(req); err != nil || resp.StatusCode != 400 || !reused {
				t.Fatal("a connection of its own for each request:", resp, err)
			}
			_ = resp.Body.Close()
			big := strings.Repeat("x", 300_000)
			p.post(`42["echo","` + big + `"]`)
			if got := p.take(1)[0]; got != `42["echo","`+big+`"]` {
				t.Fatalf("%d bytes came back", len(got))
			}
			if kind == "http2" {
				return // a WebSocket needs HTTP/1.1
			}
			c := h.dial(t)
			c.join("/")
			c.send(`2["echo",1]`)
			c.expect(`2["echo",1]`)
			c.send(`2["echo","` + big + `"]`)
			c.expect(`2["echo","` + big + `"]`)
			if n, err := h.srv.Emit("all", "both"); n != 2 || err != nil {
				t.Fatal(n, err)
			}
			c.expect(`2["all","both"]`)
			if got := p.take(1)[0]; got != `42["all","both"]` {
				t.Fatal(got)
			}
			c.close()
			eventually(t, "the WebSocket's session ends", func() bool { return h.srv.Of("/").SocketCount() == 1 })
		})
	}
}

// A session moves from polling to WebSocket, onto its own loop or not.
func TestMountUpgrade(t *testing.T) {
	for _, kind := range []string{"tcp", "tls"} {
		t.Run(kind, func(t *testing.T) {
			h := hosted(t, kind, server.Config{Loops: 3}, echoes)
			for range 4 {
				p := h.poll(t)
				p.post("40")
				p.take(1)
				url := "ws" + strings.TrimPrefix(strings.Replace(p.url, "polling", "websocket", 1), "http")
				d := ws.Dialer{TLSConfig: &tls.Config{InsecureSkipVerify: true}}
				conn, _, _, err := d.Dial(context.Background(), url)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(patience))
				say := func(s string) { _ = wsutil.WriteClientText(conn, []byte(s)) }
				hear := func(want string) {
					t.Helper()
					if got, err := wsutil.ReadServerText(conn); string(got) != want {
						t.Fatalf("%q, %v", got, err)
					}
				}
				say("2probe")
				hear("3probe")
				say("5")
				say(`42["echo",2]`)
				hear(`42["echo",2]`)
			}
		})
	}
}

// Before Start and after Close the handler is there and says so; other paths are the program's or the fallback's.
func TestMountWithoutServer(t *testing.T) {
	srv, err := server.New(server.Config{Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(target string) int {
		w := httptest.NewRecorder()
		srv.Handler().ServeHTTP(w, httptest.NewRequest("GET", target, nil))
		return w.Code
	}
	const target = "/socket.io/?EIO=4&transport=polling"
	if got := ask(target); got != 503 {
		t.Errorf("before Start: %d", got)
	}
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	if srv.Addr() != nil {
		t.Error("it has an address")
	}
	if got := ask(target); got != 200 {
		t.Errorf("started: %d", got)
	}
	if got := ask("/other"); got != 404 {
		t.Errorf("another path: %d", got)
	}
	if err := srv.Listen("tcp://127.0.0.1:0"); err == nil {
		t.Error("Listen after Start")
	}
	_ = srv.Close()
	if got := ask(target); got != 503 {
		t.Errorf("after Close: %d", got)
	}
}

// The answers are the session layer's, whatever the program strips from the path, and for HEAD, OPTIONS and errors.
func TestMountAnswers(t *testing.T) {
	srv := start(t, server.Config{
		Path: "/socket.io", CORS: server.CORS{Origins: []string{"https://app.example"}, Credentials: true}, MaxPayload: 1000,
		Fallback: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }),
	}, nil)
	h := srv.Handler()
	for _, c := range []struct {
		name, method, target string
		handler              http.Handler
		body                 io.Reader
		status               int
		has                  string // in head or body
	}{
		{"handshake", "GET", "/socket.io/?EIO=4&transport=polling", h, nil, 200, `0{"sid":`},
		{"no slash", "GET", "/socket.io?EIO=4&transport=polling", h, nil, 200, `0{"sid":`},
		{"below a prefix", "GET", "/a/socket.io/?EIO=4&transport=polling", http.StripPrefix("/a", h), nil, 200, `0{"sid":`},
		{"path stripped", "GET", "/socket.io/?EIO=4&transport=polling", http.StripPrefix("/socket.io", h), nil, 200, `0{"sid":`},
		{"not ours", "GET", "/else", h, nil, 418, ""},
		{"unknown transport", "GET", "/socket.io/?EIO=4&transport=x", h, nil, 400, `{"code":0,`},
		{"websocket without upgrade", "GET", "/socket.io/?EIO=4&transport=websocket", h, nil, 400, `{"code":3,`},
		{"unknown session", "GET", "/socket.io/?EIO=4&transport=polling&sid=nobody", h, nil, 400, `{"code":1,`},
		{"preflight", "OPTIONS", "/socket.io/?EIO=4&transport=polling", h, nil, 204, "Access-Control-Allow-Origin"},
		{"head", "HEAD", "/socket.io/?EIO=4&transport=polling", h, nil, 400, "Content-Length"},
		{"too long", "POST", "/socket.io/?EIO=4&transport=polling&sid=nobody", h, strings.NewReader(strings.Repeat("x", 1001)), 413, "Access-Control-Allow-Origin"},
		{"too long, length unknown", "POST", "/socket.io/?EIO=4&transport=polling&sid=nobody", h, io.MultiReader(strings.NewReader(strings.Repeat("x", 5000))), 400, `{"code":1,`},
		{"refused, length unknown", "POST", "/socket.io/?EIO=4&transport=polling", h, io.MultiReader(strings.NewReader(strings.Repeat("x", 5000))), 400, `{"code":2,`},
		{"length unknown", "POST", "/socket.io/?EIO=4&transport=polling&sid=nobody", h, io.MultiReader(strings.NewReader("40")), 400, `{"code":1,`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, c.target, c.body)
			r.Header.Set("Origin", "https://app.example")
			r.Header["X-Odd"] = []string{"a\r\nInjected: yes"}
			w := httptest.NewRecorder()
			w.Header().Set("Access-Control-Allow-Origin", "middleware's")
			c.handler.ServeHTTP(w, r)
			var head bytes.Buffer
			_ = w.Result().Header.Write(&head)
			if w.Code != c.status || !strings.Contains(head.String()+w.Body.String(), c.has) {
				t.Errorf("%d %s %s", w.Code, head.String(), w.Body)
			}
			if n := len(w.Result().Header["Access-Control-Allow-Origin"]); n != 1 {
				t.Errorf("%d Access-Control-Allow-Origin", n)
			}
		})
	}
}

// An upgrade that is refused is answered, and the connection does not stay with us.
func TestMountRefusesUpgrades(t *testing.T) {
	for _, kind := range []string{"tcp", "unix", "wrapped", "tls"} {
		t.Run(kind, func(t *testing.T) {
			h := hosted(t, kind, server.Config{}, nil)
			for _, c := range []struct{ target, fields, body, want string }{
				{"/socket.io/?EIO=4&transport=websocket", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n", "", "400"},
				{"/socket.io/?EIO=4&transport=websocket&sid=nobody", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", "400"},
				{"/socket.io/?EIO=4&transport=websocket", "Content-Length: 2\r\n", "xx", "400"},
			} {
				conn := h.conn(t)
				fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n%s\r\n%s", c.target, c.fields, c.body)
				if c.body == "" {
					_, _ = io.WriteString(conn, "GET /other HTTP/1.1\r\nHost: h\r\n\r\n")
				} else {
					_, _ = io.WriteString(conn, "GET /other HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
				}
				all, _ := io.ReadAll(conn)
				if !strings.HasPrefix(string(all), "HTTP/1.1 "+c.want) || c.body == "" && strings.Contains(string(all), "404") {
					t.Errorf("%q", all)
				}
				_ = conn.Close()
			}
		})
	}
}

// conn returns a raw connection.
func (h *host) conn(t testing.TB) net.Conn {
	t.Helper()
	addr := h.http.Listener.Addr()
	conn, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	if h.kind == "tls" {
		return tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	}
	return conn
}
