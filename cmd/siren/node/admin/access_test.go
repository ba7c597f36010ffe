package admin

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/valyala/fasthttp"
)

// Without a key only this machine's programs may ask, and no page in its browsers.
func TestWithoutKeys(t *testing.T) {
	s := start(t, Config{})
	post := "POST /api/echo HTTP/1.1\nContent-Type: application/json\nContent-Length: 2\n"
	port := s.Addr().(*net.TCPAddr).Port
	for _, host := range []string{
		"localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:3001", "127.9.9.9", "[::1]", "[::1]:3001", "[::ffff:127.0.0.1]:1",
	} {
		if a := check(t, s, post+"Host: "+host+"\n\n{}", 200, ""); a.body != "key 0 from 127.0.0.1: 2 bytes" {
			t.Error(a.body)
		}
	}
	for _, host := range []string{
		"evil.example", "evil.example:3001", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "0.0.0.0", "[::]",
		"xlocalhost", "[::ffff:10.0.0.1]", "",
	} {
		check(t, s, post+"Host: "+host+"\n\n{}", 403, "forbidden")
		check(t, s, "GET /open HTTP/1.1\nHost: "+host+"\n\n", 403, "forbidden")
	}
	own := fmt.Sprintf("localhost:%d", port)
	for origin, status := range map[string]int{
		"http://" + own: 200, "https://" + own: 200, "http://evil.example": 403, "http://localhost:1": 403, "null": 403,
		"http://localhost": 403, "http://127.0.0.1" + own[9:]: 403, "file://" + own: 403,
	} {
		code := ""
		if status == 403 {
			code = "forbidden"
		}
		check(t, s, post+"Host: "+own+"\nOrigin: "+origin+"\n\n{}", status, code)
	}
}

// With keys a key is all that counts, but for open routes.
func TestKeys(t *testing.T) {
	var logs bytes.Buffer
	var mu sync.Mutex
	s := start(t, Config{Keys: []string{"first-key", "second-key"}, Logger: slog.New(slog.NewTextHandler(locked{&mu, &logs}, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	post := "POST /api/echo HTTP/1.1\nHost: any.example\nContent-Type: application/json\nContent-Length: 2\n"
	for _, test := range []struct {
		header string
		key    int
	}{
		{"Authorization: Bearer first-key", 1}, {"Authorization: bearer second-key", 2}, {"X-API-Key: second-key", 2},
		{"x-api-key: first-key\nOrigin: http://evil.example", 1},
		{"Authorization: Basic proxy\nX-API-Key: second-key", 2},
	} {
		if a := check(t, s, post+test.header+"\n\n{}", 200, ""); a.body != fmt.Sprintf("key %d from 127.0.0.1: 2 bytes", test.key) {
			t.Error(a.body)
		}
	}
	for _, header := range []string{
		"X: y", "Authorization: Bearer", "Authorization: Bearer ", "Authorization: Bearer first-ke", "Authorization: Bearer first-keyy",
		"Authorization: Basic first-key", "Authorization: first-key", "X-API-Key: FIRST-KEY", "X-API-Key:", "Cookie: key=first-key",
		"Authorization: Bearer wrong\nX-API-Key: first-key",
	} {
		if a := check(t, s, post+header+"\n\n{}", 401, "unauthorized"); a.header.Get("WWW-Authenticate") != "Bearer" {
			t.Error(a.header)
		}
	}
	for _, path := range []string{"/debug/pprof/", "/api/both", "/nothing", "/panics"} {
		check(t, s, "GET "+path+" HTTP/1.1\nHost: any.example\n\n", 401, "unauthorized")
	}
	for _, path := range []string{"/healthz", "/readyz", "/open", "/"} {
		check(t, s, "GET "+path+" HTTP/1.1\nHost: any.example\n\n", 200, "")
	}
	check(t, s, "GET /nothing HTTP/1.1\nHost: x\nX-API-Key: first-key\n\n", 404, "not_found")
	if err := s.SetKeys([]string{"third-key"}); err != nil {
		t.Fatal(err)
	}
	check(t, s, post+"X-API-Key: first-key\n\n{}", 401, "unauthorized")
	check(t, s, post+"X-API-Key: third-key\n\n{}", 200, "")
	for _, bad := range [][]string{{""}, {"a", ""}, {" a"}} {
		if err := s.SetKeys(bad); err == nil {
			t.Errorf("keys %q are taken", bad)
		}
	}
	check(t, s, post+"X-API-Key: third-key\n\n{}", 200, "")
	check(t, s, "GET /panics HTTP/1.1\nHost: x\nX-API-Key: third-key\n\n", 500, "internal")
	mu.Lock()
	defer mu.Unlock()
	if !strings.Contains(logs.String(), "panicked") || strings.Contains(logs.String(), "-key") {
		t.Errorf("the log: %s", logs.String())
	}
}

type locked struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// A key that travels in clear is worth a warning.
func TestClearKeysAreWarnedOf(t *testing.T) {
	for address, warns := range map[string]bool{"0.0.0.0:0": true, "127.0.0.1:0": false} {
		var logs bytes.Buffer
		var mu sync.Mutex
		start(t, Config{Address: address, Keys: []string{"k"}, Logger: slog.New(slog.NewTextHandler(locked{&mu, &logs}, nil))})
		mu.Lock()
		if got := strings.Contains(logs.String(), "keys travel in clear"); got != warns {
			t.Errorf("%s: %s", address, logs.String())
		}
		mu.Unlock()
	}
}

// The route of metrics is open, unless it is protected; then it needs a key and counts for the rate.
func TestProtectMetrics(t *testing.T) {
	s, err := New(Config{Address: "127.0.0.1:0", Keys: []string{"key"}, RequestsPerSecond: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/metrics", "/other"} {
		s.Handle(Route{Path: path, Open: true, Handler: func(ctx *fasthttp.RequestCtx, _ Caller) { ctx.SetBodyString("x") }})
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close(t.Context()) }()
	get := func(path, key string) int {
		t.Helper()
		request, err := http.NewRequest("GET", "http://"+s.Addr().String()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-API-Key", key)
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		r, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		return r.StatusCode
	}
	for step, c := range []struct {
		protect bool
		path    string
		key     string
		want    int
	}{
		{false, "/metrics", "", 200}, {false, "/metrics", "", 200}, {true, "/metrics", "", 401}, {true, "/metrics", "wrong", 401},
		{true, "/metrics", "key", 200}, {true, "/metrics", "key", 429}, {true, "/other", "", 200}, {false, "/metrics", "", 200},
	} {
		s.SetProtectMetrics(c.protect)
		if got := get(c.path, c.key); got != c.want {
			t.Errorf("step %d: %d, want %d", step, got, c.want)
		}
	}
	if on, err := New(Config{Address: "127.0.0.1:0", Keys: []string{"key"}, ProtectMetrics: true}); err != nil || !on.protectsMetrics.Load() {
		t.Error("the setting is lost: ", err)
	}
}
