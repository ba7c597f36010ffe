package admin

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

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
