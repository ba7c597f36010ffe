package httpwire

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unsafe"
)

// outcome is the result of parsing a stream, in a form that can be compared.
type outcome struct {
	requests []string // one summary for each request
	consumed int
	status   int // of the error, 0 without
	reason   string
}

func (o outcome) String() string {
	return fmt.Sprintf("%d requests, %d bytes, status %d (%s)\n%s",
		len(o.requests), o.consumed, o.status, o.reason, strings.Join(o.requests, "\n"))
}

func summary(r *Request) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%q %q %q %q host=%q minor=%d close=%v head=%q body=%q",
		r.Method, r.Target, r.Path, r.RawQuery, r.Host, r.Minor, r.Close, r.Head, r.Body)
	for _, f := range r.Fields {
		fmt.Fprintf(&s, " %q:%q", f.Name, f.Value)
	}
	return s.String()
}

// feed passes a stream to a parser in pieces, as a loop would: the bytes not consumed move to a
// new buffer for each call. next returns the length of each piece.
func feed(t testing.TB, stream []byte, lim *Limits, next func(left int) int) outcome {
	t.Helper()
	var (
		p   Parser
		req Request
		buf []byte
		out outcome
	)
	for len(stream) > 0 {
		k := next(len(stream))
		if len(buf) < 1000 {
			moved := append(make([]byte, 0, len(buf)+k), buf...)
			clear(buf) // whoever kept a view of the old buffer shall see it
			buf = moved
		}
		buf, stream = append(buf, stream[:k]...), stream[k:]
		for len(buf) > 0 {
			before := p.scan
			n, err := p.Parse(buf, lim, &req)
			if err != nil {
				var e *Error
				if n != 0 || !errors.As(err, &e) || e.Status < 400 {
					t.Fatalf("Parse = %d, %v (%T)", n, err, err)
				}
				if _, again := p.Parse(buf, lim, &req); again != err {
					t.Fatalf("the error %v does not stick: %v", err, again)
				}
				out.status, out.reason = e.Status, e.Reason
				return out
			}
			if n < 0 || n > len(buf) {
				t.Fatalf("Parse = %d of %d bytes", n, len(buf))
			}
			if n == 0 {
				if p.scan < before {
					t.Fatalf("scan went back from %d to %d", before, p.scan)
				}
				if need := p.Need(); need != 0 && need <= len(buf) {
					t.Fatalf("Need = %d with %d bytes there", need, len(buf))
				}
				break
			}
			if p != (Parser{}) {
				t.Fatalf("state left behind a request: %+v", p)
			}
			out.requests = append(out.requests, summary(&req))
			out.consumed += n
			buf = buf[n:]
		}
	}
	return out
}

func atOnce(left int) int { return left }
func byteByByte(int) int  { return 1 }
func inPieces(k int) func(int) int {
	return func(left int) int { return min(k, left) }
}

// everySplit checks that the result of a stream does not depend on how it is split, and returns the result.
func everySplit(t *testing.T, stream string, lim *Limits) outcome {
	t.Helper()
	want := feed(t, []byte(stream), lim, atOnce)
	same := func(how string, next func(int) int) {
		t.Helper()
		if got := feed(t, []byte(stream), lim, next); got.String() != want.String() {
			t.Fatalf("%s: %v\nat once: %v\nstream %q", how, got, want, stream)
		}
	}
	same("byte by byte", byteByByte)
	for _, k := range []int{2, 3, 7} {
		same(fmt.Sprint("pieces of ", k), inPieces(k))
	}
	if len(stream) < 2000 {
		for cut := 1; cut < len(stream); cut++ {
			calls := 0
			same(fmt.Sprint("cut at ", cut), func(left int) int {
				if calls++; calls == 1 {
					return cut
				}
				return left
			})
		}
	}
	return want
}

const (
	pollingGET = "GET /socket.io/?EIO=4&transport=polling&t=PbK2z0a&sid=lv_VI97HAXpY6yYWAAAC HTTP/1.1\r\n" +
		"Host: chat.example.com\r\n" +
		"Connection: keep-alive\r\n" +
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36\r\n" +
		"Accept: */*\r\n" +
		"Origin: https://app.example.com\r\n" +
		"Sec-Fetch-Site: same-site\r\n" +
		"Sec-Fetch-Mode: cors\r\n" +
		"Sec-Fetch-Dest: empty\r\n" +
		"Referer: https://app.example.com/\r\n" +
		"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
		"Accept-Language: en-GB,en;q=0.9\r\n\r\n"
	pollingPOST = "POST /socket.io/?EIO=4&transport=polling&t=PbK2z0b&sid=lv_VI97HAXpY6yYWAAAC HTTP/1.1\r\n" +
		"Host: chat.example.com\r\n" +
		"Connection: keep-alive\r\n" +
		"Content-Length: 43\r\n" +
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36\r\n" +
		"Content-type: text/plain;charset=UTF-8\r\n" +
		"Accept: */*\r\n" +
		"Origin: https://app.example.com\r\n" +
		"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
		"Accept-Language: en-GB,en;q=0.9\r\n\r\n" +
		`42["message","hello"]` + "\x1e" + `42["message","world"]`
	upgradeGET = "GET /socket.io/?EIO=4&transport=websocket&sid=lv_VI97HAXpY6yYWAAAC HTTP/1.1\r\n" +
		"Host: chat.example.com\r\n" +
		"Connection: Upgrade\r\n" +
		"Pragma: no-cache\r\n" +
		"Cache-Control: no-cache\r\n" +
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36\r\n" +
		"Upgrade: websocket\r\n" +
		"Origin: https://app.example.com\r\n" +
		"Sec-WebSocket-Version: 13\r\n" +
		"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
		"Accept-Language: en-GB,en;q=0.9\r\n" +
		"Cookie: io=lv_VI97HAXpY6yYWAAAC; theme=dark\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
		"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
)

// The requests of HTTP long-polling, one after the other on one connection.
func TestPipelined(t *testing.T) {
	stream := pollingGET + "\r\n" + pollingPOST + "\r\n\r\n" + upgradeGET
	got := everySplit(t, stream, nil)
	if len(got.requests) != 3 || got.consumed != len(stream) || got.status != 0 {
		t.Fatal(got)
	}
}

func TestRequestContent(t *testing.T) {
	var p Parser
	var r Request
	buf := []byte(pollingPOST + "GET")
	n, err := p.Parse(buf, nil, &r)
	if n != len(pollingPOST) || err != nil {
		t.Fatal(n, err)
	}
	head, body, _ := strings.Cut(pollingPOST, "\r\n\r\n")
	for _, c := range []struct{ name, got, want string }{
		{"Method", string(r.Method), "POST"},
		{"Path", string(r.Path), "/socket.io/"},
		{"RawQuery", string(r.RawQuery), "EIO=4&transport=polling&t=PbK2z0b&sid=lv_VI97HAXpY6yYWAAAC"},
		{"Host", string(r.Host), "chat.example.com"},
		{"Head", string(r.Head), head + "\r\n"},
		{"Body", string(r.Body), body},
		{"Get", string(r.Get("content-TYPE")), "text/plain;charset=UTF-8"},
		{"Close", fmt.Sprint(r.Close), "false"},
		{"Minor", fmt.Sprint(r.Minor), "1"},
		{"Fields", fmt.Sprint(len(r.Fields)), "9"},
	} {
		if c.got != c.want {
			t.Errorf("%s = %q, want %q", c.name, c.got, c.want)
		}
	}
	if cap(r.Body) != len(r.Body) || cap(r.Head) != len(r.Head) {
		t.Error("appending to a view could overwrite the next request")
	}
}

func TestParserState(t *testing.T) {
	const head = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n"
	var p Parser
	var r Request
	step := func(buf string, n, need int, done, expects bool) {
		t.Helper()
		got, err := p.Parse([]byte(buf), nil, &r)
		if got != n || err != nil {
			t.Fatalf("Parse(%q) = %d, %v", buf, got, err)
		}
		if p.Need() != need || p.HeadDone() != done || p.ExpectsContinue() != expects {
			t.Fatalf("after %q: need %d, done %v", buf, p.Need(), p.HeadDone())
		}
		if p.ExpectsContinue() {
			t.Fatal("ExpectsContinue twice")
		}
	}
	all := len(head) + 5
	step("", 0, 0, false, false)
	step(head[:len(head)-1], 0, 0, false, false)
	step(head, 0, all, true, true)
	step(head+"1234", 0, all, true, false)
	step(head+"12345G", all, 0, false, false)
	if string(r.Body) != "12345" || string(r.Path) != "/" {
		t.Fatalf("%s", summary(&r))
	}
	step(head+"1", 0, all, true, false) // the peer does not wait
	p.Reset()
	step(head+"12345", all, 0, false, false)
	old := strings.Replace(head, "1.1", "1.0", 1)
	step(old, 0, all, true, false) // HTTP/1.0 knows no 100
	p.Reset()
	step(strings.Replace(head, ": 5", ": 0", 1), len(head), 0, false, false)
	chunked := strings.Replace(head, "Content-Length: 5", "Transfer-Encoding: chunked", 1)
	step(chunked, 0, 0, true, true)
	step(chunked+"0\r\n\r\n", len(chunked)+5, 0, false, false)
}

func TestLostBytes(t *testing.T) {
	var p Parser
	var r Request
	for _, buf := range []string{pollingGET[:100], pollingGET[:50], ""} {
		if n, err := p.Parse([]byte(buf), nil, &r); n != 0 || err != nil {
			t.Fatal(n, err)
		}
	}
}

func TestParserIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(Parser{}); size > 40 {
		t.Errorf("Parser takes %d bytes; there is one for each of a million connections", size)
	}
}

func TestParseHead(t *testing.T) {
	for _, stream := range []string{pollingGET, pollingPOST, upgradeGET} {
		var p Parser
		var r, again Request
		if n, err := p.Parse([]byte(stream), nil, &r); n == 0 || err != nil {
			t.Fatal(n, err)
		}
		if err := ParseHead(r.Head, &again); err != nil {
			t.Fatal(err)
		}
		r.Body = nil
		if summary(&r) != summary(&again) {
			t.Errorf("got %s\nwant %s", summary(&again), summary(&r))
		}
	}
	for _, bad := range []string{
		"", "\r\n", "GET / HTTP/1.1", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: h",
		"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "GET / HTTP/1.1\nHost: h\r\n", "GET / HTTP/1.1\r\nHost: h\r\nA b: c\r\n",
	} {
		var e *Error
		if err := ParseHead([]byte(bad), &Request{}); !errors.As(err, &e) || e.Status != 400 {
			t.Errorf("ParseHead(%q) = %v", bad, err)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	for name, stream := range map[string]string{"GET": pollingGET, "POST": pollingPOST, "upgrade": upgradeGET} {
		var p Parser
		var r Request
		buf := []byte(stream)
		lim := &Limits{}
		parse := func(buf []byte, want int) {
			if n, err := p.Parse(buf, lim, &r); n != want || err != nil {
				t.Fatal(name, n, err)
			}
		}
		parse(buf, len(buf))
		if a := testing.AllocsPerRun(100, func() { parse(buf, len(buf)) }); a != 0 {
			t.Errorf("%s: %v allocations", name, a)
		}
		if a := testing.AllocsPerRun(100, func() {
			parse(buf[:100], 0)
			parse(buf[:len(buf)-2], 0)
			parse(buf, len(buf))
			_ = r.HasToken("Connection", "upgrade")
			for range r.Values("Accept-Encoding") {
			}
			_, _ = QueryGet(r.RawQuery, "sid")
		}); a != 0 {
			t.Errorf("%s in pieces: %v allocations", name, a)
		}
	}
}
