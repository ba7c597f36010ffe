package admin

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// Requests that two parties could read differently are refused, and the host of an absolute target counts.
func TestTargets(t *testing.T) {
	s := start(t, Config{})
	check(t, s, "GET /open HTTP/1.1\nHost: localhost\nHost: evil.example\n\n", 400, "bad_request")
	check(t, s, "GET /open HTTP/1.1\nHost: localhost\nhost: localhost\n\n", 400, "bad_request")
	check(t, s, "GET /open HTTP/1.1\nAccept: */*\n\n", 400, "bad_request")
	check(t, s, "POST /api/echo HTTP/1.1\nHost: localhost\nContent-Length: 2\nContent-Length: 2\n\n{}", 400, "bad_request")
	check(t, s, "POST /api/echo HTTP/1.1\nHost: localhost\nContent-Length: 2\nTransfer-Encoding: chunked\n\n0\n\n", 400, "bad_request")
	check(t, s, "GET http://localhost:1/open?x HTTP/1.1\nHost: evil.example\n\n", 200, "")
	check(t, s, "GET HTTP://127.0.0.1/open HTTP/1.1\nHost: evil.example\n\n", 200, "")
	check(t, s, "GET http://evil.example/open HTTP/1.1\nHost: localhost\n\n", 403, "forbidden")
	check(t, s, "GET http://localhost@evil.example/open HTTP/1.1\nHost: localhost\n\n", 400, "bad_request")
	check(t, s, "GET http://evil.example HTTP/1.1\nHost: localhost\n\n", 403, "forbidden")
	check(t, s, "GET http://localhost?x HTTP/1.1\nHost: localhost\n\n", 200, "")
	check(t, s, "OPTIONS * HTTP/1.1\nHost: localhost\n\n", 400, "bad_request")
	check(t, s, "GET /open/ HTTP/1.1\nHost: localhost\n\n", 404, "not_found")
	check(t, s, "GET //open HTTP/1.1\nHost: localhost\n\n", 404, "not_found")
	check(t, s, "GET /api/../open HTTP/1.1\nHost: localhost\n\n", 404, "not_found")
	check(t, s, "GET /%6fpen HTTP/1.1\nHost: localhost\n\n", 404, "not_found")
	check(t, s, "GET /nothing HTTP/1.1\nHost: localhost\n\n", 404, "not_found")
	check(t, s, "garbage\n\n", 400, "bad_request")
	check(t, s, "GET /open HTTP/1.1\nHost: localhost\nX: "+strings.Repeat("x", 20<<10)+"\n\n", 431, "head_too_large")
}

func TestMethodsAndTypes(t *testing.T) {
	s := start(t, Config{})
	head := " HTTP/1.1\nHost: localhost\nContent-Length: 2\n"
	for _, method := range []string{"GET", "PUT", "DELETE", "PATCH"} {
		if a := check(t, s, method+" /api/echo"+head+"\n{}", 405, "method_not_allowed"); a.header.Get("Allow") != "POST" {
			t.Error(a.header)
		}
	}
	if a := check(t, s, "PUT /api/both"+head+"\n{}", 405, "method_not_allowed"); a.header.Get("Allow") != "GET, POST, HEAD" {
		t.Error(a.header)
	}
	check(t, s, "GET /api/both HTTP/1.1\nHost: localhost\n\n", 200, "")
	for _, media := range []string{"application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;x"} {
		check(t, s, "POST /api/echo"+head+"Content-Type: "+media+"\n\n{}", 200, "")
		check(t, s, "POST /api/both"+head+"Content-Type: "+media+"\n\n{}", 200, "")
	}
	for _, media := range []string{
		"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp", "", "json",
		"text/plain; application/json",
	} {
		check(t, s, "POST /api/echo"+head+"Content-Type: "+media+"\n\n{}", 415, "unsupported_media_type")
	}
	check(t, s, "POST /api/echo"+head+"\n{}", 415, "unsupported_media_type")
}

func FuzzTarget(f *testing.F) {
	for _, s := range []string{
		"GET /open HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET http://evil/open HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"POST /x HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 1\r\n\r\nx",
	} {
		f.Add([]byte(s))
	}
	s := &Server{routes: map[string]*Route{}}
	s.Handle(Route{Path: "/open", Open: true}, Route{Path: "/api/x"})
	none := keyring{}
	s.keys.Store(&none)
	f.Fuzz(func(t *testing.T, request []byte) {
		var h fasthttp.RequestHeader
		if h.Read(bufio.NewReader(bytes.NewReader(request))) != nil {
			return
		}
		r, _, p := s.admit(&h, true)
		if p == nil && r == nil {
			t.Fatal("neither a route nor a problem")
		}
		if p == nil && bytes.Count(bytes.ToLower(h.RawHeaders()), []byte("\nhost:")) > 1 {
			t.Fatal("two hosts")
		}
	})
}
