package server_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/seed58c87869/siren/poller/pollertest"
	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/attach"
	"github.com/seed58c87869/siren/session"
)

// attached is a server on loops of the test's own.
type attached struct {
	srv    *server.Server
	loops  []*pollertest.Loop
	accept func(c session.StreamConn, loop int) session.Receiver
}

func attachLoops(t *testing.T, n int) *attached {
	t.Helper()
	srv, err := server.New(server.Config{Loops: n})
	if err != nil {
		t.Fatal(err)
	}
	a := &attached{srv: srv}
	var loops []attach.Loop
	for i := range n {
		l := pollertest.NewLoop(i)
		a.loops, loops = append(a.loops, l), append(loops, l)
	}
	if a.accept, err = attach.Server(srv, loops, a.borrow); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *attached) borrow(c session.StreamConn, home int) session.Conn {
	return c.(*pollertest.Conn).Borrow(a.loops[home])
}

// run works off what the loops have been posted.
func (a *attached) run() {
	for ran := 1; ran > 0; {
		ran = 0
		for _, l := range a.loops {
			ran += l.RunUntilIdle()
		}
	}
}

const attachHead = "Host: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// dial opens a WebSocket on a loop and connects it to "/".
func (a *attached) dial(loop int) *pollertest.Conn {
	l := a.loops[loop]
	c := pollertest.NewConn(l, nil)
	l.Do(func() { c.SetReceiver(a.accept(c, loop)) })
	c.Feed([]byte("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n" + attachHead))
	c.Feed(clientText("40"))
	a.run()
	return c
}

func clientText(text string) []byte {
	b, err := ws.CompileFrame(ws.MaskFrameInPlace(ws.NewTextFrame([]byte(text))))
	if err != nil {
		panic(err)
	}
	return b
}

func TestAttach(t *testing.T) {
	a := attachLoops(t, 2)
	conns := []*pollertest.Conn{a.dial(0), a.dial(1), a.dial(1)}
	if err := a.srv.Of("/").Sockets()[0].Join("room"); err != nil {
		t.Fatal(err)
	}
	if n, err := a.srv.Emit("tick", 1); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	for _, c := range conns {
		c.TakeFrames()
	}
	a.run()
	for i, c := range conns {
		if got := string(c.Bytes()); got != "\x81\x0c"+`42["tick",1]` {
			t.Errorf("connection %d got %q", i, got)
		}
	}
	conns[2].PeerClose(io.EOF)
	a.run()
	st := a.srv.Stats()
	if n := a.srv.Of("/").SocketCount(); n != 2 || st.Sessions.Open != 2 || st.Sessions.Closed[server.ReasonTransportClose] != 1 {
		t.Errorf("%d sockets, %+v", n, st.Sessions)
	}
	if a.srv.Addr() != nil || st.Poller.Accepted != 0 {
		t.Error("an attached server has an address")
	}
	for _, c := range conns {
		c.TakeFrames()
	}
	a.close(t)
	for i, c := range conns[:2] {
		if closed, _ := c.Closed(); !closed || string(c.Bytes()) != "\x88\x00" {
			t.Errorf("connection %d: closed %v after %q", i, closed, c.Bytes())
		}
	}
	if _, err := attach.Server(a.srv, []attach.Loop{a.loops[0], a.loops[1]}, a.borrow); !errors.Is(err, server.ErrClosed) {
		t.Error(err)
	}
}

// close closes the server while the loops go on.
func (a *attached) close(t *testing.T) {
	t.Helper()
	done := make(chan error)
	go func() { done <- a.srv.Close() }()
	for {
		select {
		case err := <-done:
			if err != nil || a.srv.Stats().Sessions.Open != 0 {
				t.Errorf("%v, %d sessions", err, a.srv.Stats().Sessions.Open)
			}
			return
		default:
			a.run()
		}
	}
}

// A session that began on one loop goes on over a WebSocket of another.
func TestAttachBorrows(t *testing.T) {
	a := attachLoops(t, 2)
	l := a.loops[0]
	poll := pollertest.NewConn(l, nil)
	l.Do(func() { poll.SetReceiver(a.accept(poll, 0)) })
	poll.Feed([]byte("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\n\r\n"))
	sid := sidOf(t, string(poll.Bytes()))
	up := pollertest.NewConn(a.loops[1], nil)
	a.loops[1].Do(func() { up.SetReceiver(a.accept(up, 1)) })
	up.Feed([]byte("GET /socket.io/?EIO=4&transport=websocket&sid=" + sid + " HTTP/1.1\r\n" + attachHead))
	a.run()
	up.Feed(clientText("2probe"))
	a.run()
	up.Feed(clientText("5"))
	up.Feed(clientText("40"))
	a.run()
	if all := a.srv.Of("/").Sockets(); len(all) != 1 || all[0].Transport() != server.WebSocket {
		t.Fatalf("%d sockets", len(all))
	}
	a.close(t)
}

func sidOf(t *testing.T, response string) string {
	t.Helper()
	_, rest, _ := strings.Cut(response, `"sid":"`)
	if sid, _, ok := strings.Cut(rest, `"`); ok {
		return sid
	}
	t.Fatalf("no sid in %q", response)
	return ""
}

func TestAttachRefuses(t *testing.T) {
	loops := func(indexes ...int) (out []attach.Loop) {
		for _, i := range indexes {
			out = append(out, pollertest.NewLoop(i))
		}
		return out
	}
	borrow := func(session.StreamConn, int) session.Conn { return nil }
	for _, test := range []struct {
		name   string
		loops  []attach.Loop
		borrow session.Borrow
	}{
		{"no loops", nil, borrow},
		{"too few", loops(0), borrow},
		{"too many", loops(0, 1, 2), borrow},
		{"out of order", loops(1, 0), borrow},
		{"nil loop", []attach.Loop{pollertest.NewLoop(0), nil}, borrow},
		{"no way to borrow", loops(0, 1), nil},
	} {
		srv, err := server.New(server.Config{Loops: 2})
		if err != nil {
			t.Fatal(err)
		}
		if accept, err := attach.Server(srv, test.loops, test.borrow); err == nil || accept != nil {
			t.Errorf("%s: no error", test.name)
		}
		// It may be tried again.
		if _, err := attach.Server(srv, loops(0, 1), borrow); err != nil {
			t.Errorf("%s: afterwards: %v", test.name, err)
		}
		if _, err := attach.Server(srv, loops(0, 1), borrow); err == nil {
			t.Error("attached twice")
		}
		if err := srv.Listen("tcp://127.0.0.1:0"); err == nil {
			t.Error("an attached server listens")
		}
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	}
	srv := start(t, server.Config{Fallback: http.NotFoundHandler()}, nil)
	if _, err := attach.Server(srv, loops(0, 1), borrow); err == nil {
		t.Error("a listening server was attached")
	}
}
