package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server"
)

func TestServeRefusesFlags(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--ping-interval 0s", "--ping-interval: must be at least 1ms"},
		{"--ping-timeout -1s", "--ping-timeout: must be at least 1ms"},
		{"--max-payload 0", "--max-payload: must be between 1 and 268435456"},
		{"--max-payload 268435457", "--max-payload: must be between 1 and 268435456"},
		{"--max-conns -1", "--max-conns: must not be negative"},
		{"--max-conns 2000000000", "or lower --max-conns"},
		{"--loops 257", "--loops: must be between 0 and 256"},
		{"--loops -1", "--loops: must be between 0 and 256"},
		{"--path socket.io", "--path: must begin with a slash"},
		{"--path /", "--path: must begin with a slash and be more"},
		{"--log-level loud", `--log-level: must be one of debug, info, warn, error, not "loud"`},
		{"--log-format xml", `--log-format: must be one of text, json, not "xml"`},
		{"--addr=", "--addr: must not be empty"},
		{"--addr 3000", `--addr: "3000": missing port in address; an address is tcp://host:port, host:port, :port or unix://path`},
		{"--addr http://x:1", `"http://x:1" is neither tcp`},
		{"--cors-origin * --cors-origin http://x", "stands alone"},
		{"--recovery -1s", "--recovery: must not be negative"},
		{"--trusted-proxy proxy.example", `--trusted-proxy: "proxy.example" is neither`},
		{"--broker kafka://x:1", "--broker: must be a URL with redis://"},
		{"--broker redis://127.0.0.1:1?adapter=x", `broker: redis: adapter "x" is not known`},
		{"--unknown", "unknown flag"},
		{"argument", "unknown command"},
	} {
		t.Run(c.args, func(t *testing.T) {
			var out logBuffer
			args := append([]string{"serve"}, strings.Fields(c.args)...)
			if !strings.Contains(c.args, "--addr") {
				args = append(args, "--addr", "127.0.0.1:0")
			}
			code := execute(context.Background(), args, io.Discard, &out)
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			last := lines[len(lines)-1]
			if code != 1 || !strings.HasPrefix(last, "siren: ") || !strings.Contains(last, c.want) {
				t.Errorf("exit code %d, output:\n%s", code, &out)
			}
		})
	}
}

// The error names the one address that cannot be opened.
func TestServeCannotListen(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for _, c := range []struct{ addr, want string }{
		{taken.Addr().String(), "cannot listen on tcp://" + taken.Addr().String() + ": the address is in use"},
		{"192.0.2.1:0", "cannot listen on tcp://192.0.2.1:0: this machine does not have that address"},
		{"unix:///no/such/dir/x", "cannot listen on unix:///no/such/dir/x: bind: no such file or directory"},
	} {
		var out logBuffer
		args := []string{"serve", "--addr", "127.0.0.1:0", "--addr", c.addr, "--log-level", "error"}
		code := execute(context.Background(), args, io.Discard, &out)
		if text := out.String(); code != 1 || strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "siren: "+c.want) {
			t.Errorf("%s: exit code %d, output %q", c.addr, code, text)
		}
	}
}

// Every flag of the command is there with the default that the help names.
func TestServeDefaults(t *testing.T) {
	flags := newServeCommand().Flags()
	for name, want := range map[string]string{
		"addr": "[tcp://:3000]", "path": "/socket.io", "cors-origin": "[]", "ping-interval": "25s", "ping-timeout": "20s",
		"max-payload": "1000000", "max-conns": "0", "loops": "0", "log-level": "info", "log-format": "text", "no-demo": "false",
	} {
		if f := flags.Lookup(name); f == nil || f.DefValue != want || f.Usage == "" {
			t.Errorf("--%s: %+v, want the default %s", name, f, want)
		}
	}
}

// The node logs its start, and tells its clients of its end.
func TestServeStartAndStop(t *testing.T) {
	n := startNode(t, "--loops", "1")
	for end := time.Now().Add(patience); !strings.Contains(n.logs.String(), "siren serves"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the log does not say that it serves:\n%s", n.logs)
		}
	}
	if text := n.logs.String(); strings.Index(text, "siren serves") < strings.Index(text, "msg=listening") || strings.Count(text, "version=") != 1 {
		t.Errorf("it says so before it listens, or has not one version:\n%s", text)
	}
	for _, part := range []string{
		"siren serves", "go=" + runtime.Version(), "node.version=" + server.Version, "node.engineio=4", "node.socketio=5",
		"node.loops=1", "descriptors=", "node.addr=", "page=http://" + n.addr + "/",
	} {
		if !strings.Contains(n.logs.String(), part) {
			t.Errorf("the log has no %q:\n%s", part, n.logs)
		}
	}
	c := n.dial(t)
	if code := n.end(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(n.logs.String(), "siren stopping") || !strings.Contains(n.logs.String(), "siren stopped") {
		t.Errorf("the log does not tell of the end:\n%s", n.logs)
	}
	// The connection is closed, not left hanging.
	if _, err := io.Copy(io.Discard, c.conn); err != nil {
		t.Logf("read at the end: %v", err)
	}
	if _, err := net.Dial("tcp", n.addr); err == nil {
		t.Error("it listens still")
	}
}

func TestServePages(t *testing.T) {
	t.Parallel() // sessions that never come back hold up the end of each node
	for _, c := range []struct {
		args   []string
		path   string
		status int
		has    string
	}{
		{nil, "/", 200, `name="socket-path" content="/socket.io/"`},
		{[]string{"--path", "/live/"}, "/", 200, `content="/live/"`},
		{[]string{"--path", "/live"}, "/live/?EIO=4&transport=polling", 200, `0{"sid"`},
		{[]string{"--path", "/live/"}, "/live?EIO=4&transport=polling", 200, `"maxPayload":1000000`},
		{[]string{"--path", "/live"}, "/socket.io/?EIO=4&transport=polling", 404, ""},
		{[]string{"--ping-interval", "7s", "--ping-timeout", "3s", "--max-payload", "9000000"}, "/socket.io/?EIO=4&transport=polling", 200, `"pingInterval":7000,"pingTimeout":3000,"maxPayload":9000000`},
		{[]string{"--no-demo"}, "/", 404, ""},
		{[]string{"--no-demo"}, "/healthz", 200, "ok"},
	} {
		t.Run(strings.Join(append(c.args, c.path), " "), func(t *testing.T) {
			t.Parallel()
			n := startNode(t, c.args...)
			r, err := http.Get("http://" + n.addr + c.path)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(r.Body)
			_ = r.Body.Close()
			if err != nil || r.StatusCode != c.status || !strings.Contains(string(body), c.has) {
				t.Errorf("status %d, %v, body %.300s", r.StatusCode, err, body)
			}
		})
	}
}

// With a list of origins other pages are refused, on both transports; the
// node's own page, and clients that are no pages, are not.
func TestServeOrigins(t *testing.T) {
	t.Parallel()
	n := startNode(t, "--cors-origin", "https://app.example")
	for origin, ok := range map[string]bool{
		"": true, "https://app.example": true, "http://" + n.addr: true, "https://evil.example": false, "null": false,
	} {
		c, err := n.tryDial(origin)
		if (err == nil) != ok {
			t.Errorf("WebSocket from %q: %v", origin, err)
		}
		if c != nil {
			_ = c.conn.Close()
		}
		request, err := http.NewRequest("GET", "http://"+n.addr+"/socket.io/?EIO=4&transport=polling", nil)
		if err != nil {
			t.Fatal(err)
		}
		if origin != "" {
			request.Header.Set("Origin", origin)
		}
		r, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		if (r.StatusCode == 200) != ok || (!ok && r.StatusCode != 403) {
			t.Errorf("polling from %q: status %d", origin, r.StatusCode)
		}
	}
}

// Options of the server that flags switch on.
func TestServeOptions(t *testing.T) {
	t.Parallel()
	n := startNode(t, "--allow-eio3", "--compress", "--recovery", "1m", "--trusted-proxy", "127.0.0.1", "--trusted-proxy", "10.0.0.0/8")
	r, err := http.Get("http://" + n.addr + "/socket.io/?EIO=3&transport=polling")
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	if r.StatusCode != 200 {
		t.Errorf("protocol 3: status %d", r.StatusCode)
	}
	request, err := http.NewRequest("GET", "http://"+n.addr+"/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
		"Sec-WebSocket-Extensions": "permessage-deflate",
	} {
		request.Header.Set(name, value)
	}
	if r, err = http.DefaultTransport.RoundTrip(request); err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	if r.StatusCode != 101 || !strings.HasPrefix(r.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate") {
		t.Errorf("status %d, extensions %q", r.StatusCode, r.Header.Get("Sec-WebSocket-Extensions"))
	}
	proxied := startNode(t, "--proxy-protocol")
	c, err := net.Dial("tcp", proxied.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\nGET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	if answer, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200 ") {
		t.Errorf("%q, %v", answer, err)
	}
}

func TestServeUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	n := startNode(t, "--addr", "unix://"+path)
	c := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}
	r, err := c.Get("http://node/healthz")
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	if r.StatusCode != 200 {
		t.Errorf("status %d", r.StatusCode)
	}
	if code := n.end(t); code != 0 {
		t.Errorf("exit code %d:\n%s", code, n.logs)
	}
}

// A full node is alive: health checks and pages are served, and it has room again when a client leaves.
func TestServeHealthWhenFull(t *testing.T) {
	n := startNode(t, "--max-conns", "1", "--loops", "1")
	c := n.dial(t)
	get := func(path string) int {
		r, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get("http://" + n.addr + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		return r.StatusCode
	}
	const polling = "/socket.io/?EIO=4&transport=polling"
	for range 3 {
		if health, page, client := get("/healthz"), get("/"), get(polling); health != 200 || page != 200 || client != 503 {
			t.Errorf("/healthz has status %d, the page %d, another client %d; want 200, 200 and 503", health, page, client)
		}
	}
	if !strings.Contains(n.logs.String(), "handshakes are refused") {
		t.Errorf("the log does not say that it is full:\n%s", n.logs)
	}
	_ = c.conn.Close()
	for end := time.Now().Add(patience); get(polling) != 200; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("there is no room again")
		}
	}
}

// A body for a page is refused with its head: the pages take none.
func TestServeRefusesBodies(t *testing.T) {
	n := startNode(t)
	conn, err := net.Dial("tcp", n.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(conn, "POST /other HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge || !resp.Close {
		t.Error(resp, err)
	}
}
