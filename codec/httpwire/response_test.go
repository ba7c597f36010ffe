package httpwire

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestAppendResponse(t *testing.T) {
	for _, c := range []struct {
		name string
		r    Response
		want string
	}{
		{"plain", Response{Status: 200, ContentType: "text/plain", Body: []byte("ok")},
			"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"},
		{"empty and close", Response{Status: 400, Close: true},
			"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
		{"head", Response{Status: 200, Body: []byte("ok"), Head: true},
			"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"},
		{"date", Response{Status: 200, Date: "Sun, 06 Nov 1994 08:49:37 GMT", Header: []string{"date", "later", "X", "y"}},
			"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\nX: y\r\n\r\n"},
		{"date as a field", Response{Status: 200, Header: []string{"date", "later"}},
			"HTTP/1.1 200 OK\r\nContent-Length: 0\r\ndate: later\r\n\r\n"},
		{"date of an interim answer", Response{Status: 103, Date: "now"}, "HTTP/1.1 103 Early Hints\r\n\r\n"},
		{"204", Response{Status: 204, Body: []byte("ok"), Close: true},
			"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"},
		{"304", Response{Status: 304, Body: []byte("ok"), Header: []string{"ETag", `"x"`}},
			"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n"},
		{"101", Response{Status: 101, Close: true, Header: []string{"Upgrade", "websocket", "Connection", "Upgrade"}},
			"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"},
		{"codes without a name", Response{Status: 299}, "HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n"},
		{"codes above the table", Response{Status: 999}, "HTTP/1.1 999 \r\nContent-Length: 0\r\n\r\n"},
		{"no code", Response{}, "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"},
		{"bad code", Response{Status: 1000}, "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"},
		{"split attempts", Response{Status: 200, ContentType: "a\r\nX: y", Header: []string{
			"A", "b\r\nC: d\r\n\r\nevil\x00", "E\r\nF", "g", "", "h", "I:", "j", "K ", "l", "M", "caf\xe9\tn", "odd"}, Date: "d\r\ne"},
			"HTTP/1.1 200 OK\r\nContent-Type: a  X: y\r\nDate: d  e\r\nContent-Length: 0\r\nA: b  C: d    evil \r\nM: caf\xe9\tn\r\n\r\n"},
		{"framing is ours", Response{Status: 200, ContentType: "a", Header: []string{
			"content-length", "9", "Transfer-Encoding", "chunked", "content-type", "b", "Sec-WebSocket", "c"}},
			"HTTP/1.1 200 OK\r\nContent-Type: a\r\nContent-Length: 0\r\nSec-WebSocket: c\r\n\r\n"},
		{"content type as a field", Response{Status: 200, Header: []string{"Content-Type", "b"}},
			"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Type: b\r\n\r\n"},
	} {
		if got := string(AppendResponse([]byte("before"), &c.r)); got != "before"+c.want {
			t.Errorf("%s:\n%q\nwant\n%q", c.name, got, c.want)
		}
	}
	if !strings.HasPrefix(string(ContinueResponse), strings.TrimSuffix(statusLines[0], "\r\n")) {
		t.Errorf("%q", ContinueResponse)
	}
}

func TestAppendResponseDoesNotAllocate(t *testing.T) {
	r := Response{Status: 200, ContentType: "text/plain; charset=UTF-8", Body: make([]byte, 100),
		Header: []string{"Access-Control-Allow-Origin", "*", "Cache-Control", "no-store"}}
	dst := make([]byte, 0, 1024)
	if a := testing.AllocsPerRun(100, func() { dst = AppendResponse(dst[:0], &r) }); a != 0 {
		t.Errorf("%v allocations", a)
	}
}

// Whatever the fields of a Response, a client sees one response with that status and body.
func FuzzAppendResponse(f *testing.F) {
	f.Add(200, "text/plain", []byte("ok"), "X", "y", true, false)
	f.Add(304, "a\r\n\r\n", []byte("HTTP/1.1 200 OK\r\n\r\n"), "Content-Length", "0", false, true)
	f.Fuzz(func(t *testing.T, status int, contentType string, body []byte, name, value string, closing, head bool) {
		r := Response{Status: status, ContentType: contentType, Body: body, Header: []string{name, value}, Date: value, Close: closing, Head: head}
		wire := AppendResponse(nil, &r)
		if status >= 100 && status < 200 {
			return // interim: net/http reads on for the final one, but for 101
		}
		method := "GET"
		if head {
			method = "HEAD"
		}
		in := bufio.NewReader(bytes.NewReader(wire))
		got, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			t.Fatalf("%v: %q", err, wire)
		}
		content, err := io.ReadAll(got.Body)
		if err != nil {
			t.Fatalf("%v: %q", err, wire)
		}
		want := body
		if head || status == 204 || status == 304 {
			want = nil
		}
		if !bytes.Equal(content, want) {
			t.Fatalf("body %q, want %q", content, want)
		}
		if rest, _ := io.ReadAll(in); len(rest) != 0 {
			t.Fatalf("%q behind the response", rest)
		}
		if closing && !got.Close {
			t.Fatalf("not closing: %q", wire)
		}
		if n := strings.Count(string(wire[:len(wire)-len(want)]), "\r\n"); n > 7 {
			t.Fatalf("%d lines: %q", n, wire)
		}
	})
}
