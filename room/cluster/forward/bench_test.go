package forward

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/seed58c87869/siren/session/sessiontest"
)

// cpu returns the processor time of the process, in microseconds: that of all nodes and of the client.
func cpu(b *testing.B) int64 {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return (u.Utime.Nano() + u.Stime.Nano()) / 1000
}

// perOp reports the processor time of an operation.
func perOp(b *testing.B, from int64) {
	b.ReportMetric(float64(cpu(b)-from)/float64(b.N), "cpu-µs/op")
}

// both runs a benchmark at the session's own node and at another one. The difference is what passing on costs both
// nodes together; the client is in the same process and costs the same.
func both(b *testing.B, fn func(b *testing.B, owner, at *node)) {
	nodes := startAll(b, 2, nil)
	b.Run("local", func(b *testing.B) { fn(b, nodes[0], nodes[0]) })
	b.Run("forwarded", func(b *testing.B) { fn(b, nodes[0], nodes[1]) })
}

// A polling client's message and its echo: a POST and a GET, each on a connection that stays open.
func BenchmarkPollingRoundTrip(b *testing.B) {
	both(b, func(b *testing.B, owner, at *node) {
		sid := newBrowser(b).open(owner)
		posts, gets := at.dial(b), at.dial(b)
		post := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\n\r\n4%s",
			target(sid, "polling"), strings.Repeat("x", 100))
		get := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: h\r\n\r\n", target(sid, "polling"))
		fromPosts, fromGets := bufio.NewReader(posts), bufio.NewReader(gets)
		ask := func(c net.Conn, in *bufio.Reader, request string) {
			if _, err := io.WriteString(c, request); err != nil {
				b.Fatal(err)
			}
			r, err := http.ReadResponse(in, nil)
			if err != nil || r.StatusCode != 200 {
				b.Fatal(r, err)
			}
			_, _ = io.Copy(io.Discard, r.Body)
		}
		b.ReportAllocs()
		from := cpu(b)
		for b.Loop() {
			ask(posts, fromPosts, post)
			ask(gets, fromGets, get)
		}
		perOp(b, from)
	})
}

// A WebSocket's message and its echo.
func BenchmarkWebSocketRoundTrip(b *testing.B) {
	both(b, func(b *testing.B, owner, at *node) {
		sid := newBrowser(b).open(owner)
		w, err := sessiontest.OpenWebSocket(at.dial(b), target(sid, "websocket"))
		if err != nil {
			b.Fatal(err)
		}
		step := func(packets ...string) {
			if err := w.Send(packets...); err != nil {
				b.Fatal(err)
			}
			if _, err := w.Next(); err != nil {
				b.Fatal(err)
			}
		}
		step("2probe")
		step("5", "4first")
		message := "4" + strings.Repeat("x", 100)
		b.ReportAllocs()
		from := cpu(b)
		for b.Loop() {
			step(message)
		}
		perOp(b, from)
	})
}

func BenchmarkReadSID(b *testing.B) {
	k := testKeys()
	sid := []byte(k.newSID(7, 1))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, ok := k.readSID(sid); !ok {
			b.Fatal("no id")
		}
	}
}
