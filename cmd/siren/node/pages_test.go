package node

import (
	"net/http/httptest"
	"testing"
)

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
