package engineio

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/httpwire"
	"github.com/seed58c87869/siren/poller/pollertest"
	"github.com/seed58c87869/siren/session"
)

// fragile is a connection that panics when something is queued, once it is armed.
type fragile struct {
	*pollertest.Conn
	armed bool
}

// Queue implements session.Conn.
func (f *fragile) Queue(frame []byte) bool {
	if f.armed {
		panic("fragile")
	}
	return f.Conn.Queue(frame)
}

// app opens sessions for a test.
type app struct {
	opened *session.Session
	closed []Reason
}

func (a *app) Open(s *session.Session) Client { a.opened = s; return a }
func (a *app) Serves() bool                   { return false }
func (a *app) Request(x *session.Exchange, _ *httpwire.Request) {
	x.Respond(&httpwire.Response{Status: http.StatusNotFound})
}
func (a *app) Message([]byte, bool) {}
func (a *app) Closed(r Reason)      { a.closed = append(a.closed, r) }

// A message that panics on its way ends the session that it belongs to.
func TestPanicEndsSession(t *testing.T) {
	a, loop := &app{}, pollertest.NewLoop(0)
	e, err := session.New(session.Config{}, a, []session.Loop{loop}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &fragile{Conn: pollertest.NewConn(loop, nil)}
	c.SetReceiver(e.Accept(c, 0))
	c.Feed(bytes.Clone([]byte("GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")))
	loop.RunUntilIdle()
	if a.opened == nil {
		t.Fatal("no session")
	}
	c.armed = true
	func() {
		defer func() {
			if recover() == nil {
				t.Error("it does not panic")
			}
		}()
		loop.Do(func() { (&delivery{a.opened, eio.NewMessage([]byte("x"))}).Run(0) })
	}()
	loop.RunUntilIdle()
	if a.opened.Open() || len(a.closed) != 1 || a.closed[0] != session.ReasonTransportError {
		t.Errorf("open %v, ended with %v", a.opened.Open(), a.closed)
	}
}
