package admin

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestHealthAndReadiness(t *testing.T) {
	ready := Readiness{Ready: true, Status: "ok"}
	s := start(t, Config{Ready: func() Readiness { return ready }, Describe: []byte(`{"openapi":"3.1.0"}`)})
	get := func(path string) string { return "GET " + path + " HTTP/1.1\nHost: localhost\n\n" }
	if a := check(t, s, get("/healthz"), 200, ""); a.body != "ok\n" {
		t.Error(a.body)
	}
	if a := check(t, s, get("/readyz"), 200, ""); a.body != `{"status":"ok"}`+"\n" {
		t.Error(a.body)
	}
	ready = Readiness{Ready: true, Status: "degraded", Broker: "down"}
	if a := check(t, s, get("/readyz"), 200, ""); a.body != `{"status":"degraded","broker":"down"}`+"\n" {
		t.Error(a.body)
	}
	ready = Readiness{Status: "draining"}
	if a := check(t, s, get("/readyz"), 503, ""); a.body != `{"status":"draining"}`+"\n" {
		t.Error(a.body)
	}
	check(t, s, get("/healthz"), 200, "")
	if a := check(t, s, get("/openapi.json"), 200, ""); a.body != `{"openapi":"3.1.0"}` || a.header.Get("Content-Type") != "application/json" {
		t.Error(a)
	}
	if a := check(t, s, get("/debug/pprof/"), 200, ""); !strings.Contains(a.body, "goroutine") {
		t.Error(a.body)
	}
	check(t, s, get("/debug/pprof/cmdline"), 200, "")
	check(t, s, get("/debug/pprof/heap"), 200, "")
	check(t, s, "POST /healthz HTTP/1.1\nHost: localhost\nContent-Length: 0\n\n", 405, "method_not_allowed")
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	if all, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(all), "HTTP/1.1 200 OK") || strings.HasSuffix(string(all), "ok\n") {
		t.Errorf("%q, %v", all, err)
	}
}

// Observe is told of every answer.
func TestObserve(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	s := start(t, Config{Observe: func(route string, status int, took time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, fmt.Sprint(route, " ", status, " ", took >= 0))
	}})
	check(t, s, "GET /api/both HTTP/1.1\nHost: localhost\n\n", 200, "")
	check(t, s, "GET /api/echo HTTP/1.1\nHost: localhost\n\n", 405, "method_not_allowed")
	check(t, s, "GET /nothing HTTP/1.1\nHost: localhost\n\n", 404, "not_found")
	check(t, s, "garbage\n\n", 400, "bad_request")
	mu.Lock()
	defer mu.Unlock()
	if got := strings.Join(seen, ", "); got != "/api/both 200 true, echo 405 true, unknown 404 true, unknown 400 true" {
		t.Error(got)
	}
}
