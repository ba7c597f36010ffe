package mount

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
	"github.com/seed58c87869/siren/poller/pollertest"
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
func bridged(recv session.Receiver) (*pollertest.Loop, *bridge, *int) {
	loop, kicks := pollertest.NewLoop(0), new(int)
	b := newBridge(loop, netip.MustParseAddrPort("192.0.2.1:1"), func() { *kicks++ })
	b.begin(func(session.StreamConn, int) session.Receiver { return recv }, nil)
	loop.RunUntilIdle()
	<-b.fed
	return loop, b, kicks
}

func give(loop *pollertest.Loop, b *bridge, data string) {
	b.feed([]byte(data))
	loop.RunUntilIdle()
	<-b.fed
}

// taken takes out what is handed over, as bytes.
func (b *bridge) taken() (string, bridgeEnding) {
	frames, ending := b.take(nil)
	return string(bytes.Join(frames, nil)), ending
}

// A bridge is a connection of its loop: what is not consumed comes again in front of what follows.
func TestBridgeReceives(t *testing.T) {
	first, second := &script{}, &script{}
	first.receive = func(data []byte) int { return len(data) / 2 }
	loop, b, _ := bridged(first)
	give(loop, b, "abcd")
	give(loop, b, "ef")
	if got := fmt.Sprint(first.got); got != "[abcd cdef]" {
		t.Fatal(got)
	}
	first.receive = func([]byte) int { b.SetReceiver(second); return 1 }
	give(loop, b, "gh")
	b.finish(nil)
	b.finish(errCut)
	give(loop, b, "too late")
	if got := fmt.Sprint(second.got, second.closed, first.closed); got != "[fgh] [<nil>] []" {
		t.Fatal(got)
	}
}

// Whoever feeds a bridge that is held waits until its input goes on, or the bridge ends.
func TestBridgeHolds(t *testing.T) {
	waits := func(b *bridge) bool {
		select {
		case <-b.fed:
			return false
		default:
			return true
		}
	}
	recv := &script{}
	loop, b, _ := bridged(recv)
	turns := 3
	recv.receive = func(data []byte) int {
		if !waits(b) {
			t.Errorf("fed before %q", data)
		}
		if turns--; turns > 0 {
			b.Resume() // from before; it must not bring Receive at once
			b.Hold()
			b.Resume()
			return 1
		}
		return len(data)
	}
	b.feed([]byte("abcd"))
	loop.RunUntilIdle()
	if got := fmt.Sprint(recv.got); got != "[abcd bcd cd]" || waits(b) {
		t.Fatal(got)
	}
	for name, end := range map[string]func(){"flush": func() { b.CloseAfterFlush() }, "now": func() { b.Close() }} {
		recv.receive = func(data []byte) int { b.Hold(); return len(data) }
		b.feed([]byte("e"))
		loop.RunUntilIdle()
		if !waits(b) {
			t.Fatal("fed while it is held")
		}
		end()
		loop.RunUntilIdle()
		if waits(b) {
			t.Fatalf("%s: the feeder waits for ever", name)
		}
		loop, b, _ = bridged(recv)
	}
}

// A bridge holds a window of what is queued; the rest waits in the connection, and follows when that has left.
func TestBridgeHasAWindow(t *testing.T) {
	loop, b, kicks := bridged(&script{})
	var want strings.Builder
	loop.Do(func() {
		for i := range 30 {
			frame := strings.Repeat(string(rune('a'+i%26)), 10_000)
			want.WriteString(frame)
			b.Queue([]byte(frame))
		}
	})
	var got strings.Builder
	for got.Len() < want.Len() {
		before := *kicks
		out, _ := b.taken()
		if len(out) == 0 || len(out) > bridgeWindow || before == 0 {
			t.Fatalf("%d bytes taken out after %d kicks", len(out), before)
		}
		got.WriteString(out)
		if rest, _ := b.taken(); rest != "" {
			t.Fatal("more than the window")
		}
		b.sent(len(out))
		loop.RunUntilIdle()
	}
	if got.String() != want.String() || b.QueuedBytes() != 0 || b.Blocked() {
		t.Fatalf("%d bytes of %d, %d wait", got.Len(), want.Len(), b.QueuedBytes())
	}
}

// The end comes behind what is queued, however much that is, or at once.
func TestBridgeEnds(t *testing.T) {
	loop, b, _ := bridged(&script{})
	loop.Do(func() {
		b.Queue(make([]byte, bridgeWindow))
		b.Last([]byte("bye"))
	})
	out, ending := b.taken()
	if len(out) != bridgeWindow || ending != bridgeOpen {
		t.Fatalf("%d bytes, ending %d", len(out), ending)
	}
	b.sent(len(out))
	loop.RunUntilIdle()
	if out, ending = b.taken(); out != "bye" || ending != bridgeFlush {
		t.Fatalf("%q, ending %d", out, ending)
	}
	loop.Do(b.Close)
	if _, ending = b.taken(); ending != bridgeNow {
		t.Fatalf("ending %d", ending)
	}
	b.CloseAfterFlush()
	if _, ending = b.taken(); ending != bridgeNow {
		t.Error("an end became a later one")
	}
}

// The handle of another loop writes to a bridge as to any connection.
func TestBridgeIsLent(t *testing.T) {
	loop, b, _ := bridged(&script{})
	home := pollertest.NewLoop(1)
	out := Lend([]Loop{loop, home}, func(session.StreamConn, int) session.Conn { return nil })(b, 1)
	home.Do(func() { out.Queue([]byte("from afar")) })
	loop.RunUntilIdle()
	if got, _ := b.taken(); got != "from afar" {
		t.Fatalf("%q", got)
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
	e := newEngine(t, pollertest.NewLoop(0))
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
		if got, own := targetOf(e, req); got != c.want || own != (c.want != "") {
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

// silent is the application of sessions that nobody listens to.
type silent struct{}

func (silent) Open(*session.Session) session.Client { return silent{} }
func (silent) Serves() bool                         { return false }
func (silent) Request(x *session.Exchange, _ *httpwire.Request) {
	x.Respond(&httpwire.Response{Status: http.StatusNotFound})
}
func (silent) Message([]byte, bool)  {}
func (silent) Closed(session.Reason) {}

func newEngine(t *testing.T, loop session.Loop) *session.Engine {
	t.Helper()
	e, err := session.New(session.Config{Path: "/socket.io"}, silent{}, []session.Loop{loop}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}
