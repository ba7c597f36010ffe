package forward

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server/engineio"
	"github.com/seed58c87869/siren/session"
	"github.com/seed58c87869/siren/session/sessiontest"
)

// Requests of a polling session may go to any node, with the same answers everywhere.
func TestPollingAtAnyNode(t *testing.T) {
	nodes := startAll(t, 3, func(_ *Config, s *engineio.Config) {
		s.Session.CORS = session.CORS{Origins: []string{"http://page.example"}, Credentials: true}
	})
	b := newBrowser(t)
	sid := b.open(nodes[0])
	for i := range 12 {
		n := nodes[i%3]
		text := strings.Repeat("x", 1+i*7000)
		b.do(n, "POST", "&sid="+sid, "4"+text, "Origin", "http://page.example").want(t, 200, "ok")
		a := b.do(nodes[(i+1)%3], "GET", "&sid="+sid, "", "Origin", "http://page.example")
		a.want(t, 200, "4"+text)
		if got := a.Header.Values("Access-Control-Allow-Origin"); len(got) != 1 || got[0] != "http://page.example" {
			t.Errorf("CORS: %q", got)
		}
		if len(a.Header.Values("Date")) != 1 {
			t.Errorf("Date: %q", a.Header.Values("Date"))
		}
	}
	if got := nodes[0].echoes.Load(); got != 12 {
		t.Errorf("%d messages", got)
	}
	for i, n := range nodes[1:] {
		s := n.Stats()
		if s.Sent != 8 || s.Failed["gone"]+s.Failed["dial"]+s.Failed["broken"] != 0 || s.Dials > 4 {
			t.Errorf("node %d: %+v", i+1, s)
		}
	}
	if s := nodes[0].Stats(); s.Received != 16 {
		t.Errorf("%+v", s)
	}
	b.do(nodes[1], "OPTIONS", "&sid="+sid, "", "Origin", "http://page.example").want(t, 204, "")
	b.do(nodes[1], "PUT", "&sid="+sid, "").want(t, 405, "Method not allowed")
	b.do(nodes[2], "POST", "&sid="+sid, "1").want(t, 200, "ok")
	b.do(nodes[1], "GET", "&sid="+sid, "").want(t, 400, unknown)
}

// A GET that waits is answered when a message comes, and the client's leaving ends the wait at the session's node.
func TestWaitingGet(t *testing.T) {
	nodes := startAll(t, 2, nil)
	b := newBrowser(t)
	sid := b.open(nodes[0])
	s := nodes[0].next(t)
	got := make(chan answer, 1)
	go func() {
		a, _ := b.try(nodes[1], "GET", "&sid="+sid, "")
		got <- a
	}()
	waitFor(t, "the GET to be under way", func() bool { n, _ := nodes[1].under(); return n == 1 })
	if err := s.SendText("hello"); err != nil {
		t.Fatal(err)
	}
	(<-got).want(t, 200, "4hello")
	waitFor(t, "the GET to end", func() bool { n, _ := nodes[1].under(); return n == 0 })

	c := nodes[1].dial(t)
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", target(sid, "polling"))
	waitFor(t, "the GET to arrive", func() bool { return nodes[0].Stats().Received == 2 })
	_ = c.Close()
	waitFor(t, "the client to be gone", func() bool { return nodes[1].Stats().Gone == 1 })
	waitFor(t, "the session to end", func() bool { return !s.Open() })
	if n, _ := nodes[1].under(); n != 0 || nodes[1].Stats().Gone != 1 {
		t.Errorf("%d under way, %+v", n, nodes[1].Stats())
	}
}

// A session upgrades to a WebSocket at another node, and its frames pass both ways.
func TestUpgradeAtAnotherNode(t *testing.T) {
	nodes := startAll(t, 2, nil)
	b := newBrowser(t)
	for _, owner := range []int{0, 1, 0} {
		sid := b.open(nodes[owner])
		w, err := sessiontest.OpenWebSocket(nodes[1-owner].dial(t), target(sid, "websocket"))
		if err != nil {
			t.Fatal(err)
		}
		want := func(text string) {
			t.Helper()
			if m, err := w.Next(); err != nil || m.Text != text {
				t.Fatal(m, err)
			}
		}
		_ = w.Send("2probe")
		want("3probe")
		_ = w.Send("5", "4hello")
		want("4hello")
		if _, sockets := nodes[1-owner].under(); sockets != 1 {
			t.Errorf("%d WebSockets", sockets)
		}
		big := strings.Repeat("y", 900_000)
		_ = w.Send("4" + big)
		if m, err := w.Next(); err != nil || m.Bytes != 900_001 {
			t.Fatal(m, err)
		}
		w.Close()
		waitFor(t, "the WebSocket to end", func() bool { _, n := nodes[1-owner].under(); return n == 0 })
	}
	// A second WebSocket for a session that has one is refused as at the session's own node.
	for range 2 {
		if _, err := sessiontest.OpenWebSocket(nodes[0].dial(t), target("A"+b.open(nodes[1])[1:], "websocket")); err == nil {
			t.Error("a WebSocket for an unknown session")
		}
	}
}

// Ids that name no known node, or no session, are refused at once, on both transports.
func TestUnknownSessions(t *testing.T) {
	nodes := startAll(t, 2, nil)
	stranger := start(t, nil)
	b := newBrowser(t)
	foreign := b.open(stranger)
	gone := nodes[1].NewSID(1)
	for name, sid := range map[string]string{
		"of no known node": foreign, "of no session": gone, "too short": "abc", "old form": strings.Repeat("A", 24),
		"no id": strings.Repeat("!", sidLen),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBrowser(t)
			b.do(nodes[0], "GET", "&sid="+sid, "").want(t, 400, unknown)
			b.do(nodes[0], "POST", "&sid="+sid, "4a").want(t, 400, unknown)
			c := nodes[0].dial(t)
			fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", target(sid, "websocket"))
			r, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil || r.StatusCode != 400 {
				t.Fatal(r, err)
			}
			_ = r.Body.Close()
		})
	}
}

// The node of a session goes, and comes back as another one: its sessions are unknown then, and new ones work.
func TestOwnerRestarts(t *testing.T) {
	nodes := startAll(t, 2, func(f *Config, _ *engineio.Config) { f.PingInterval = 10 * time.Millisecond })
	b := newBrowser(t)
	sid := b.open(nodes[0])
	b.do(nodes[1], "POST", "&sid="+sid, "4a").want(t, 200, "ok")
	b.do(nodes[1], "GET", "&sid="+sid, "").want(t, 200, "4a")
	waiting := make(chan answer, 1)
	go func() {
		a, err := b.try(nodes[1], "GET", "&sid="+sid, "")
		if err != nil {
			t.Error(err)
		}
		waiting <- a
	}()
	waitFor(t, "the GET to be under way", func() bool { n, _ := nodes[1].under(); return n == 1 })
	address := nodes[0].Address()
	_ = nodes[0].srv.Close()
	_ = nodes[0].Node.Close()
	if a := <-waiting; a.StatusCode != 200 && a.StatusCode != 503 && a.StatusCode != 400 {
		t.Error(a.Status)
	}
	waitFor(t, "the node to be down", func() bool { return nodes[1].up() == 0 })
	b.do(nodes[1], "GET", "&sid="+sid, "").want(t, 400, unknown)
	again := start(t, func(f *Config, _ *engineio.Config) { f.Listen = address })
	waitFor(t, "the node to be up", func() bool { return nodes[1].up() == 1 })
	b.do(nodes[1], "GET", "&sid="+sid, "").want(t, 400, unknown)
	other := b.open(again)
	b.do(nodes[1], "POST", "&sid="+other, "4b").want(t, 200, "ok")
	b.do(nodes[1], "GET", "&sid="+other, "").want(t, 200, "4b")
}

// The session's node sees the client's address, and what the proxy in front of the other node says of it.
func TestClientAddress(t *testing.T) {
	seen := make(chan string, 100)
	nodes := startAll(t, 2, func(_ *Config, s *engineio.Config) {
		s.Session.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}
		s.Session.OnHeaders = func(h *session.Handshake, _ http.Header) {
			seen <- fmt.Sprint(h.Peer, " ", h.Address(), " ", h.Header("X-Test"), " ", h.Header("Siren"))
		}
	})
	sid := newBrowser(t).open(nodes[0])
	<-seen
	for from, want := range map[string]string{"127.0.0.1": "127.0.0.1", "127.0.0.2": "192.0.2.7"} {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := d.Dial("tcp", nodes[1].addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 192.0.2.7\r\nX-Test: yes\r\nContent-Length: 2\r\n\r\n4a",
			target(sid, "polling"))
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || r.StatusCode != 200 {
			t.Fatal(r, err)
		}
		_ = r.Body.Close()
		if got, want := <-seen, fmt.Sprint(c.LocalAddr(), " ", want, " yes "); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if len(seen) > 0 {
		t.Errorf("a request was seen twice: %s", <-seen)
	}
}

// A request that a node has passed on is not passed on again.
func TestPassedOnOnce(t *testing.T) {
	nodes := startAll(t, 2, nil)
	sid := newBrowser(t).open(nodes[1])
	c, err := net.Dial("tcp", nodes[0].Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := greet(c, testKeys(), hello{kind: kindLink, time: time.Now(), to: nodes[0].own}); err != nil {
		t.Fatal(err)
	}
	request := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: h\r\n\r\n", target(sid, "polling"))
	_, _ = c.Write(append(appendPrefix(nil, netip.AddrPort{}, false, len(request)), request...))
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || r.StatusCode != 400 {
		t.Fatal(r, err)
	}
	_ = r.Body.Close()
	if s := nodes[0].Stats(); s.Sent != 0 || s.Received != 1 {
		t.Errorf("%+v", s)
	}
}

// A POST that is pipelined behind a GET that waits for its effect is passed on at once, and answered after the GET.
func TestPipelined(t *testing.T) {
	nodes := startAll(t, 2, nil)
	sid := newBrowser(t).open(nodes[0])
	c := nodes[1].dial(t)
	_ = c.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\nPOST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n4a",
		target(sid, "polling"), target(sid, "polling"))
	in := bufio.NewReader(c)
	for _, want := range []string{"4a", "ok"} {
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r.Body)
		if err != nil || string(text) != want {
			t.Errorf("%q %v, want %q", text, err, want)
		}
	}
}
