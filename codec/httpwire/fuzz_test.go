package httpwire

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"
)

// fuzzLimits are small, so that the fuzzer can exceed them.
var fuzzLimits = Limits{LineBytes: 120, HeaderBytes: 400, Headers: 8, BodyBytes: 200}

func addSeeds(f *testing.F) {
	for _, s := range []string{
		pollingGET, pollingPOST, upgradeGET, "\r\n" + upgradeGET + "\x82\x80",
		"GET / HTTP/1.1\r\nHost: h\r\n\r\nGET http://h?x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		chunkedHead + "5;e=\"f\"\r\nhello\r\n0\r\nT: x\r\n\r\n\r\nOPTIONS * HTTP/1.1\r\nHost:\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabcGET /%41 HTTP/1.1\r\nHost: [::1]:1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", "GET / HTTP/1.1\nHost: h\n\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	} {
		f.Add([]byte(s), uint64(0x9e3779b97f4a7c15))
	}
}

// FuzzSplit checks that the result does not depend on how a stream is split, under any limits.
func FuzzSplit(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, stream []byte, cuts uint64) {
		for _, lim := range []*Limits{nil, &fuzzLimits} {
			want := feed(t, stream, lim, atOnce).String()
			if got := feed(t, stream, lim, byteByByte).String(); got != want {
				t.Fatalf("byte by byte: %s\nat once: %s", got, want)
			}
			state := cuts | 1
			if got := feed(t, stream, lim, func(left int) int {
				state = state*6364136223846793005 + 1442695040888963407
				return min(left, 1+int(state>>40)%60)
			}).String(); got != want {
				t.Fatalf("in pieces: %s\nat once: %s", got, want)
			}
		}
	})
}

// serialize writes a request with a Content-Length, whatever the framing of the original.
func serialize(r *Request) []byte {
	out := fmt.Appendf(nil, "%s %s HTTP/1.%d\r\n", r.Method, r.Target, r.Minor)
	for _, f := range r.Fields {
		if foldEqual(f.Name, "Transfer-Encoding") || foldEqual(f.Name, "Content-Length") {
			continue
		}
		out = fmt.Appendf(out, "%s: %s\r\n", f.Name, f.Value)
	}
	return fmt.Appendf(out, "Content-Length: %d\r\n\r\n%s", len(r.Body), r.Body)
}

// meaning returns a request without the traces of its framing.
func meaning(r *Request) string {
	plain := *r
	plain.Head, plain.Fields = nil, nil
	for _, f := range r.Fields {
		if !foldEqual(f.Name, "Transfer-Encoding") && !foldEqual(f.Name, "Content-Length") {
			plain.Fields = append(plain.Fields, f)
		}
	}
	return summary(&plain)
}

// FuzzAccepted checks that an accepted request survives serialization and ParseHead, and that
// net/http reads the same request, with the same end, from the same bytes.
func FuzzAccepted(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, stream []byte, _ uint64) { checkAccepted(t, stream) })
}

// FuzzAcceptedParts is FuzzAccepted with a fixed shape of the request, so that the fuzzer
// spends its time inside targets, fields and chunks.
func FuzzAcceptedParts(f *testing.F) {
	f.Add("/a?b", "h:80", "X", "y", "3\r\nabc\r\n0\r\n")
	f.Add("http://[::1]:1/%41;b?%", "[1::2]", "Connection", "close, x", "00a;b=c\r\n0123456789\r\n0\r\nT: u\r\n")
	f.Add("https://a_b.c", "", "Transfer-Encoding", "chunked", "0\r\n")
	f.Add("//x:y@z/../", "1.2.3.4", "Content-Length", "3", "3;\r\nabc\r\n0;\"\r\n")
	f.Fuzz(func(t *testing.T, target, host, name, value, chunks string) {
		line := "POST " + target + " HTTP/1."
		fields := "Host: " + host + "\r\n" + name + ": " + value + "\r\n"
		checkAccepted(t, []byte(line+"0\r\n"+fields+"\r\n"))
		checkAccepted(t, []byte(line+"1\r\n"+fields+"Transfer-Encoding: chunked\r\n\r\n"+chunks+"\r\n"))
		checkAccepted(t, fmt.Appendf(nil, "%s1\r\n%sContent-Length: %d\r\n\r\n%s", line, fields, len(chunks), chunks))
	})
}

func checkAccepted(t *testing.T, stream []byte) {
	t.Helper()
	var p Parser
	var r, again Request
	buf := bytes.Clone(stream)
	n, err := p.Parse(buf, nil, &r)
	if n == 0 || err != nil {
		return
	}
	if err := ParseHead(r.Head, &again); err != nil {
		t.Fatalf("ParseHead(%q): %v", r.Head, err)
	}
	again.Body = r.Body
	if summary(&again) != summary(&r) {
		t.Fatalf("ParseHead: %s\nParse: %s", summary(&again), summary(&r))
	}
	wire := serialize(&r)
	lim := Limits{HeaderBytes: len(wire), LineBytes: len(wire), Headers: DefaultHeaders + 1}
	if m, err := p.Parse(wire, &lim, &again); m != len(wire) || err != nil {
		t.Fatalf("Parse(%q) = %d, %v", wire, m, err)
	}
	if meaning(&again) != meaning(&r) {
		t.Fatalf("again %s\nfirst %s", meaning(&again), meaning(&r))
	}
	compareWithNetHTTP(t, stream[:n], &r)
}

// compareWithNetHTTP fails when net/http does not see the request that we see in
// the wire bytes. Two differences are wanted:
//   - net/http does not skip empty lines before a request, its server does;
//   - it judges the names listed in Trailer, which is a hint that we ignore.
func compareWithNetHTTP(t *testing.T, wire []byte, r *Request) {
	t.Helper()
	if r.Get("Trailer") != nil {
		return
	}
	in := bufio.NewReaderSize(bytes.NewReader(bytes.TrimLeft(wire, "\r\n")), len(wire)+16)
	theirs, err := http.ReadRequest(in)
	if err != nil {
		t.Fatalf("net/http: %v for %q", err, wire)
	}
	body, err := io.ReadAll(theirs.Body)
	if err != nil {
		t.Fatalf("net/http: body: %v for %q", err, wire)
	}
	if rest, _ := io.ReadAll(in); len(rest) != 0 {
		t.Fatalf("net/http sees %q behind %q", rest, wire)
	}
	path, err := url.PathUnescape(string(r.Path))
	if err != nil {
		t.Fatalf("path %q: %v", r.Path, err)
	}
	if theirs.URL.Path == "" && theirs.URL.Host != "" {
		theirs.URL.Path = "/" // the same by RFC 9110, section 4.2.3
	}
	for _, c := range []struct {
		what         string
		ours, theirs any
	}{
		{"method", string(r.Method), theirs.Method},
		{"target", string(r.Target), theirs.RequestURI},
		{"path", path, theirs.URL.Path},
		{"query", string(r.RawQuery), theirs.URL.RawQuery},
		{"host", string(r.Host), theirs.Host},
		{"minor version", r.Minor, theirs.ProtoMinor},
		{"body", string(r.Body), string(body)},
		{"close", r.Close, theirs.Close},
	} {
		if c.ours != c.theirs {
			t.Fatalf("%s: %q, net/http has %q, for %q", c.what, c.ours, c.theirs, wire)
		}
	}
	for _, field := range r.Fields {
		name := http.CanonicalHeaderKey(string(field.Name))
		if name == "Host" || name == "Transfer-Encoding" {
			continue // net/http moves these elsewhere
		}
		if got := theirs.Header.Get(name); got != string(r.Get(name)) {
			t.Fatalf("field %s: %q, net/http has %q", name, r.Get(name), got)
		}
	}
}
