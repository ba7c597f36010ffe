package server_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/server"
)

// nestedServers makes a server, and another one of the path /inner.
func nestedServers(t *testing.T, around func(h http.Handler) http.Handler, log *logBuffer) (outer, inner *server.Server) {
	t.Helper()
	inner = must(server.New(server.Config{Path: "/inner", Loops: 1, Logger: slog.New(slog.NewTextHandler(log, nil))}))
	if err := inner.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = inner.Close() })
	outer = must(server.New(server.Config{Loops: 1, Fallback: around(inner.Handler())}))
	t.Cleanup(func() { _ = outer.Close() })
	return outer, inner
}

// Two servers share a listener of net/http, each with its WebSockets.
func TestNestedServersOfHTTP(t *testing.T) {
	outer, inner := nestedServers(t, func(h http.Handler) http.Handler { return h }, new(logBuffer))
	if err := outer.Start(); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(outer.Handler())
	t.Cleanup(web.Close)
	for path, srv := range map[string]*server.Server{"/socket.io/": outer, "/inner/": inner} {
		withSync(srv)
		c := dialURL(t, strings.Replace(web.URL, "http", "ws", 1)+path+"?EIO=4&transport=websocket", nil)
		c.send("0")
		c.connected("")
		c.sync()
		if n := srv.Of("/").SocketCount(); n != 1 {
			t.Errorf("%s: %d sockets", path, n)
		}
	}
}

// On a server's own listener the server behind Fallback would get no WebSockets, and Listen says so; if something is
// around it, the inner server logs each WebSocket that it cannot take.
func TestNestedServersOfOwnListener(t *testing.T) {
	outer, _ := nestedServers(t, func(h http.Handler) http.Handler { return h }, new(logBuffer))
	if err := outer.Listen("tcp://127.0.0.1:0"); err == nil || !strings.Contains(err.Error(), `mux.Handle("/socket.io/", srv.Handler())`) {
		t.Error(err)
	}
	var log logBuffer
	outer, inner := nestedServers(t, func(h http.Handler) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("/inner/", h)
		return mux
	}, &log)
	if err := outer.Listen("tcp://127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	resp, _ := exchange(t, outer, "GET /inner/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"+
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	if resp.StatusCode != http.StatusNotImplemented {
		t.Error(resp.Status)
	}
	_ = inner.Close()
	if !strings.Contains(log.String(), "a WebSocket cannot be taken over") {
		t.Error(log.String())
	}
}
