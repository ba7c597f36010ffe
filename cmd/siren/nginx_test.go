package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

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

// nginxMain is the file that includes deploy/nginx.conf. It makes nginx one process, so that requests leave for the
// server in the order in which they came. That stays root, as everybody is in a namespace. It buffers little, so that
// the server meets the pace of the clients.
const nginxMain = `daemon off;
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
	keepalive_requests 1000000;
	proxy_buffering off;
	include DIR/siren.conf;
}
`

// startNginx runs nginx with deploy/nginx.conf in front of the address, and returns its own addresses, plain and over
// TLS. nginx keeps few connections to the server, so that it opens new ones all the time. It skips the test where nginx
// is not installed.
func startNginx(t *testing.T, upstream string) (plain, secure string) {
	t.Helper()
	nginx := program(t, "nginx")
	dir, addrs := t.TempDir(), freeAddrs(t, 2)
	chain, key, _ := certificate(t, dir)
	site := deployFile(t, "nginx.conf",
		"server 127.0.0.1:3000;", "server "+upstream+";", "keepalive 64;", "keepalive 4;",
		"listen 80;", "listen "+addrs[0]+" backlog=4096;", "listen 443 ssl;", "listen "+addrs[1]+" ssl;",
		"/etc/ssl/siren/fullchain.pem", chain, "/etc/ssl/siren/privkey.pem", key)
	for name, text := range map[string]string{"siren.conf": site, "nginx.conf": strings.ReplaceAll(nginxMain, "DIR", dir)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	errorLog := filepath.Join(dir, "error.log")
	startProxy(t, addrs[0], errorLog, nginx, "-c", filepath.Join(dir, "nginx.conf"), "-p", dir, "-e", errorLog)
	return addrs[0], addrs[1]
}
