package server

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/codec/httpwire"
	"github.com/seed58c87869/siren/session"
)

// script is a receiver that does what it is told, and records.
type script struct {
	receive func(data []byte) int
	got     []string
	closed  []error
}

func (s *script) Receive(data []byte) (int, int) {
	s.got = append(s.got, string(data))
	if s.receive == nil {
		return len(data), 0
	}
	return s.receive(data), 0
}

func (s *script) Closed(err error) { s.closed = append(s.closed, err) }

// bridged is a bridge on a loop that the test drives.
func bridged(t *testing.T, recv session.Receiver) (*rig, *bridge, *int) {
	r := newRig(t, Config{MaxResponse: 1000, MaxPayload: 1000, Queue: Queue{MaxBytes: 1000}})
	kicks := new(int)
	b := newBridge(r.srv, r.loop, netip.MustParseAddrPort("192.0.2.1:1"), func() { *kicks++ })
	b.begin(func(session.StreamConn, int) session.Receiver { return recv }, nil)
	r.loop.run()
	<-b.fed
	return r, b, kicks
}

func (r *rig) give(b *bridge, data string) {
	b.feed([]byte(data))
	r.loop.run()
	<-b.fed
}

// What is not consumed comes again in front of what follows, also when the receiver resumes or is exchanged.
func TestBridgeReceives(t *testing.T) {
	first, second := &script{}, &script{}
	first.receive = func(data []byte) int { return len(data) / 2 }
	r, b, _ := bridged(t, first)
	r.give(b, "abcd")
	r.give(b, "ef")
	if got := fmt.Sprint(first.got); got != "[abcd cdef]" {
		t.Fatal(got)
	}
	first.receive = func(data []byte) int { return 0 }
	b.Resume()
	b.Resume()
	r.loop.run()
	if got := fmt.Sprint(first.got); got != "[abcd cdef ef]" {
		t.Fatal(got)
	}
	first.receive = func(data []byte) int {
		b.SetReceiver(second)
		return 1
	}
	r.give(b, "gh")
	if got := fmt.Sprint(second.got); got != "[fgh]" {
		t.Fatal(got)
	}
	second.receive = func(data []byte) int {
		b.Resume()
		return 1
	}
	r.give(b, "123")
	if got := fmt.Sprint(second.got); got != "[fgh 123 23 3]" {
		t.Fatal(got)
	}
	second.receive = func([]byte) int {
		b.Resume() // for nothing
		return 0
	}
	r.give(b, "x")
	b.finish(nil)
	b.finish(errWireCut)
	r.give(b, "too late")
	if len(second.got) != 5 || len(second.closed) != 1 || len(first.closed) != 0 {
		t.Fatal(second, first.closed)
	}
}

// Limits hold in both directions, and what is closed takes nothing.
func TestBridgeLimits(t *testing.T) {
	recv := &script{receive: func([]byte) int { return 0 }}
	r, b, kicks := bridged(t, recv)
	room := b.queueMax / 1000
	for range 2 * room {
		b.Queue(make([]byte, 1000))
	}
	if n := b.QueuedBytes(); n > b.queueMax || n < b.queueMax/2 || *kicks == 0 {
		t.Fatalf("%d bytes wait, limit %d, %d kicks", n, b.queueMax, *kicks)
	}
	frames, ending := b.take(nil)
	for _, f := range frames {
		b.sent(len(f))
	}
	if b.QueuedBytes() != 0 || ending != bridgeOpen {
		t.Fatal(b.QueuedBytes(), ending)
	}
	r.give(b, strings.Repeat("x", b.restMax))
	if b.ends() != bridgeOpen {
		t.Fatal("it ended at the limit")
	}
	r.give(b, "x")
	if b.ends() != bridgeNow || b.Queue([]byte("x")) {
		t.Fatal("it goes on above the limit")
	}
	b.CloseAfterFlush()
	if b.ends() != bridgeNow {
		t.Error("an end became a later one")
	}
}

// A receiver that panics loses its connection; the loop recovers.
func TestBridgePanic(t *testing.T) {
	recv := &script{receive: func([]byte) int { panic("boom") }}
	r, b, _ := bridged(t, recv)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		b.feed([]byte("x"))
		r.loop.run()
	}()
	<-b.fed
	if b.ends() != bridgeNow {
		t.Error("it goes on")
	}
}

// Whatever a program's middleware has put into a request, it is read as one request with these fields or not at all.
func FuzzAppendHead(f *testing.F) {
	f.Add("GET", "/socket.io/?EIO=4", "h", "X-A", "b", int64(0))
	f.Add("POST", "/socket.io/\r\nX: y", "h\n", "X-A\r\n", "b\r\n\r\nGET / HTTP/1.1", int64(7))
	f.Fuzz(func(t *testing.T, method, target, host, name, value string, length int64) {
		r := &http.Request{Method: method, Host: host, Header: http.Header{name: {value}}, ProtoMajor: 1, ProtoMinor: 1}
		head := appendHead(nil, r, target, max(length, 0))
		if bytes.Count(head, []byte("\r\n\r\n")) != 1 || !bytes.HasSuffix(head, []byte("\r\n\r\n")) ||
			bytes.Count(head, []byte("\n")) != bytes.Count(head, []byte("\r\n")) {
			t.Fatalf("%q", head)
		}
		req := new(httpwire.Request)
		if httpwire.ParseHead(bytes.Clone(head), req) == nil && len(req.Fields) > 3 {
			t.Fatalf("%q", head)
		}
	})
}

// Answers are read as AppendResponse writes them, in one piece or in many.
func TestAnswerReader(t *testing.T) {
	for _, c := range []struct {
		resp httpwire.Response
		want string
	}{
		{httpwire.Response{Status: 200, ContentType: "text/plain", Body: []byte("hello"), Header: []string{"X-A", "1", "Vary", "a", "Vary", "b"}}, "200 hello map[Content-Length:[5] Content-Type:[text/plain] Vary:[a b] X-A:[1]]"},
		{httpwire.Response{Status: 204, Close: true}, "204  map[Connection:[close]]"},
		{httpwire.Response{Status: 400, Body: []byte("12345"), Head: true}, "400  map[Content-Length:[5]]"},
		{httpwire.Response{Status: 200}, "200  map[Content-Length:[0]]"},
	} {
		wire := httpwire.AppendResponse(nil, &c.resp)
		for _, size := range []int{1, 1000} {
			a := answerReader{head: c.resp.Head}
			for rest := wire; len(rest) > 0; rest = rest[min(size, len(rest)):] {
				if a.whole() {
					t.Fatalf("whole with %d bytes to come", len(rest))
				}
				a.add(rest[:min(size, len(rest))])
			}
			if got := fmt.Sprint(a.whole(), a.status, " ", string(a.body), " ", a.header); got != "true "+c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		}
	}
}

func TestTargetAndPeer(t *testing.T) {
	r := newRig(t, Config{})
	for _, c := range []struct{ uri, path, query, want string }{
		{"/socket.io/?a=b", "/socket.io/", "a=b", "/socket.io/?a=b"},
		{"/socket.io", "/socket.io", "", "/socket.io"},
		{"/x/socket.io/?a=%20", "/socket.io/", "a=%20", "/socket.io/?a=%20"},
		{"http://h/socket.io/?a", "/socket.io/", "a", "/socket.io/?a"},
		{"/x", "/x", "", ""},
		{"", "/socket.io", "", "/socket.io"},
		{"/socket.io/more", "/socket.io/more", "", ""},
	} {
		req, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET / HTTP/1.1\r\nHost: h\r\n\r\n")))
		if err != nil {
			t.Fatal(err)
		}
		req.RequestURI, req.URL.Path, req.URL.RawQuery = c.uri, c.path, c.query
		if got, own := targetOf(r.srv.engine, req); got != c.want || own != (c.want != "") {
			t.Errorf("%+v: %q %v", c, got, own)
		}
	}
	for remote, want := range map[string]string{
		"192.0.2.1:80": "192.0.2.1:80", "[::ffff:192.0.2.1]:80": "192.0.2.1:80", "192.0.2.1": "192.0.2.1:0", "2001:db8::1": "[2001:db8::1]:0",
		"@": "invalid AddrPort", "": "invalid AddrPort", "nonsense": "invalid AddrPort",
	} {
		req := httptest.NewRequest("GET", "/", nil)
		req.RemoteAddr = remote
		if got := peerOf(req).Addr.String(); got != want {
			t.Errorf("%q: %s, want %s", remote, got, want)
		}
	}
}
