package sessiontest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair is a connection and what serves it. When serve returns, the server sends no more, and waits for the client to
// close.
func pair(t *testing.T, serve func(in *bufio.Reader, out net.Conn)) net.Conn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer server.Close()
		in := bufio.NewReader(server)
		serve(in, server)
		_ = server.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, in)
	}()
	t.Cleanup(func() {
		_ = client.Close()
		<-done
	})
	return client
}

func text(s string) string { return string(ws.MustCompileFrame(ws.NewTextFrame([]byte(s)))) }

// A WebSocket's ending tells a connection that was closed in order from one that was cut.
func TestWebSocketEnding(t *testing.T) {
	long := "4" + strings.Repeat("x", 3*readBytes)
	goodbye := string(ws.CompiledCloseNormalClosure)
	for _, c := range []struct {
		name, sent string
		messages   int
		closed     bool
		err        string
	}{
		{"in order", text("4a") + text(long) + goodbye, 2, true, ""},
		{"without a close frame", text("4a") + text(long), 2, false, ""},
		{"in a payload", text(long)[:readBytes], 0, false, "unexpected EOF after 16380 of 49153 bytes"},
		{"in a header", text(long)[:1], 0, false, "unexpected EOF"},
		{"message behind the close frame", goodbye + text("4a"), 0, true, "behind the close frame"},
		{"two close frames", goodbye + goodbye, 0, true, "second close frame"},
	} {
		t.Run(c.name, func(t *testing.T) {
			answered := make(chan bool, 1)
			conn := pair(t, func(in *bufio.Reader, out net.Conn) {
				if _, err := http.ReadRequest(in); err != nil {
					t.Error(err)
				}
				_, _ = io.WriteString(out, "HTTP/1.1 101 Switching Protocols\r\n\r\n"+c.sent)
				_ = out.(*net.TCPConn).CloseWrite()
				h, err := ws.ReadHeader(in)
				answered <- err == nil && h.OpCode == ws.OpClose && h.Masked
			})
			w, err := OpenWebSocket(conn, "/")
			if err != nil {
				t.Fatal(err)
			}
			e := w.Rest()
			if len(e.Messages) != c.messages || e.Closed != c.closed || c.err == "" != (e.Err == nil) ||
				e.Err != nil && !strings.Contains(e.Err.Error(), c.err) {
				t.Error(e.String())
			}
			if c.messages == 2 && e.Messages[1] != MessageOf(long) {
				t.Error(e.String())
			}
			if got := <-answered; got != c.closed {
				t.Errorf("close frame answered: %v", got)
			}
		})
	}
}

// A polling client asks until a close packet comes, and notes an answer that is missing, cut or a refusal.
func TestPollingEnding(t *testing.T) {
	ok := func(body string) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	for _, c := range []struct {
		name     string
		answers  []string
		messages int
		closed   bool
		err      string
	}{
		{"in order", []string{ok("4a\x1e4b"), ok("6"), ok("2"), ok("ok"), ok("1")}, 2, true, ""},
		{"no answer", []string{ok("4a")}, 1, false, "EOF"},
		{"cut", []string{ok("4a")[:39]}, 0, false, "EOF"},
		{"refused", []string{"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"}, 0, false, "502"},
		{"empty", []string{ok("")}, 0, false, "without a body"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := pair(t, func(in *bufio.Reader, out net.Conn) {
				for _, a := range append([]string{ok(`0{"sid":"abc"}`), ok("ok"), ok(`40{"sid":"x"}`)}, c.answers...) {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					_, _ = io.WriteString(out, a)
				}
			})
			p, err := JoinPolling(conn, nil, "/socket.io/")
			if err != nil {
				t.Fatal(err)
			}
			e := p.Rest(false)
			if len(e.Messages) != c.messages || e.Closed != c.closed || c.err == "" != (e.Err == nil) ||
				e.Err != nil && !strings.Contains(e.Err.Error(), c.err) {
				t.Error(e.String())
			}
		})
	}
}

// A paced connection gives all, in portions of at most a tenth of a second.
func TestPaced(t *testing.T) {
	data := strings.Repeat("0123456789", 10_000)
	conn := pair(t, func(_ *bufio.Reader, out net.Conn) { _, _ = io.WriteString(out, data) })
	const rate = 1 << 20
	var got strings.Builder
	r := Paced(conn, rate)
	buf := make([]byte, len(data))
	for {
		n, err := r.Read(buf)
		if n > rate/10 {
			t.Errorf("%d bytes at once", n)
		}
		got.Write(buf[:n])
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if got.String() != data {
		t.Errorf("%d bytes came", got.Len())
	}
}
