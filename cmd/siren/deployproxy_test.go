package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/seed58c87869/siren/session/sessiontest"
)

// certificate writes a certificate and its key for tests: each alone, and both in one file.
func certificate(t *testing.T, dir string) (chain, key, both string) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	s.Close()
	pair := s.TLS.Certificates[0]
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	chain, key, both = filepath.Join(dir, "chain.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "both.pem")
	chainText := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})
	keyText := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	for file, text := range map[string][]byte{chain: chainText, key: keyText, both: append(chainText, keyText...)} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return chain, key, both
}

// freeAddrs are addresses that nobody listens on.
func freeAddrs(t *testing.T, n int) []string {
	t.Helper()
	var addrs []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs
}

// program finds an installed program, also where only root has it in its path; without it the test is skipped.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, path := range []string{name, "/usr/sbin/" + name} {
		if binary, err := exec.LookPath(path); err == nil {
			return binary
		}
	}
	t.Skip(name + " is not installed")
	return ""
}

// startProxy runs a proxy until the test ends, and waits until it listens.
func startProxy(t *testing.T, addr string, errorLog string, line ...string) {
	t.Helper()
	logs := new(logBuffer)
	// As many descriptors as it may have, as the tests have them.
	cmd := exec.Command("sh", append([]string{"-c", `ulimit -n "$(ulimit -Hn)"; exec "$0" "$@"`}, line...)...)
	cmd.Stdout, cmd.Stderr = logs, logs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if text, err := os.ReadFile(errorLog); t.Failed() {
			t.Logf("%s: %s %.2000s %v", line[0], logs, text, err)
		}
	})
	eventuallyListens(t, addr)
}

// wantServed checks that clients are served through a proxy, with both transports, plain and over TLS, and that the node
// knows their address.
func wantServed(t *testing.T, n *testNode, plain, secure string) {
	t.Helper()
	operators := n.operators(t)
	dial := func(overTLS bool) net.Conn {
		c, err := net.Dial("tcp", plain)
		if overTLS {
			c, err = tls.Dial("tcp", secure, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	for _, overTLS := range []bool{false, true} {
		w, err := sessiontest.JoinWebSocket(dial(overTLS), "/socket.io/")
		if err != nil {
			t.Fatalf("WebSocket, TLS %v: %v", overTLS, err)
		}
		if err := w.Send(`421["join","room"]`); err != nil {
			t.Fatal(err)
		}
		until(t, `431[{"status":"ok"}]`, func() ([]sessiontest.Message, error) {
			m, err := w.Next()
			return []sessiontest.Message{m}, err
		})
		p, err := sessiontest.JoinPolling(dial(overTLS), dial(overTLS), "/socket.io/")
		if err != nil {
			t.Fatalf("polling, TLS %v: %v", overTLS, err)
		}
		if err := p.Post(`421["join","room"]`); err != nil {
			t.Fatal(err)
		}
		until(t, `431[{"status":"ok"}]`, p.Get)
	}
	status, body := post(t, operators+"/api/sockets", "", `{"rooms":["room"]}`)
	if status != 200 || strings.Count(body, `"address":"127.0.0.1"`) != 4 {
		t.Errorf("the sockets are %d %s", status, body)
	}
}

// trusting are the flags of a node behind the proxies of deploy/.
var trusting = []string{"--trusted-proxy", "127.0.0.0/8", "--admin-listen", "127.0.0.1:0"}

// Clients are served behind nginx as deploy/nginx.conf configures it.
func TestDeployNginx(t *testing.T) {
	program(t, "nginx")
	n := startNode(t, trusting...)
	plain, secure := startNginx(t, n.addr)
	wantServed(t, n, plain, secure)
	if status, body := get(t, "http://"+plain+"/readyz"); status != 200 || body != "ok\n" {
		t.Errorf("readyz: %d %q", status, body)
	}
	if status, _ := get(t, "http://"+plain+"/api/stats"); status != 404 {
		t.Errorf("the API is open to clients: %d", status)
	}
}

// Clients are served behind HAProxy as deploy/haproxy.cfg configures it.
func TestDeployHAProxy(t *testing.T) {
	haproxy := program(t, "haproxy")
	n := startNode(t, trusting...)
	dir, addrs := t.TempDir(), freeAddrs(t, 2)
	_, _, both := certificate(t, dir)
	conf := deployFile(t, "haproxy.cfg",
		"bind :80\n", "bind "+addrs[0]+"\n", "bind :443 ", "bind "+addrs[1]+" ", "/etc/haproxy/siren.pem", both,
		"127.0.0.1:3000", n.addr, "maxconn 100000", "maxconn 1000")
	file := filepath.Join(dir, "haproxy.cfg")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(haproxy, "-c", "-q", "-f", file).CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("haproxy -c: %v\n%s", err, out)
	}
	startProxy(t, addrs[0], "", haproxy, "-db", "-f", file)
	wantServed(t, n, addrs[0], addrs[1])
}
