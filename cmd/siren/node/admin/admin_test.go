package admin

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"

	"github.com/seed58c87869/siren/cmd/siren/node/problem"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent(),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

const patience = 15 * time.Second

// start makes a server with a route that tells who calls and what.
func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	if cfg.Address == "" {
		cfg.Address = "127.0.0.1:0"
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	echo := func(ctx *fasthttp.RequestCtx, c Caller) {
		ctx.SetBodyString(fmt.Sprintf("key %d from %s: %d bytes", c.Key, c.Address, len(ctx.PostBody())))
	}
	s.Handle(
		Route{Name: "echo", Path: "/api/echo", Methods: []string{"POST"}, JSON: true, Handler: echo},
		Route{Path: "/api/both", Methods: []string{"GET", "POST"}, JSON: true, Handler: echo},
		Route{Path: "/open", Open: true, Handler: echo}, Route{Path: "/", Open: true, Handler: echo},
		Route{Path: "/panics", Handler: func(*fasthttp.RequestCtx, Caller) { panic("oh") }},
	)
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

// answered is an answer.
type answered struct {
	status int
	header http.Header
	body   string
	code   string
}

// send sends a request as it is written, with \n for the ends of lines, and reads the answer.
func send(t *testing.T, s *Server, request string) answered {
	t.Helper()
	c, err := net.Dial(s.Addr().Network(), s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, strings.ReplaceAll(request, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	return read(t, bufio.NewReader(c))
}

func read(t *testing.T, r *bufio.Reader) answered {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answered{status: resp.StatusCode, header: resp.Header, body: string(body)}
	if resp.Header.Get("Content-Type") == "application/problem+json" {
		var p struct {
			Code, Title, Type, Detail string
			Status                    int
		}
		if err := json.Unmarshal(body, &p); err != nil || p.Status != a.status || p.Title == "" || p.Type == "" || p.Detail == "" {
			t.Errorf("%v in %s", err, body)
		}
		a.code = p.Code
	}
	return a
}

func check(t *testing.T, s *Server, request string, status int, code string) answered {
	t.Helper()
	a := send(t, s, request)
	if a.status != status || a.code != code {
		t.Errorf("%.300q: %d %s %s; want %d %s", request, a.status, a.code, a.body, status, code)
	}
	return a
}

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

// Requests that two parties could read differently are refused, and the host of an absolute target counts.
func TestTargets(t *testing.T) {
	s := start(t, Config{})
	check(t, s, "GET /open HTTP/1.1\nHost: localhost\nHost: evil.example\n\n", 400, "bad_request")
	check(t, s, "GET /open HTTP/1.1\nHost: localhost\nhost: localhost\n\n", 400, "bad_request")
	check(t, s, "GET /open HTTP/1.1\nAccept: */*\n\n", 400, "bad_request")
	check(t, s, "POST /api/echo HTTP/1.1\nHost: localhost\nContent-Length: 2\nContent-Length: 2\n\n{}", 400, "bad_request")
	check(t, s, "POST /api/echo HTTP/1.1\nHost: localhost\nContent-Length: 2\nTransfer-Encoding: chunked\n\n0\n\n", 400, "bad_request")
	check(t, s, "GET http://localhost:1/open?x HTTP/1.1\nHost: evil.example\n\n", 200, "")
	check(t, s, "GET HTTP://127.0.0.1/open HTTP/1.1\nHost: evil.example\n\n", 200, "")
	check(t, s, "GET http://evil.example/open HTTP/1.1\nHost: localhost\n\n", 403, "forbidden")
	check(t, s, "GET http://localhost@evil.example/open HTTP/1.1\nHost: localhost\n\n", 400, "bad_request")
	check(t, s, "GET http://evil.example HTTP/1.1\nHost: localhost\n\n", 403, "forbidden")
	check(t, s, "GET http://localhost?x HTTP/1.1\nHost: localhost\n\n", 200, "")
	check(t, s, "OPTIONS * HTTP/1.1\nHost: localhost\n\n", 400, "bad_request")
	check(t, s, "GET /open/ HTTP/1.1\nHost: localhost\n\n", 404, "not_found")
	check(t, s, "GET //open HTTP/1.1\nHost: localhost\n\n", 404, "not_found")
	check(t, s, "GET /api/../open HTTP/1.1\nHost: localhost\n\n", 404, "not_found")
	check(t, s, "GET /%6fpen HTTP/1.1\nHost: localhost\n\n", 404, "not_found")
	check(t, s, "GET /nothing HTTP/1.1\nHost: localhost\n\n", 404, "not_found")
	check(t, s, "garbage\n\n", 400, "bad_request")
	check(t, s, "GET /open HTTP/1.1\nHost: localhost\nX: "+strings.Repeat("x", 20<<10)+"\n\n", 431, "head_too_large")
}

func TestMethodsAndTypes(t *testing.T) {
	s := start(t, Config{})
	head := " HTTP/1.1\nHost: localhost\nContent-Length: 2\n"
	for _, method := range []string{"GET", "PUT", "DELETE", "PATCH"} {
		if a := check(t, s, method+" /api/echo"+head+"\n{}", 405, "method_not_allowed"); a.header.Get("Allow") != "POST" {
			t.Error(a.header)
		}
	}
	if a := check(t, s, "PUT /api/both"+head+"\n{}", 405, "method_not_allowed"); a.header.Get("Allow") != "GET, POST, HEAD" {
		t.Error(a.header)
	}
	check(t, s, "GET /api/both HTTP/1.1\nHost: localhost\n\n", 200, "")
	for _, media := range []string{"application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;x"} {
		check(t, s, "POST /api/echo"+head+"Content-Type: "+media+"\n\n{}", 200, "")
		check(t, s, "POST /api/both"+head+"Content-Type: "+media+"\n\n{}", 200, "")
	}
	for _, media := range []string{
		"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp", "", "json",
		"text/plain; application/json",
	} {
		check(t, s, "POST /api/echo"+head+"Content-Type: "+media+"\n\n{}", 415, "unsupported_media_type")
	}
	check(t, s, "POST /api/echo"+head+"\n{}", 415, "unsupported_media_type")
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

// Other machines reach no listener without a key.
func TestAddresses(t *testing.T) {
	for _, address := range []string{":0", "0.0.0.0:0", "[::]:0", "tcp://:0", "10.1.2.3:80"} {
		if _, err := New(Config{Address: address}); !errors.Is(err, ErrKeyNeeded) || !strings.Contains(err.Error(), "admin.api_keys") {
			t.Errorf("%s: %v", address, err)
		}
		s, err := New(Config{Address: address, Keys: []string{"k"}})
		if err != nil {
			t.Errorf("%s with a key: %v", address, err)
			continue
		}
		if err := s.SetKeys(nil); !errors.Is(err, ErrKeyNeeded) {
			t.Error(err)
		}
	}
	for _, address := range []string{"", "127.0.0.1:0", "localhost:0", "[::1]:0", "unix:///tmp/x", "tcp4://127.3.2.1:0"} {
		if _, err := New(Config{Address: address}); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"x", "udp://127.0.0.1:0", "unix://", "127.0.0.1:x", "no.such.host.invalid:1"} {
		if _, err := New(Config{Address: address}); err == nil {
			t.Errorf("%s is taken", address)
		}
	}
	for _, cfg := range []Config{{MaxBody: -1}, {MaxHead: -1}, {MaxConns: -1}, {RequestsPerSecond: -1}, {ReadTimeout: -1}, {IdleTimeout: -1}, {WriteTimeout: -1}} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
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

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ops.sock")
	stale, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = stale.Close() // its file stays
	s := start(t, Config{Address: "unix://" + path})
	if a := check(t, s, "GET /api/both HTTP/1.1\nHost: whatever\n\n", 200, ""); a.body != "key 0 from unix: 0 bytes" {
		t.Error(a.body)
	}
	second, err := New(Config{Address: "unix://" + path})
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Listen(); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Error(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	third, err := New(Config{Address: "unix://" + file})
	if err != nil {
		t.Fatal(err)
	}
	if err := third.Listen(); err == nil {
		t.Error("a file was replaced")
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

func TestTLS(t *testing.T) {
	web := httptest.NewUnstartedServer(nil)
	web.StartTLS()
	cert := web.TLS.Certificates[0]
	client := web.Client()
	web.Close()
	s := start(t, Config{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}})
	defer client.CloseIdleConnections()
	client.Transport.(*http.Transport).TLSClientConfig.ServerName = "example.com"
	resp, err := client.Get("https://" + s.Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
}

// Requests under way finish when the server closes.
func TestClose(t *testing.T) {
	s, err := New(Config{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	entered, gate := make(chan struct{}), make(chan struct{})
	s.Handle(Route{Path: "/slow", Handler: func(ctx *fasthttp.RequestCtx, _ Caller) { close(entered); <-gate; ctx.SetBodyString("done") }})
	if s.Addr() != nil || s.Close(t.Context()) != nil {
		t.Error("it listens already")
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	got := make(chan answered, 1)
	go func() { got <- send(t, s, "GET /slow HTTP/1.1\nHost: localhost\n\n") }()
	<-entered
	closed := make(chan error, 1)
	go func() { closed <- s.Close(t.Context()) }()
	close(gate)
	if a := <-got; a.body != "done" {
		t.Error(a)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a path was taken twice")
		}
	}()
	s.Handle(Route{Path: "/slow"})
}

// A server may be closed before it has begun to accept.
func TestCloseAtOnce(t *testing.T) {
	for range 100 {
		s, err := New(Config{Address: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Listen(); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
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

func FuzzTarget(f *testing.F) {
	for _, s := range []string{
		"GET /open HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET http://evil/open HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"POST /x HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 1\r\n\r\nx",
	} {
		f.Add([]byte(s))
	}
	s := &Server{routes: map[string]*Route{}}
	s.Handle(Route{Path: "/open", Open: true}, Route{Path: "/api/x"})
	none := keyring{}
	s.keys.Store(&none)
	f.Fuzz(func(t *testing.T, request []byte) {
		var h fasthttp.RequestHeader
		if h.Read(bufio.NewReader(bytes.NewReader(request))) != nil {
			return
		}
		r, _, p := s.admit(&h, true)
		if p == nil && r == nil {
			t.Fatal("neither a route nor a problem")
		}
		if p == nil && bytes.Count(bytes.ToLower(h.RawHeaders()), []byte("\nhost:")) > 1 {
			t.Fatal("two hosts")
		}
	})
}

// lockedBuffer is a buffer for a log. Safe for concurrent use.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Why a request was refused is in the log at debug level, also when a route's handler has refused it.
func TestRefusedLog(t *testing.T) {
	var log lockedBuffer
	s := start(t, Config{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	s.Handle(Route{Name: "picky", Path: "/api/picky", Methods: []string{"POST"}, Handler: func(ctx *fasthttp.RequestCtx, _ Caller) {
		Refuse(ctx, &problem.Problem{Code: problem.BadField, Field: "room", Detail: "there is no such field"})
	}})
	for _, tc := range []struct{ path, contentType, want string }{
		{"/api/echo", "text/plain", `call=echo status=415 code=unsupported_media_type`},
		{"/api/nothing", "application/json", `call=unknown status=404 code=not_found`},
		{"/api/picky", "application/json", `call=picky status=400 code=bad_field field=room detail="there is no such field"`},
	} {
		resp, err := http.Post("http://"+s.Addr().String()+tc.path, tc.contentType, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if text := log.String(); !strings.Contains(text, `msg="request refused" addr=127.0.0.1 `+tc.want) {
			t.Errorf("%s: %s", tc.path, text)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}
