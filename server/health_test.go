package server_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server"
)

// statusOf sends a request on a connection of its own and returns the answer's status, with what tells that the
// connection ends; 0 when it is closed without one.
func statusOf(t *testing.T, addr net.Addr, request string) (status int, last bool) {
	t.Helper()
	conn, err := net.DialTimeout(addr.Network(), addr.String(), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request[strings.LastIndex(request[:strings.Index(request, " /")], "\n")+1:], " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return 0, true
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Close
}

// A server that is full answers its health check, so that nobody restarts it, and 503 to everybody else.
func TestHealthAtTheLimit(t *testing.T) {
	const proxy = "PROXY TCP4 198.51.100.7 127.0.0.1 4711 80\r\n"
	for _, c := range []struct {
		name, head string
		cfg        server.Config
	}{
		{"tcp", "", server.Config{}},
		{"unix", "", server.Config{}},
		{"PROXY", proxy, server.Config{ProxyProtocol: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			log := &logBuffer{}
			mux := http.NewServeMux()
			mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
			mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "page") })
			cfg := c.cfg
			cfg.Loops, cfg.MaxConns, cfg.HealthPath, cfg.MaxHealthConns, cfg.Fallback = 2, 3, "/healthz", 8, mux
			cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
			srv, err := server.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer srv.Close()
			addr := "127.0.0.1:0"
			if c.name == "unix" {
				addr = "unix://" + filepath.Join(t.TempDir(), "s")
			}
			if err := srv.Listen(addr); err != nil {
				t.Fatal(err)
			}
			var held []net.Conn
			for range cfg.MaxConns {
				held = append(held, silent(t, srv))
			}
			eventually(t, "it is full", func() bool { return srv.Stats().Poller.Conns == int64(cfg.MaxConns) })
			ask := func(request string, want int) {
				t.Helper()
				if got, last := statusOf(t, srv.Addr(), c.head+request); got != want || !last {
					t.Errorf("%.30q: status %d, last %v; want %d", request, got, last, want)
				}
			}
			all := func() {
				t.Helper()
				ask("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n", 200)
				ask("HEAD /healthz HTTP/1.1\r\nHost: h\r\n\r\n", 200)
				ask("POST /healthz HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 503)
				ask("GET /healthz HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", 503)
				ask("GET /page HTTP/1.1\r\nHost: h\r\n\r\n", 503)
				ask("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\n\r\n", 503)
				// The body is missing.
				ask("POST /socket.io/?EIO=4&transport=polling&sid=x HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\n", 503)
				ask("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
					"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 503)
			}
			all()
			// Clients that connect and say nothing keep nobody out: the oldest of them make room.
			var mutes []net.Conn
			for range 100 {
				mutes = append(mutes, silent(t, srv))
			}
			all()
			if text := answerOf(mutes[0]); c.head == "" && !strings.HasPrefix(text, "HTTP/1.1 503 ") {
				t.Errorf("one that made room got %q", text)
			}
			eventually(t, "the connections over the limit are counted", func() bool { return srv.Stats().Sessions.OverLimit >= 100 })
			stats := srv.Stats()
			if n := stats.RefusedBy()["connections"]; n == 0 || n != stats.Sessions.Busy || n > stats.Sessions.OverLimit {
				t.Errorf("%d of %d connections over the limit got 503", n, stats.Sessions.OverLimit)
			}
			warnings := func() int { return strings.Count(log.String(), "level=WARN msg=\"the limit of connections is reached") }
			eventually(t, "a warning", func() bool { return warnings() > 0 }) // the log is behind
			if n := warnings(); n != 1 {
				t.Errorf("%d warnings:\n%s", n, log)
			}
			for _, m := range mutes {
				_ = m.Close()
			}
			_ = held[0].Close()
			eventually(t, "there is room again", func() bool {
				status, _ := statusOf(t, srv.Addr(), c.head+"GET /page HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
				return status == 200
			})
		})
	}
}

// silent opens a connection that says nothing.
func silent(t *testing.T, srv *server.Server) net.Conn {
	t.Helper()
	conn, err := net.Dial(srv.Addr().Network(), srv.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func answerOf(conn net.Conn) string {
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	b, _ := io.ReadAll(conn)
	return string(b)
}

// Without a HealthPath nothing is served above the limit.
func TestNoHealthPath(t *testing.T) {
	srv, err := server.New(server.Config{Loops: 1, MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	if err := srv.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	silent(t, srv)
	eventually(t, "it is full", func() bool { return srv.Stats().Poller.Conns == 1 })
	if status, last := statusOf(t, srv.Addr(), "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"); status != 503 || !last {
		t.Errorf("status %d, last %v", status, last)
	}
	if s := srv.Stats(); s.Poller.Conns != 1 || s.Sessions.OverLimit != 0 {
		t.Errorf("%d connections, %d over the limit", s.Poller.Conns, s.Sessions.OverLimit)
	}
}

// HealthPath and MaxHealthConns are checked.
func TestHealthSettings(t *testing.T) {
	pages := http.NotFoundHandler()
	for _, c := range []struct {
		cfg  server.Config
		want string // "": it is good
	}{
		{server.Config{HealthPath: "/healthz", Fallback: pages}, ""},
		{server.Config{HealthPath: "/healthz"}, "HealthPath needs a Fallback"},
		{server.Config{HealthPath: "healthz", Fallback: pages}, "HealthPath"},
		{server.Config{HealthPath: "/socket.io/", Fallback: pages}, "HealthPath"},
		{server.Config{HealthPath: "/healthz", Fallback: pages, MaxHealthConns: -1}, "MaxHealthConns"},
	} {
		_, err := server.New(c.cfg)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q, %d: %v", c.cfg.HealthPath, c.cfg.MaxHealthConns, fmt.Sprint(err))
		}
	}
}
