package server_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/seed58c87869/siren/server"
)

// Whose a connection is, as net/http and the proxies that it trusts tell.
func TestMountAddresses(t *testing.T) {
	for _, kind := range []string{"tcp", "unix", "tls"} {
		t.Run(kind, func(t *testing.T) {
			seen := make(chan server.Handshake, 2)
			h := hosted(t, kind, server.Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, func(srv *server.Server) {
				srv.Of("/").OnConnect(func(_ context.Context, s *server.Socket) error { seen <- s.Handshake(); return nil })
			})
			h.poll(t).post("40")
			h.dial(t).send("0")
			for range 2 {
				hs := receive(t, seen)
				if want := map[string]string{"unix": ""}[kind]; kind == "unix" && hs.Address() != want || kind != "unix" && hs.Address() != "127.0.0.1" {
					t.Errorf("address %q", hs.Address())
				}
				if hs.Secure() != (kind == "tls") {
					t.Errorf("secure %v", hs.Secure())
				}
			}
			h.client.Transport = forwarding{h.client.Transport}
			h.poll(t).post("40")
			if hs := receive(t, seen); hs.Address() != "203.0.113.9" || !hs.Secure() {
				t.Errorf("behind a proxy: %v %v", hs.Addr, hs.Secure())
			}
		})
	}
}

type forwarding struct{ http.RoundTripper }

func (f forwarding) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", "203.0.113.9")
	r.Header.Set("X-Forwarded-Proto", "https")
	return f.RoundTripper.RoundTrip(r)
}

func (f forwarding) CloseIdleConnections() {
	if c, ok := f.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// Close ends what it serves in net/http: WebSockets of all kinds, and GETs that wait. Goroutines are checked by
// TestMain.
func TestMountCloses(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			h := hosted(t, kind, server.Config{}, echoes)
			var waiting sync.WaitGroup
			for range 5 {
				p := h.poll(t)
				p.post("40")
				p.take(1)
				waiting.Go(func() {
					resp, err := h.client.Get(p.url)
					if err != nil {
						return
					}
					body, _ := io.ReadAll(resp.Body)
					_ = resp.Body.Close()
					if got := string(body); got != "1" && !strings.Contains(got, "41") && resp.StatusCode == 200 {
						t.Errorf("%q", got)
					}
				})
			}
			var clients []*client
			if kind != "http2" {
				for range 5 {
					c := h.dial(t)
					c.join("/")
					clients = append(clients, c)
				}
			}
			if err := h.srv.Close(); err != nil {
				t.Error(err)
			}
			waiting.Wait()
			for _, c := range clients {
				for range c.in { // its end, and a DISCONNECT before
				}
			}
		})
	}
}

// A client that goes away under its GET leaves nothing behind, and its session ends as it does on the own listener.
func TestMountClientGone(t *testing.T) {
	for _, kind := range []string{"tcp", "http2"} {
		t.Run(kind, func(t *testing.T) {
			h := hosted(t, kind, server.Config{PingInterval: 300 * time.Millisecond, PingTimeout: 300 * time.Millisecond}, echoes)
			p := h.poll(t)
			p.post("40")
			p.take(1)
			ctx, cancel := context.WithCancel(context.Background())
			req, err := http.NewRequestWithContext(ctx, "GET", p.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			gone := make(chan error, 1)
			go func() {
				resp, err := h.client.Do(req)
				if err == nil {
					_ = resp.Body.Close()
				}
				gone <- err
			}()
			time.Sleep(20 * time.Millisecond) // it may wait by then, or not: either is right
			cancel()
			<-gone
			eventually(t, "the session ends", func() bool { return h.srv.Of("/").SocketCount() == 0 })
		})
	}
}

// A body that stops halfway ends the request and its session, not the server.
func TestMountBodyCut(t *testing.T) {
	h := hosted(t, "tcp", server.Config{BodyTimeout: 100 * time.Millisecond}, echoes)
	p := h.poll(t)
	p.post("40")
	p.take(1)
	conn := h.conn(t)
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n42[", strings.TrimPrefix(p.url, h.http.URL))
	all, _ := io.ReadAll(conn)
	if !strings.HasPrefix(string(all), "HTTP/1.1 408") {
		t.Errorf("%q", all)
	}
	_ = conn.Close()
	eventually(t, "the session ends", func() bool { return h.srv.Of("/").SocketCount() == 0 })
}

// The time-outs of the program's server do not cut a GET that waits, and hold again for its other handlers.
func TestMountOutlivesServerTimeouts(t *testing.T) {
	srv := start(t, server.Config{PingInterval: 900 * time.Millisecond}, echoes)
	front := httptest.NewUnstartedServer(srv.Handler())
	front.Config.ReadTimeout, front.Config.WriteTimeout = 200*time.Millisecond, 200*time.Millisecond
	front.Start()
	defer front.Close()
	h := &host{srv: srv, http: front, client: front.Client(), kind: "tcp"}
	p := h.poll(t)
	p.post("40")
	p.take(1)
	if got := p.get(); got != "2" {
		t.Errorf("%q", got)
	}
	h.client.CloseIdleConnections()
}

// A WebSocket on TLS whose client reads nothing is cut, and does not hold up others.
func TestMountSlowConsumer(t *testing.T) {
	for _, kind := range []string{"tcp", "wrapped", "tls"} {
		t.Run(kind, func(t *testing.T) {
			h := hosted(t, kind, server.Config{Queue: server.Queue{MaxBytes: 1 << 20}, WriteTimeout: 300 * time.Millisecond}, echoes)
			conn := h.conn(t)
			defer conn.Close()
			_, _ = io.WriteString(conn, "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
			_ = wsutil.WriteClientText(conn, []byte("40"))
			eventually(t, "it has joined", func() bool { return h.srv.Of("/").SocketCount() == 1 })
			good := h.dial(t)
			good.join("/")
			blob := strings.Repeat("z", 100_000)
			for i := 0; h.srv.Of("/").SocketCount() > 1 && i < 400; i++ {
				if _, err := h.srv.Emit("blob", blob); err != nil {
					t.Fatal(err)
				}
				good.expect(`2["blob","` + blob + `"]`)
			}
			eventually(t, "the slow one is gone", func() bool { return h.srv.Of("/").SocketCount() == 1 })
			good.sync()
		})
	}
}

// MaxConns holds for WebSockets in either place.
func TestMountMaxConns(t *testing.T) {
	for _, kind := range []string{"tcp", "tls"} {
		t.Run(kind, func(t *testing.T) {
			h := hosted(t, kind, server.Config{MaxConns: 2}, nil)
			h.dial(t).join("/")
			second := h.dial(t)
			second.join("/")
			conn := h.conn(t)
			defer conn.Close()
			_, _ = io.WriteString(conn, "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || resp.StatusCode != 503 {
				t.Fatal(resp, err)
			}
			second.close()
			eventually(t, "there is room again", func() bool {
				d := ws.Dialer{TLSConfig: &tls.Config{InsecureSkipVerify: true}}
				c, _, _, err := d.Dial(context.Background(), "ws"+strings.TrimPrefix(h.http.URL, "http")+"/socket.io/?EIO=4&transport=websocket")
				if err == nil {
					_ = c.Close()
				}
				return err == nil
			})
		})
	}
}

// A client may send frames right behind its request: net/http has read them, and they are not lost.
func TestMountKeepsWhatWasReadAhead(t *testing.T) {
	for _, kind := range []string{"tcp", "tls"} {
		t.Run(kind, func(t *testing.T) {
			h := hosted(t, kind, server.Config{}, echoes)
			var out bytes.Buffer
			out.WriteString("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
			long := strings.Repeat("y", 9000) // more than net/http's buffer
			for _, p := range []string{"40", `42["echo","early"]`, `42["echo","` + long + `"]`} {
				_ = wsutil.WriteClientText(&out, []byte(p))
			}
			conn := h.conn(t)
			defer conn.Close()
			if _, err := conn.Write(out.Bytes()); err != nil {
				t.Fatal(err)
			}
			br := bufio.NewReader(conn)
			resp, err := http.ReadResponse(br, nil)
			if err != nil || resp.StatusCode != 101 {
				t.Fatal(resp, err)
			}
			rw := struct {
				io.Reader
				io.Writer
			}{br, conn}
			for _, want := range []string{"0{", "40{", `42["echo","early"]`, `42["echo","` + long + `"]`} {
				if got, err := wsutil.ReadServerText(rw); !strings.HasPrefix(string(got), want) {
					t.Fatalf("%.40q, %v", got, err)
				}
			}
		})
	}
}

// An upgrade that cannot be: over HTTP/2 or HTTP/1.0, with a body, or through middleware that hides the connection.
func TestMountWithoutHijack(t *testing.T) {
	srv, err := server.New(server.Config{Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	for want, change := range map[int]func(r *http.Request){
		http.StatusNotImplemented: func(*http.Request) {},
		http.StatusBadRequest:     func(r *http.Request) { r.Proto, r.ProtoMinor = "HTTP/1.0", 0 },
	} {
		r := httptest.NewRequest("GET", "/socket.io/?EIO=4&transport=websocket", nil)
		r.Header.Set("Connection", "keep-alive, Upgrade")
		r.Header.Set("Upgrade", "websocket")
		change(r)
		w := httptest.NewRecorder()
		if srv.Handler().ServeHTTP(w, r); w.Code != want {
			t.Errorf("%s: %d", r.Proto, w.Code)
		}
	}
	r := httptest.NewRequest("CONNECT", "/socket.io/?EIO=4&transport=websocket", nil)
	r.RequestURI, r.Proto, r.ProtoMajor = "/socket.io/?EIO=4&transport=websocket", "HTTP/2.0", 2
	r.Header.Set(":protocol", "websocket") // RFC 8441
	w := httptest.NewRecorder()
	if srv.Handler().ServeHTTP(w, r); w.Code != http.StatusNotImplemented {
		t.Errorf("over HTTP/2: %d", w.Code)
	}
	if n := srv.Stats().Sessions.Opened; n != 0 {
		t.Errorf("%d sessions", n)
	}
}
