package httpwire

import "testing"

// A second POST must be seen while the body of the first is still arriving.
func TestHeadBeforeTheBody(t *testing.T) {
	const head = "\r\nPOST /socket.io/?sid=x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"
	buf := []byte(head + "hello")
	var p Parser
	var r Request
	for n := 1; n < len(head); n++ {
		if m, err := p.Parse(buf[:n], nil, &r); m != 0 || err != nil {
			t.Fatalf("after %d bytes: %d, %v", n, m, err)
		}
		if p.Head(buf[:n], &r) == nil || p.Declared() != 0 {
			t.Fatalf("a head after %d of %d bytes", n, len(head))
		}
	}
	if n, err := p.Parse(buf[:len(head)+2], nil, &r); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	r.Reset()
	if err := p.Head(buf[:len(head)+2], &r); err != nil || string(r.Method) != "POST" || string(r.RawQuery) != "sid=x" {
		t.Fatalf("%v: %s %s", err, r.Method, r.RawQuery)
	}
	if p.Declared() != 5 || r.ContentLength != 5 {
		t.Errorf("Declared = %d, ContentLength = %d, want 5", p.Declared(), r.ContentLength)
	}
	if n, err := p.Parse(buf, nil, &r); n != len(buf) || err != nil || string(r.Body) != "hello" {
		t.Fatalf("%d, %v, body %q", n, err, r.Body)
	}
}

// The first line of each chunk raises the lower bound of the body's length.
func TestDeclaredOfChunks(t *testing.T) {
	var p Parser
	var r Request
	buf := []byte("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
	for _, c := range []struct {
		more string
		want int
	}{{"", 0}, {"5\r\n", 5}, {"he", 5}, {"llo", 5}, {"\r\n", 5}, {"a", 5}, {"\r\n", 15}, {"0123456789\r\n0\r\n", 15}} {
		buf = append(buf, c.more...)
		if n, err := p.Parse(buf, nil, &r); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		if err := p.Head(buf, &r); err != nil || r.ContentLength != -1 || p.Declared() != c.want {
			t.Errorf("behind %q: Declared = %d, want %d; ContentLength = %d, %v", c.more, p.Declared(), c.want, r.ContentLength, err)
		}
	}
	buf = append(buf, "\r\n"...)
	if n, err := p.Parse(buf, nil, &r); n != len(buf) || err != nil || len(r.Body) != 15 || r.ContentLength != -1 || p.Declared() != 0 {
		t.Error(n, err, len(r.Body), r.ContentLength, p.Declared())
	}
}
