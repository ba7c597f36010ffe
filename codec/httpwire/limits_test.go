package httpwire

import (
	"strings"
	"testing"
)

func TestDefaults(t *testing.T) {
	want := bounds{16<<10 - 2, 16 << 10, 100, 1_000_000}
	for _, l := range []*Limits{nil, {}, {LineBytes: -1, HeaderBytes: -1, Headers: -1, BodyBytes: -1}} {
		if got := l.bounds(); got != want {
			t.Errorf("%+v: %+v", l, got)
		}
	}
	huge := int(^uint(0) >> 1)
	if got := (&Limits{huge, huge, huge, huge}).bounds(); got != (bounds{limitMax - 2, limitMax, limitMax, limitMax}) {
		t.Errorf("%+v", got)
	}
}

func TestLimits(t *testing.T) {
	const line = "POST / HTTP/1.1"
	x := func(n int) string { return strings.Repeat("x", n) }
	head := line + "\r\nHost: h\r\n"
	chunked := head + "Transfer-Encoding: chunked\r\n\r\n"
	for _, c := range []struct {
		name, stream string
		lim          Limits
		want         int
	}{
		{"line at", head + "\r\n", Limits{LineBytes: len(line)}, 200},
		{"line over", head + "\r\n", Limits{LineBytes: len(line) - 1}, 414},
		{"line open", "GET /" + x(100), Limits{LineBytes: 90}, 414},
		{"line open, default", "GET /" + x(DefaultLineBytes), Limits{}, 414},
		{"long line, default", "GET /" + x(12<<10) + " HTTP/1.1\r\nHost: h\r\n\r\n", Limits{}, 200},
		{"line fills the head", "GET /" + x(100), Limits{LineBytes: 90, HeaderBytes: 50}, 414},
		{"head at", head + "\r\n", Limits{HeaderBytes: len(head) + 2}, 200},
		{"head at, empty lines before", "\r\n\r\n" + head + "\r\n", Limits{HeaderBytes: len(head) + 2}, 200},
		{"head over", head + "\r\n", Limits{HeaderBytes: len(head) + 1}, 431},
		{"head open", head + "X: " + x(100), Limits{HeaderBytes: len(head) + 50}, 431},
		{"head open, default", head + "X: " + x(DefaultHeaderBytes), Limits{}, 431},
		{"head tiny", head + "\r\n", Limits{HeaderBytes: 1}, 414},
		{"fields at", head + "A: b\r\n\r\n", Limits{Headers: 2}, 200},
		{"fields over", head + "A: b\r\nA:", Limits{Headers: 1}, 431},
		{"body at", head + "Content-Length: 3\r\n\r\nabc", Limits{BodyBytes: 3}, 200},
		{"body over", head + "Content-Length: 4\r\n\r\n", Limits{BodyBytes: 3}, 413},
		{"expected body over", head + "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n", Limits{BodyBytes: 3}, 413},
		{"chunks at", chunked + "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", Limits{BodyBytes: 3}, 200},
		{"chunks over", chunked + "2\r\nab\r\n2\r\n", Limits{BodyBytes: 3}, 413},
		{"chunk huge", chunked + "ffffffffffffffff\r\n", Limits{}, 413},
		{"chunk line at", chunked + "0;" + x(252) + "\r\n\r\n", Limits{}, 200},
		{"chunk line over", chunked + "0;" + x(253) + "\r\n\r\n", Limits{}, 400},
		{"chunk line open", chunked + "0;" + x(255), Limits{}, 400},
		{"framing at", chunked + "1\r\nx" + strings.Repeat("\r\n1\r\nx", 9) + "\r\n0\r\n\r\n", Limits{BodyBytes: 10, HeaderBytes: len(chunked)}, 200},
		{"framing over", chunked + strings.Repeat("1;"+x(50)+"\r\nx\r\n", 3), Limits{BodyBytes: 10, HeaderBytes: len(chunked)}, 413},
		// The framing of these is 9 bytes and the extension.
		{"framing exactly at", chunked + "1;" + x(10+len(chunked)-9) + "\r\nx\r\n0\r\n\r\n", Limits{BodyBytes: 10, HeaderBytes: len(chunked)}, 200},
		{"framing one over", chunked + "1;" + x(10+len(chunked)-8) + "\r\nx\r\n0\r\n\r\n", Limits{BodyBytes: 10, HeaderBytes: len(chunked)}, 413},
		{"trailers at", chunked + "0\r\nA: b\r\n\r\n", Limits{HeaderBytes: len(chunked), Headers: 2}, 200},
		{"trailers long", chunked + "0\r\nA: " + x(len(chunked)), Limits{HeaderBytes: len(chunked)}, 431},
		{"trailers many", chunked + "0\r\n" + strings.Repeat("A: b\r\n", 3), Limits{Headers: 2}, 431},
	} {
		if got := everySplit(t, c.stream, &c.lim); verdict(got, c.stream) != c.want {
			t.Errorf("%s: %v, want %d", c.name, got, c.want)
		}
	}
}

// A peer that never completes a request cannot fill more than the documented bound.
func TestBufferIsBounded(t *testing.T) {
	lim := Limits{LineBytes: 64, HeaderBytes: 128, Headers: 10, BodyBytes: 100}
	chunked := "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
	for _, endless := range []struct{ head, again string }{
		{"", "x"}, {"GET / HTTP/1.1\r\n", "x"}, {"GET / HTTP/1.1\r\n", "a:\r\n"},
		{chunked, "0"}, {chunked, "1\r\nx\r\n"}, {chunked, "1;x\r\nx\r\n"}, {chunked, "0000000000000001\r\nx\r\n"},
		{chunked + "0\r\n", "x"}, {chunked + "0\r\n", "x:\r\n"},
	} {
		bound := 5 * 128
		stream := endless.head + strings.Repeat(endless.again, 1+bound/len(endless.again))
		if got := everySplit(t, stream, &lim); got.status == 0 {
			t.Errorf("%d bytes taken of %q and endless %q", len(stream), endless.head, endless.again)
		}
	}
}
