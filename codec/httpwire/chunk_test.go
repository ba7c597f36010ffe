package httpwire

import (
	"fmt"
	"strings"
	"testing"
)

const chunkedHead = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"

func TestChunked(t *testing.T) {
	const ok, more = 200, 0
	for _, c := range []struct {
		chunks, body string
		want         int
	}{
		{"0\r\n\r\n", "", ok},
		{"3\r\nabc\r\n0\r\n\r\n", "abc", ok},
		{"3\r\nabc\r\n00a\r\n0123456789\r\n000\r\n\r\n", "abc0123456789", ok},
		{"A\r\n0123456789\r\n0\r\n\r\n", "0123456789", ok},
		{"0000000000000002\r\n\r\n\r\n0\r\n\r\n", "\r\n", ok},
		{"5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n", ok},
		{"3;name=value\r\nabc\r\n0;last\r\n\r\n", "abc", ok},
		{"3;a=\"b;c\t\xe9\"\r\nabc\r\n0\r\n\r\n", "abc", ok},
		{"3\r\nabc\r\n0\r\nX: y\r\nContent-Length: 99\r\n\r\n", "abc", ok},
		{"3\r\nabc\r\n0\r\n", "", more},
		{"3\r\nabc\r\n", "", more},
		{"3\r\nab", "", more},

		{"\r\n", "", 400}, {";x\r\n", "", 400}, {"g\r\n", "", 400}, {"-1\r\n", "", 400}, {"+1\r\n", "", 400}, {"0x1\r\na\r\n", "", 400},
		{" 3\r\nabc\r\n", "", 400}, {"3 \r\nabc\r\n", "", 400}, {"3 ;x\r\nabc\r\n", "", 400}, {"3\t\r\nabc\r\n", "", 400}, {"3 3\r\n", "", 400},
		{"00000000000000003\r\nabc\r\n", "", 400}, {"10000000000000000\r\n", "", 400}, {"fffffffffffffffff\r\n", "", 400},
		{"3\nabc\r\n", "", 400}, {"3\r\rabc\r\n\n", "", 400}, {"3;x\rabc\r\n", "", 400}, {"3;x\x00\r\nabc\r\n", "", 400}, {"3;x\nabc\r\n0\r\n\r\n", "", 400},
		{"3\r\nabcd\r\n", "", 400}, {"3\r\nabc\n", "", 400}, {"3\r\nabc\rx", "", 400}, {"3\r\nabc0\r\n\r\n", "", 400}, {"3\r\nab\r\n0\r\n\r\n", "", 400},
		{"0\r\n\n", "", 400}, {"0\r\nX: y\n\r\n", "", 400}, {"0\r\n X: y\r\n\r\n", "", 400}, {"0\r\nX : y\r\n\r\n", "", 400},
		{"0\r\nX: y\r\n z\r\n\r\n", "", 400}, {"0\r\nX: a\x00\r\n\r\n", "", 400}, {"0\r\n: y\r\n\r\n", "", 400}, {"0\r\n\rX", "", more}, {"0\r\n\rX\n", "", 400},
	} {
		stream := chunkedHead + c.chunks
		got := everySplit(t, stream, nil)
		if verdict(got, stream) != c.want {
			t.Errorf("%q: %v, want %d", c.chunks, got, c.want)
		}
		if c.want == ok && !strings.Contains(got.requests[0], fmt.Sprintf(" body=%q", c.body)) {
			t.Errorf("%q: %v, want body %q", c.chunks, got, c.body)
		}
	}
}

// Bytes after a chunked request stay unchanged.
func TestChunkedPipelined(t *testing.T) {
	stream := chunkedHead + "5;e\r\nhello\r\n1\r\n!\r\n0\r\nT: x\r\n\r\n" + pollingPOST + chunkedHead + "0\r\n\r\n" + pollingGET
	got := everySplit(t, stream, nil)
	if len(got.requests) != 4 || got.consumed != len(stream) {
		t.Fatal(got)
	}
}

func TestChunkedDoesNotAllocate(t *testing.T) {
	const stream = chunkedHead + "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"
	var p Parser
	var r Request
	buf := make([]byte, len(stream))
	if a := testing.AllocsPerRun(100, func() {
		copy(buf, stream)
		if n, err := p.Parse(buf, nil, &r); n != len(stream) || err != nil || string(r.Body) != "hello!" {
			t.Fatal(n, err)
		}
	}); a != 0 {
		t.Errorf("%v allocations", a)
	}
}
