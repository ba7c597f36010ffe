package httpwire

import "testing"

// S9: a second POST must be seen while the first one's body is still coming.
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
	if p.Declared() != 5 {
		t.Errorf("Declared = %d, want 5", p.Declared())
	}
	if n, err := p.Parse(buf, nil, &r); n != len(buf) || err != nil || string(r.Body) != "hello" {
		t.Fatalf("%d, %v, body %q", n, err, r.Body)
	}
}
