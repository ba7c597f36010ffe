package admin

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Somebody without a key has no large body kept for him.
func TestBodies(t *testing.T) {
	s := start(t, Config{Keys: []string{"k"}, MaxBody: 1 << 20})
	post := func(n int, key string) string {
		return fmt.Sprintf("POST /api/echo HTTP/1.1\nHost: x\nContent-Type: application/json\nContent-Length: %d\nX-API-Key: %s\n\n%s", n, key, strings.Repeat("x", n))
	}
	check(t, s, post(1<<20, "k"), 200, "")
	check(t, s, post(1<<20+1, "k"), 413, "too_large")
	check(t, s, post(8<<20, "k"), 413, "too_large")
	check(t, s, post(1<<20, "no"), 401, "unauthorized")
	check(t, s, post(8<<20, "no"), 401, "unauthorized")
	check(t, s, post(100, "no"), 401, "unauthorized")
	chunk := fmt.Sprintf("%x\n%s\n", 64<<10, strings.Repeat("y", 64<<10))
	chunked := "POST /api/echo HTTP/1.1\nHost: x\nContent-Type: application/json\nTransfer-Encoding: chunked\nX-API-Key: "
	check(t, s, chunked+"k\n\n"+strings.Repeat(chunk, 16)+"0\n\n", 200, "")
	check(t, s, chunked+"k\n\n"+strings.Repeat(chunk, 17)+"0\n\n", 413, "too_large")
	check(t, s, chunked+"no\n\n"+strings.Repeat(chunk, 17)+"0\n\n", 401, "unauthorized")
}

// One that sends slowly, or nothing more, is answered and closed.
func TestSlowRequests(t *testing.T) {
	s := start(t, Config{ReadTimeout: 50 * time.Millisecond})
	check(t, s, "POST /api/echo HTTP/1.1\nHost: localhost\nContent-Length: 10\n\nx", 408, "request_timeout")
	check(t, s, "GET /open HTT", 408, "request_timeout")
	if a := check(t, s, "GET /open HTTP/1.1\nHost: localhost\n\n", 200, ""); a.header.Get("Date") == "" || a.header.Get("Server") != "" {
		t.Error(a.header)
	}
}

func TestRate(t *testing.T) {
	s := start(t, Config{RequestsPerSecond: 2})
	get := "GET /api/both HTTP/1.1\nHost: localhost\n\n"
	limited := 0
	for range 6 {
		if a := send(t, s, get); a.status == 429 {
			limited++
			if a.code != "rate_limited" || a.header.Get("Retry-After") != "1" {
				t.Error(a.code, a.header)
			}
		}
	}
	if limited < 1 {
		t.Error("no request was refused")
	}
	check(t, s, "GET /healthz HTTP/1.1\nHost: localhost\n\n", 200, "")
	s.SetRate(0)
	check(t, s, get, 200, "")
	var r rate
	r.set(10)
	now := time.Now()
	for i := range 10 {
		if wait := r.take(now); wait != 0 {
			t.Fatal(i, wait)
		}
	}
	if wait := r.take(now); wait != 100*time.Millisecond {
		t.Error(wait)
	}
	if wait := r.take(now.Add(time.Hour)); wait != 0 || r.tokens > 10 {
		t.Error(wait, r.tokens)
	}
}
