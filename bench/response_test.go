package bench

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// goodResponses is a stream of responses of every framing, in front of bytes
// of another protocol.
var goodResponses = strings.Join([]string{
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
	"HTTP/1.1 200 OK\r\ncontent-LENGTH:0\r\nConnection: Close\r\n\r\n",
	"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 204 No Content\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0A ;x=\"y\"\r\n0123456789\r\n0\r\nA: b\r\nC: d\r\n\r\n",
	"HTTP/1.1 400\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: k=\r\n\r\n",
}, "")

var wantResponses = []string{
	"200 false hello ", "200 true  ", "200 true ok ", "204 false  ",
	"200 false abc0123456789 ", "400 false  ", "101 false  k=",
}

// readAll feeds pieces to a reader until status 101 and returns what came out,
// and the bytes behind it.
func readAll(pieces ...string) (got []string, rest string, err error) {
	var r responseReader
	for i, piece := range pieces {
		for buf := []byte(piece); len(buf) > 0; {
			n, resp, err := r.next(buf)
			if err != nil {
				return got, "", err
			}
			buf = buf[n:]
			if resp == nil {
				continue
			}
			got = append(got, fmt.Sprintf("%d %v %s %s", resp.Status, resp.Close, resp.Body, resp.Accept))
			if resp.Status == 101 {
				return got, string(buf) + strings.Join(pieces[i+1:], ""), nil
			}
		}
	}
	return got, "", nil
}

func TestResponsesSplitAnywhere(t *testing.T) {
	const behind = "\x81\x01x"
	stream := goodResponses + behind
	check := func(name string, pieces ...string) {
		t.Helper()
		got, rest, err := readAll(pieces...)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(wantResponses) || rest != behind {
			t.Fatalf("%s: %q, rest %q, error %v", name, got, rest, err)
		}
	}
	check("whole", stream)
	check("bytes", strings.Split(stream, "")...)
	for i := range stream {
		check(fmt.Sprint("split at ", i), stream[:i], stream[i:])
		for j := i; j < len(stream); j += 7 {
			check(fmt.Sprint("split at ", i, " and ", j), stream[:i], stream[i:j], stream[j:])
		}
	}
}

func TestMalformedResponses(t *testing.T) {
	tests := []struct {
		stream string
		want   error
	}{
		{"HTTP/2 200 OK\r\n\r\n", errHead},
		{"ICY 200 OK\r\n\r\n", errHead},
		{"\r\n\r\n", errHead},
		{"HTTP/1.1 2x0 OK\r\n\r\n", errHead},
		{"HTTP/1.1 -10 OK\r\n\r\n", errHead},
		{"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", errHead},
		{"HTTP/1.1 200 OK\r\n\r\n", errLength},
		{"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", errLength},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\n", errLength},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", errLength},
		{"HTTP/1.1 200 OK\r\nContent-Length: 1073741825\r\n\r\n", errTooBig},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", errHead},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", errHead},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n", errHead},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40000001\r\n", errTooBig},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1", lineBytesMax+1), errTooBig},
		{"HTTP/1.1 200 OK\r\nA: " + strings.Repeat("b", headBytesMax), errTooBig},
	}
	for _, tt := range tests {
		for _, pieces := range [][]string{{tt.stream}, strings.Split(tt.stream, "")} {
			if _, _, err := readAll(pieces...); !errors.Is(err, tt.want) {
				t.Errorf("%.60q in %d pieces: error %v, want %v", tt.stream, len(pieces), err, tt.want)
			}
		}
	}
}

// A reader between two responses holds on to no large buffer.
func TestResponseReaderLetsGoOfBuffers(t *testing.T) {
	var r responseReader
	big := contentLength(strings.Repeat("x", 4*bodyBytesKept))
	for _, piece := range []string{big[:10], big[10:100], big[100:], "HTTP/1.1 204 No\r\n\r\n"} {
		if n, _, err := r.next([]byte(piece)); n != len(piece) || err != nil {
			t.Fatal(n, err)
		}
	}
	if cap(r.body) > bodyBytesKept || cap(r.pending) > 0 {
		t.Errorf("holds %d and %d bytes", cap(r.body), cap(r.pending))
	}
}

func FuzzResponseReader(f *testing.F) {
	f.Add(goodResponses, 10)
	f.Add("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n", 3)
	f.Fuzz(func(t *testing.T, stream string, at int) {
		whole, rest, err := readAll(stream)
		at = max(0, min(at, len(stream)))
		split, splitRest, splitErr := readAll(stream[:at], stream[at:])
		// A limit may strike earlier or later, everything else is the same.
		if errors.Is(err, errTooBig) || errors.Is(splitErr, errTooBig) {
			return
		}
		if fmt.Sprint(whole) != fmt.Sprint(split) || rest != splitRest || fmt.Sprint(err) != fmt.Sprint(splitErr) {
			t.Errorf("whole %q %q %v, split at %d %q %q %v", whole, rest, err, at, split, splitRest, splitErr)
		}
	})
}
