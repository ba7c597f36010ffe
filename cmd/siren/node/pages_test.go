package node

import (
	"net"
	"net/http/httptest"
	"strings"
	"testing"
)

// Who asks for the client's script under the path of Socket.IO, where the server of Node.js has it, reads where to get it.
func TestClientScript(t *testing.T) {
	for _, demo := range []bool{true, false} {
		for _, file := range []string{"socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js"} {
			for _, path := range []string{"/socket.io", "/live/"} {
				w := httptest.NewRecorder()
				(&Node{drain: newDrain(nil)}).pages(path, demo).
					ServeHTTP(w, httptest.NewRequest("GET", strings.TrimRight(path, "/")+"/"+file, nil))
				script := "\n  https://cdn.socket.io/4.8.3/" + file + "\n"
				if w.Code != 404 || !strings.Contains(w.Body.String(), script) || !strings.Contains(w.Body.String(), "npm") {
					t.Errorf("%s below %s: status %d, body %q", file, path, w.Code, w.Body)
				}
			}
		}
	}
}

func TestPageAddress(t *testing.T) {
	for _, c := range []struct {
		scheme string
		addr   net.Addr
		want   string
	}{
		{"http", &net.TCPAddr{IP: net.IPv6unspecified, Port: 3000}, "http://localhost:3000/"},
		{"http", &net.TCPAddr{IP: net.IPv4zero, Port: 3000}, "http://localhost:3000/"},
		{"https", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 3001}, "https://127.0.0.1:3001/"},
		{"http", &net.TCPAddr{IP: net.IPv6loopback, Port: 80}, "http://[::1]:80/"},
		{"http", &net.UnixAddr{Name: "/run/siren.sock", Net: "unix"}, ""},
	} {
		if got := pageAddress(c.scheme, c.addr); got != c.want {
			t.Errorf("%v: %q, want %q", c.addr, got, c.want)
		}
	}
}

func TestPages(t *testing.T) {
	for _, c := range []struct {
		name           string
		ending         bool
		demo           bool
		method, target string
		status         int
		body           string
	}{
		{"healthy", false, true, "GET", "/healthz", 200, "ok\n"},
		{"healthy without the demo", false, false, "GET", "/healthz", 200, "ok\n"},
		{"alive while stopping", true, true, "GET", "/healthz", 200, "ok\n"},
		{"ready", false, true, "GET", "/readyz", 200, "ok\n"},
		{"stopping", true, false, "GET", "/readyz", 503, "draining\n"},
		{"ready takes no POST", true, false, "POST", "/readyz", 405, "method not allowed\n"},
		{"health takes no POST", false, true, "POST", "/healthz", 405, "method not allowed\n"},
		{"health is one path", false, false, "GET", "/healthz/x", 404, ""},
		{"page", false, true, "GET", "/", 200, ""},
		{"page while stopping", true, true, "GET", "/", 200, ""},
		{"no page", false, false, "GET", "/", 404, ""},
		{"no script", false, false, "GET", "/demo/app.js", 404, ""},
		{"unknown", false, true, "GET", "/other", 404, ""},
		{"no script of the client", false, true, "GET", "/socket.io/other.js", 404, "Not found\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			n := &Node{drain: newDrain(nil)}
			if c.ending {
				close(n.drain.begun)
			}
			n.pages("/socket.io", c.demo).ServeHTTP(w, httptest.NewRequest(c.method, c.target, nil))
			if w.Code != c.status || (c.body != "" && w.Body.String() != c.body) {
				t.Errorf("status %d, body %q", w.Code, w.Body)
			}
		})
	}
}
