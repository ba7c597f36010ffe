package server_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/seed58c87869/siren/server"
)

// cpu returns what the process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkMountEcho compares a message and its echo on the own listener with those through net/http. The clients are
// in the process and count; they are the same for all but TLS.
func BenchmarkMountEcho(b *testing.B) {
	const clients = 16
	inline := func(srv *server.Server) {
		srv.Of("/").On("echo", func(_ context.Context, m *server.Message) { _ = m.Socket().Emit("echo", 1) })
	}
	for _, kind := range []string{"own", "tcp", "wrapped", "tls"} {
		b.Run(kind, func(b *testing.B) {
			var h *host
			if kind == "own" {
				srv := start(b, server.Config{Loops: 2}, inline)
				h = &host{srv: srv, kind: kind}
			} else {
				h = hosted(b, kind, server.Config{Loops: 2}, inline)
			}
			conns := make([]net.Conn, clients)
			for i := range conns {
				conns[i] = h.raw(b)
			}
			b.ReportAllocs()
			b.ResetTimer()
			before := cpu()
			var all sync.WaitGroup
			for i, c := range conns {
				all.Go(func() {
					for range (b.N + i) / clients {
						_ = wsutil.WriteClientText(c, []byte(`42["echo",1]`))
						if _, err := wsutil.ReadServerText(c); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
			for _, c := range conns {
				_ = c.Close()
			}
		})
	}
}

// raw returns a WebSocket that has joined.
func (h *host) raw(b *testing.B) net.Conn {
	b.Helper()
	var conn net.Conn
	if h.http != nil {
		conn = h.conn(b)
	} else {
		var err error
		if conn, err = net.Dial("tcp", h.srv.Addr().String()); err != nil {
			b.Fatal(err)
		}
	}
	_ = conn.SetDeadline(time.Time{})
	_, _ = io.WriteString(conn, "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	br := bufio.NewReader(conn)
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.StatusCode != 101 {
		b.Fatal(resp, err)
	}
	_ = wsutil.WriteClientText(conn, []byte("40"))
	rw := struct {
		io.Reader
		io.Writer
	}{br, conn}
	for range 2 { // open, CONNECT
		if _, op, err := wsutil.ReadServerData(rw); err != nil || op != ws.OpText {
			b.Fatal(op, err)
		}
	}
	return conn
}
