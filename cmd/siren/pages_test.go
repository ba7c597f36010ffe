package main

import (
	"context"
	"net/http/httptest"
	"testing"
)

func TestPages(t *testing.T) {
	live := context.Background()
	over, cancel := context.WithCancel(live)
	cancel()
	for _, c := range []struct {
		name           string
		ctx            context.Context
		demo           bool
		method, target string
		status         int
		body           string
	}{
		{"healthy", live, true, "GET", "/healthz", 200, "ok\n"},
		{"healthy without the demo", live, false, "GET", "/healthz", 200, "ok\n"},
		{"stopping", over, true, "GET", "/healthz", 503, "stopping\n"},
		{"health takes no POST", live, true, "POST", "/healthz", 405, "method not allowed\n"},
		{"health is one path", live, false, "GET", "/healthz/x", 404, ""},
		{"page", live, true, "GET", "/", 200, ""},
		{"page while stopping", over, true, "GET", "/", 200, ""},
		{"no page", live, false, "GET", "/", 404, ""},
		{"no script", live, false, "GET", "/demo/app.js", 404, ""},
		{"unknown", live, true, "GET", "/other", 404, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			newPages(c.ctx, "/socket.io", c.demo).ServeHTTP(w, httptest.NewRequest(c.method, c.target, nil))
			if w.Code != c.status || (c.body != "" && w.Body.String() != c.body) {
				t.Errorf("status %d, body %q", w.Code, w.Body)
			}
		})
	}
}
