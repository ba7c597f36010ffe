package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// begin runs the program. It returns its URL and a function that ends it.
func begin(t *testing.T, args ...string) (url string, end func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, append([]string{"-addr", "127.0.0.1:0"}, args...), w)
		_ = w.CloseWithError(io.EOF)
		ended <- err
	}()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err, <-ended)
	}
	return strings.TrimPrefix(strings.TrimSpace(line), "ready "), func() error { cancel(); return <-ended }
}

// The program's own routes and Socket.IO's, plain and over TLS.
func TestRun(t *testing.T) {
	for name, args := range map[string][]string{"plain": nil, "tls": {"-tls"}, "own listener": {"-own", "tcp://127.0.0.1:0"}} {
		t.Run(name, func(t *testing.T) {
			url, end := begin(t, args...)
			client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
				TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true,
			}}
			for path, want := range map[string]string{
				"/": `<link rel="icon" href="data:,">`, "/page.js": "socket.open()", "/demo/socket.js": "class Socket", "/api/time": "T",
				"/socket.io/?EIO=4&transport=polling": `0{"sid":`, "/nothing": "404",
			} {
				resp, err := client.Get(url + path)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if !strings.Contains(string(body), want) {
					t.Errorf("%s: %.200s", path, body)
				}
			}
			client.CloseIdleConnections()
			if err := end(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRunErrors(t *testing.T) {
	for _, args := range [][]string{
		{"-nonsense"}, {"-trust", "everybody"}, {"-own", "udp://:1"}, {"-addr", "nowhere:-1"},
	} {
		if err := run(context.Background(), args, io.Discard); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}
