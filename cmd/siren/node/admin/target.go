package admin

import (
	"bytes"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/seed58c87869/siren/cmd/siren/node/problem"
)

// target is what a request is for. Immutable.
type target struct{ host, path string }

// parseTarget takes the request line and the Host apart (RFC 9112, sections 3.2 and 3.3): the host of an absolute target
// goes before the header field's. Requests that two parties could read differently are refused: with two Host or
// Content-Length lines, or with both a Content-Length and a Transfer-Encoding.
func parseTarget(h *fasthttp.RequestHeader) (target, *problem.Problem) {
	hosts, lengths, coded := countLines(h.RawHeaders())
	switch {
	case hosts > 1:
		return target{}, problem.New(problem.BadRequest, "there is more than one Host")
	case hosts == 0 && h.IsHTTP11():
		return target{}, problem.New(problem.BadRequest, "there is no Host")
	case lengths > 1, lengths > 0 && coded:
		return target{}, problem.New(problem.BadRequest, "the length of the body is told twice")
	}
	t := target{host: string(h.Host()), path: string(h.RequestURI())}
	scheme, rest, ok := strings.Cut(t.path, "://")
	if ok && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https")) {
		end := strings.IndexAny(rest, "/?#")
		if end < 0 {
			end = len(rest)
		}
		t.host, t.path = rest[:end], rest[end:]
		if t.host == "" || strings.Contains(t.host, "@") {
			return target{}, problem.New(problem.BadRequest, "the target has no valid host")
		}
		if t.path == "" || t.path[0] == '?' {
			t.path = "/" + t.path
		}
	}
	t.path, _, _ = strings.Cut(t.path, "?")
	if t.path == "" || t.path[0] != '/' {
		return target{}, problem.New(problem.BadRequest, "the target is no path")
	}
	return t, nil
}

// countLines counts the header fields that must not be told twice.
func countLines(raw []byte) (hosts, lengths int, coded bool) {
	for len(raw) > 0 {
		line := raw
		if i := bytes.IndexByte(raw, '\n'); i >= 0 {
			line, raw = raw[:i], raw[i+1:]
		} else {
			raw = nil
		}
		name, _, ok := bytes.Cut(line, []byte{':'})
		if !ok {
			continue
		}
		switch {
		case equalFold(name, "host"):
			hosts++
		case equalFold(name, "content-length"):
			lengths++
		case equalFold(name, "transfer-encoding"):
			coded = true
		}
	}
	return hosts, lengths, coded
}

// equalFold compares a name of a header field with one in small letters.
func equalFold(name []byte, small string) bool {
	if len(name) != len(small) {
		return false
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != small[i] {
			return false
		}
	}
	return true
}
