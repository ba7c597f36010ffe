package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed58c87869/siren/poller/pollertest/netns"
)

// smallWindow is the receive buffer of clients for which the kernel takes little: what is left unsent at the end shows.
const smallWindow = 16 << 10

// wantExit waits for the end of the process, which must be in order.
func (p *process) wantExit(t *testing.T) {
	t.Helper()
	if status, ok := p.wait(t); ok && (!status.Exited() || status.ExitStatus() != 0) {
		t.Errorf("it ended with exit code %d, signal %v", status.ExitStatus(), status.Signal())
	}
}

// connect opens a connection with a small receive buffer.
func connect(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := netns.Dialer(smallWindow).Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// nginxConf makes nginx one process, so that requests leave for the server in the order in which they came. It stays root,
// as everybody is in a namespace. It buffers little, so that the server meets the pace of the clients, and it opens new
// connections to the server all the time.
const nginxConf = `daemon off;
master_process off;
user root;
pid DIR/pid;
error_log DIR/error.log;
events { worker_connections 8192; }
http {
	access_log off;
	client_body_temp_path DIR/body;
	proxy_temp_path DIR/proxy;
	fastcgi_temp_path DIR/fastcgi;
	uwsgi_temp_path DIR/uwsgi;
	scgi_temp_path DIR/scgi;
	map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
	upstream siren { server UPSTREAM; keepalive 4; }
	server {
		listen 127.0.0.1:PORT backlog=4096;
		keepalive_requests 1000000;
		location / {
			proxy_pass http://siren;
			proxy_http_version 1.1;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection $connection_upgrade;
			proxy_set_header Host $host;
			proxy_buffering off;
			proxy_read_timeout 60s;
		}
	}
}
`

// startNginx runs nginx in front of the address and returns its own. It skips the test where nginx is not installed.
func startNginx(t *testing.T, upstream string) string {
	t.Helper()
	binary, err := exec.LookPath("nginx")
	if err != nil {
		if binary, err = exec.LookPath("/usr/sbin/nginx"); err != nil {
			t.Skip("nginx is not installed")
		}
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	_ = free.Close()
	dir := t.TempDir()
	conf := strings.NewReplacer("DIR", dir, "UPSTREAM", upstream, "PORT", port).Replace(nginxConf)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	logs := new(logBuffer)
	// As many descriptors as it may have, as the tests have them.
	cmd := exec.Command("sh", "-c", `ulimit -n "$(ulimit -Hn)"; exec "$0" "$@"`,
		binary, "-c", file, "-p", dir, "-e", filepath.Join(dir, "error.log"))
	cmd.Stdout, cmd.Stderr = logs, logs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if text, err := os.ReadFile(filepath.Join(dir, "error.log")); err == nil && t.Failed() {
			t.Logf("nginx: %.2000s", text)
		}
	})
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("tcp", addr); err == nil {
			_ = c.Close()
			return addr
		}
	}
	t.Fatalf("nginx does not listen:\n%s", logs)
	return ""
}
