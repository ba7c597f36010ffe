package httpwire

import (
	"fmt"
	"strings"
	"testing"
)

// verdict returns the status of the error for a stream, 200 if the stream consists of whole
// requests, or 0 if it is incomplete.
func verdict(o outcome, stream string) int {
	switch {
	case o.status != 0:
		return o.status
	case o.consumed == len(stream):
		return 200
	default:
		return 0
	}
}

func TestRequestLine(t *testing.T) {
	for _, c := range []struct {
		line string
		want int
	}{
		{"GET / HTTP/1.1", 200},
		{"GET / HTTP/1.0", 200},
		{"M!#$%&'*+-.^_`|~9 / HTTP/1.1", 200},
		{"GET /a%20b?c=%zz&{}|^\"<>` HTTP/1.1", 200},
		{"GET /? HTTP/1.1", 200},
		{"GET //a//b?x?y HTTP/1.1", 200},
		{"OPTIONS * HTTP/1.1", 200},
		{"GET http://h HTTP/1.1", 200},
		{"GET HTTPS://h:443/x?y HTTP/1.1", 200},
		{"GET http://h?y HTTP/1.1", 200},
		{"GET http://[::1]:80/ HTTP/1.1", 200},
		{"GET http://h:/ HTTP/1.1", 200},

		{"GET /", 400}, {"GET", 400}, {"GET ", 400}, {"GET  / HTTP/1.1", 400},
		{"GET /  HTTP/1.1", 400}, {"GET / HTTP/1.1 ", 400}, {" GET / HTTP/1.1", 400},
		{"GET\t/ HTTP/1.1", 400}, {"GET /\tHTTP/1.1", 400}, {"GET / x HTTP/1.1", 400},
		{"G:T / HTTP/1.1", 400}, {"G\x00T / HTTP/1.1", 400}, {"G\xe9T / HTTP/1.1", 400}, {"(GET) / HTTP/1.1", 400},
		{"GET / http/1.1", 400}, {"GET / HTTP/1", 400}, {"GET / HTTP/11", 400}, {"GET / HTTP/1.10", 400},
		{"GET / HTTP/1,1", 400}, {"GET / HTTP/d.d", 400}, {"GET / HTTP /1.1", 400}, {"GET / HTTPS/1.1", 400},
		{"GET / HTTP/0.9", 505}, {"GET / HTTP/1.2", 505}, {"GET / HTTP/2.0", 505}, {"GET / HTTP/3.0", 505},
		{"GET x HTTP/1.1", 400}, {"GET * HTTP/1.1", 400}, {"OPTIONS ** HTTP/1.1", 400}, {"GET ?x HTTP/1.1", 400},
		{"GET /#f HTTP/1.1", 400}, {"GET /?q#f HTTP/1.1", 400}, {"GET /\x7f HTTP/1.1", 400}, {"GET /\x00 HTTP/1.1", 400},
		{"GET /\r HTTP/1.1", 400}, {"GET /\x80 HTTP/1.1", 400}, {"GET /caf\u00e9 HTTP/1.1", 400},
		{"GET /% HTTP/1.1", 400}, {"GET /%4 HTTP/1.1", 400}, {"GET /%4g HTTP/1.1", 400}, {"GET /%%34 HTTP/1.1", 400},
		{"CONNECT h:80 HTTP/1.1", 400}, {"CONNECT / HTTP/1.1", 400}, {"GET h:80 HTTP/1.1", 400},
		{"GET http:// HTTP/1.1", 400}, {"GET http:/// HTTP/1.1", 400}, {"GET http:/x HTTP/1.1", 400}, {"GET ftp://h/ HTTP/1.1", 400},
		{"GET http://u@h/ HTTP/1.1", 400}, {"GET http://h:8x/ HTTP/1.1", 400}, {"GET http://:80/ HTTP/1.1", 400},
		{"GET http://[::1/ HTTP/1.1", 400}, {"GET http://[::g]/ HTTP/1.1", 400}, {"GET http://[fe80::1%25lo]/ HTTP/1.1", 400},
		{"GET http://h%41/ HTTP/1.1", 400}, {"GET http://[1.2.3.4]/ HTTP/1.1", 400}, {"GET http://[::1]x/ HTTP/1.1", 400},
	} {
		stream := c.line + "\r\nHost: h\r\n\r\n"
		if got := everySplit(t, stream, nil); verdict(got, stream) != c.want {
			t.Errorf("%q: %v, want %d", c.line, got, c.want)
		}
	}
}

func TestTargetParts(t *testing.T) {
	for _, c := range []struct{ line, path, query, host string }{
		{"GET /a/b?c=d?e HTTP/1.1", "/a/b", "c=d?e", "field.example:1"},
		{"GET http://T.example:80/a?b HTTP/1.1", "/a", "b", "T.example:80"},
		{"GET http://T.example HTTP/1.1", "/", "", "T.example"},
		{"GET https://T.example?b HTTP/1.1", "/", "b", "T.example"},
		{"GET http://T.example/? HTTP/1.1", "/", "", "T.example"},
		{"OPTIONS * HTTP/1.1", "*", "", "field.example:1"},
	} {
		var p Parser
		var r Request
		stream := []byte(c.line + "\r\nHost: field.example:1\r\n\r\n")
		if n, err := p.Parse(stream, nil, &r); n != len(stream) || err != nil {
			t.Fatal(c.line, n, err)
		}
		if string(r.Path) != c.path || string(r.RawQuery) != c.query || string(r.Host) != c.host {
			t.Errorf("%s: path %q query %q host %q", c.line, r.Path, r.RawQuery, r.Host)
		}
	}
}

func TestFields(t *testing.T) {
	for _, c := range []struct {
		fields string
		want   int
	}{
		{"Host: h\r\n", 200}, {"hOST:h:80\r\n", 200}, {"Host:\r\n", 200}, {"Host: [::1]:3000\r\n", 200}, {"Host: a_b.c\r\n", 200},
		{"Host: ::1\r\n", 200}, {"Host: ::1:3000\r\n", 200}, {"Host: ::1:34567\r\n", 200}, {"Host: 2001:db8::ff:80\r\n", 200},
		{"Host: 1:2:3:4:5:6:7:8:3000\r\n", 200}, {"Host: ::ffff:192.0.2.1:80\r\n", 200}, {"Host: [::1]:\r\n", 200}, {"Host: :::80\r\n", 200},
		{"Host: [fe80::1%eth0]:3000\r\n", 200}, {"Host: [fe80::1%25eth0]\r\n", 200},
		{"Host: h\r\nX:\t a\tb \t\r\n", 200}, {"Host: h\r\nX: caf\xe9 \u00e9\r\n", 200}, {"Host: h\r\nX:\r\nX:\r\n", 200},
		{"Host: h\r\nExpect: 100-Continue\r\n", 200}, {"Host: h\r\nContent-Length: 0\r\n", 200}, {"Host: h\r\nContent-Length: 000\r\n", 200},

		{"", 400}, {"X: y\r\n", 400}, {"Host: h\r\nHost: h\r\n", 400}, {"Host: ::1:80\r\nHost: ::1:80\r\n", 400}, {"Host: a b\r\n", 400}, {"Host: a/b\r\n", 400},
		{"Host: u@h\r\n", 400}, {"Host: h:x\r\n", 400}, {"Host: :80\r\n", 400}, {"Host: \xe9\r\n", 400}, {"Host: [::1\r\n", 400},
		{"Host: ::1:3000x\r\n", 400}, {"Host: 1:2:3\r\n", 400}, {"Host: a:1:2\r\n", 400}, {"Host: ::1:2:99999:1\r\n", 400},
		{"Host: fe80::1%eth0\r\n", 400}, {"Host: [fe80::1%]\r\n", 400}, {"Host: [fe80::1%a b]\r\n", 400}, {"Host: [fe80::1%eth0]x\r\n", 400},
		{"Host: [fe80::1%e[]:1\r\n", 400}, {"Host: [h%eth0]\r\n", 400}, {"Host: [%eth0]\r\n", 400}, {"Host: ::1,::2\r\n", 400}, {"Host: ::1 ::2\r\n", 400},
		{" Host: h\r\n", 400}, {"\tHost: h\r\nHost: h\r\n", 400}, {"Host : h\r\n", 400}, {"Host\t: h\r\n", 400}, {"Host h\r\n", 400},
		{"Host: h\r\nX: a\r\n b\r\n", 400}, {"Host: h\r\nX: a\r\n\tb\r\n", 400}, {"Host: h\r\n \r\n", 400},
		{"Host: h\r\n: v\r\n", 400}, {"Host: h\r\nX\r\n", 400}, {"Host: h\r\nX(y): z\r\n", 400}, {"Host: h\r\nX\x00: z\r\n", 400}, {"Host: h\r\n\xe9: z\r\n", 400},
		{"Host: h\r\nX: a\x00b\r\n", 400}, {"Host: h\r\nX: 0123456789abcdef\x00\r\n", 400}, {"Host: h\r\nX: \x7f\r\n", 400}, {"Host: h\r\nX: 01234567\x1f9012345\r\n", 400},
		{"Host: h\r\nX: 0123\x7f567\r\n", 400}, {"Host: h\r\nX: a\rb\r\n", 400}, {"Host: h\r\nX: a\r\r\n", 400}, {"Host: h\nX: y\r\n", 400}, {"Host: h\r\n\n", 400},
		{"Host: h\r\nExpect: 200-ok\r\n", 417}, {"Host: h\r\nExpect:\r\n", 417}, {"Host: h\r\nExpect: 100-continue, x\r\n", 417},
	} {
		stream := "GET / HTTP/1.1\r\n" + c.fields + "\r\n"
		if got := everySplit(t, stream, nil); verdict(got, stream) != c.want {
			t.Errorf("%q: %v, want %d", c.fields, got, c.want)
		}
	}
}

func TestFraming(t *testing.T) {
	const chunks = "3\r\nabc\r\n0\r\n\r\n"
	for _, c := range []struct {
		fields, body string
		want         int
	}{
		{"Content-Length: 3\r\n", "abc", 200},
		{"content-length:3\r\n", "abc", 200},
		{"Transfer-Encoding: chunked\r\n", chunks, 200},
		{"transfer-encoding: CHUNKED\r\n", chunks, 200},
		{"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", chunks, 400},
		{"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", chunks, 400},
		{"Transfer-Encoding: gzip\r\nContent-Length: 3\r\n", "abc", 400},
		{"Content-Length: 3\r\nContent-Length: 3\r\n", "abc", 400},
		{"Content-Length: 3\r\nContent-Length: 4\r\n", "abc", 400},
		{"Content-Length: 3, 3\r\n", "abc", 400},
		{"Content-Length: 3,\r\n", "abc", 400},
		{"Content-Length:\r\n", "abc", 400},
		{"Content-Length: +3\r\n", "abc", 400},
		{"Content-Length: -3\r\n", "abc", 400},
		{"Content-Length: -0\r\n", "", 400},
		{"Content-Length: 3 \x0b\r\n", "abc", 400},
		{"Content-Length: 1 1\r\n", "abc", 400},
		{"Content-Length: 0x3\r\n", "abc", 400},
		{"Content-Length: 3.0\r\n", "abc", 400},
		{"Content-Length: \u0663\r\n", "abc", 400},
		{"Content-Length: 9223372036854775807\r\n", "", 413},
		{"Content-Length: 9223372036854775808\r\n", "", 400},
		{"Content-Length: 18446744073709551619\r\n", "abc", 400},
		{"Content-Length: 1000001\r\n", "", 413},
		{"Content-Length: 1000000\r\n", "", 0},
		{"Transfer-Encoding: chunked, chunked\r\n", chunks, 400},
		{"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", chunks, 400},
		{"Transfer-Encoding: chunked, gzip\r\n", chunks, 400},
		{"Transfer-Encoding: chunked,\r\n", chunks, 400},
		{"Transfer-Encoding: ,chunked\r\n", chunks, 400},
		{"Transfer-Encoding:\r\n", chunks, 400},
		{"Transfer-Encoding: chunked;q=1\r\n", chunks, 400},
		{"Transfer-Encoding: \"chunked\"\r\n", chunks, 400},
		{"Transfer-Encoding: gzip, chunked\r\n", chunks, 501},
		{"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", chunks, 501},
		{"Transfer-Encoding: identity\r\n", "", 501},
		{"Transfer-Encoding: xchunked\r\n", chunks, 501},
		{"Transfer-Encoding : chunked\r\n", chunks, 400},
		{"Transfer-Encoding\r\n: chunked\r\n", chunks, 400},
		{"X: y\r\n Transfer-Encoding: chunked\r\n", chunks, 400},
	} {
		stream := "POST / HTTP/1.1\r\nHost: h\r\n" + c.fields + "\r\n" + c.body
		if got := everySplit(t, stream, nil); verdict(got, stream) != c.want {
			t.Errorf("%q: %v, want %d", c.fields, got, c.want)
		}
	}
}

func TestHTTP10(t *testing.T) {
	for _, c := range []struct {
		fields string
		want   int
		close  bool
	}{
		{"", 200, true},
		{"Connection: Keep-Alive\r\n", 200, false},
		{"Connection: keep-alive, close\r\n", 200, true},
		{"Expect: anything\r\n", 200, true},
		{"Transfer-Encoding: chunked\r\n", 400, false},
		{"Transfer-Encoding: gzip\r\n", 400, false},
		{"Host: a\r\nHost: a\r\n", 400, false},
	} {
		stream := "GET / HTTP/1.0\r\n" + c.fields + "\r\n"
		got := everySplit(t, stream, nil)
		if verdict(got, stream) != c.want {
			t.Errorf("%q: %v, want %d", c.fields, got, c.want)
		}
		if c.want == 200 && !strings.Contains(got.requests[0], fmt.Sprintf("close=%v", c.close)) {
			t.Errorf("%q: %v", c.fields, got)
		}
	}
}

func TestBeforeTheRequestLine(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
	for _, c := range []struct {
		stream string
		want   int
	}{
		{"\r\n" + get, 200}, {"\r\n\r\n" + get, 200}, {"\r\n\r\n\r\n" + get, 400},
		{"\n" + get, 400}, {"\r" + get, 400}, {"\r\r\n" + get, 400}, {"\x00" + get, 400}, {"\xef\xbb\xbf" + get, 400},
		{"\r\n", 0}, {"\r", 0}, {"\r\n\r\n\r", 400}, {"\r\n " + get, 400},
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
		{"PRI * HTTP/2.0\r\n", 505},
		{"\x16\x03\x01\x02\x00\x01", 400}, // a TLS hello is told at its first byte
		{"GET /\r\n", 400},                // HTTP/0.9, whose client sends nothing more
		{"GET / HTTP/1.1\n", 400},
	} {
		if got := everySplit(t, c.stream, nil); verdict(got, c.stream) != c.want {
			t.Errorf("%q: %v, want %d", c.stream, got, c.want)
		}
	}
}
