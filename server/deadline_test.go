package server_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/servertest"
)

// deadlineServer emits "due" to each socket whose deadline comes. Clients set theirs by "in", in milliseconds.
func deadlineServer(t *testing.T, cfg server.Config) *servertest.Server {
	ts := servertest.New(t, cfg)
	for _, space := range []server.Space{ts.Of("/"), ts.OfFunc(func(context.Context, string, server.Raw) bool { return true })} {
		space.OnDeadline(func(s *server.Socket) { _ = s.Emit("due") })
		server.On1(space, "in", func(_ context.Context, s *server.Socket, ms int) error {
			s.SetDeadline(time.Duration(ms) * time.Millisecond)
			return nil
		})
	}
	return ts
}

func TestDeadline(t *testing.T) {
	for _, ns := range []string{"/", "/dynamic"} {
		t.Run(ns, func(t *testing.T) {
			ts := deadlineServer(t, server.Config{})
			c := ts.Connect(ns, nil)
			c.Emit("in", 5000)
			ts.Advance(4900 * time.Millisecond)
			c.ExpectNothing()
			ts.Advance(200 * time.Millisecond)
			c.Expect("due")
			ts.Advance(time.Hour)
			c.ExpectNothing() // once

			c.Emit("in", 5000)
			c.Emit("in", 9000) // in place of it
			ts.Advance(8 * time.Second)
			c.ExpectNothing()
			c.Emit("in", 100)
			ts.Advance(200 * time.Millisecond)
			c.Expect("due")
			c.Emit("in", 100)
			c.Emit("in", 0)
			ts.Advance(time.Hour)
			c.ExpectNothing()
		})
	}
}

// The deadlines of many sockets come in their order, each socket's on its loop.
func TestDeadlinesOfMany(t *testing.T) {
	ts := deadlineServer(t, server.Config{Loops: 2})
	clients := make([]*servertest.Client, 60)
	for i := range clients {
		clients[i] = ts.Connect("/", nil)
		clients[i].Emit("in", 1000*(1+(i*7)%len(clients)))
	}
	ts.Advance(500 * time.Millisecond)
	for second := range clients {
		ts.Advance(time.Second)
		for i, c := range clients {
			if second == (i*7)%len(clients) {
				c.Expect("due")
			} else if n := len(c.Events()); n != 0 {
				t.Fatalf("client %d has %d events in second %d", i, n, second)
			}
		}
	}
}

// All at once are more than a turn has time for: the rest follows.
func TestDeadlinesAtOnce(t *testing.T) {
	ts := deadlineServer(t, server.Config{})
	var called atomic.Int64
	ts.Of("/").OnDeadline(func(*server.Socket) { called.Add(1) })
	for range 1000 {
		ts.Connect("/", nil).Emit("in", 1000)
	}
	ts.Advance(3 * time.Second)
	if n := called.Load(); n != 1000 {
		t.Errorf("%d of 1,000", n)
	}
}

// The deadline of a socket that has ended does not come, and one may be set in each handler.
func TestDeadlineAndLife(t *testing.T) {
	ts := servertest.New(t, server.Config{})
	var log []string
	note := func(what string) { log = append(log, what) }
	ns := ts.Of("/")
	ns.Use(func(_ context.Context, s *server.Socket) error { s.SetDeadline(time.Second); return nil })
	ns.OnConnect(func(_ context.Context, s *server.Socket) error {
		if s.Handshake().Auth(new(struct{})) == nil && string(s.Handshake().RawAuth()) == `{"refuse":true}` {
			return server.Refuse("no", nil)
		}
		return nil
	})
	ns.OnDeadline(func(s *server.Socket) { note("due"); s.SetDeadline(time.Second); s.Disconnect(false) })
	ns.OnDisconnect(func(s *server.Socket, r server.Reason) { s.SetDeadline(time.Second); note(r.String()) })
	ts.Connect("/", nil).Disconnect()
	ts.Connect("/", nil).Cut()
	if c := ts.Connect("/", map[string]bool{"refuse": true}); c.Refused() == nil {
		t.Fatal("not refused")
	}
	last := ts.Connect("/", nil)
	ts.Advance(time.Minute)
	want := "[client namespace disconnect transport close due server namespace disconnect]"
	if fmt.Sprint(log) != want || last.DisconnectReason() == "" {
		t.Errorf("%v, want %s", log, want)
	}
}

// A panic in a handler is counted and ends nothing.
func TestDeadlinePanics(t *testing.T) {
	ts := deadlineServer(t, server.Config{})
	fail := ts.Of("/").OnDeadline(func(*server.Socket) { panic("oh") })
	c := ts.Connect("/", nil)
	c.Emit("in", 100)
	ts.Advance(time.Second)
	c.Expect("due")
	if p := ts.Panics(); len(p) != 1 {
		t.Errorf("%v", p)
	}
	fail.Remove()
	c.Emit("in", 100)
	ts.Advance(time.Second)
	c.Expect("due")
}

func TestIdentity(t *testing.T) {
	ts := servertest.New(t, server.Config{})
	s := ts.Connect("/", nil).Socket()
	if s.Identity() != nil {
		t.Error(s.Identity())
	}
	if s.SetIdentity(nil); s.Identity() != nil {
		t.Error(s.Identity())
	}
	s.SetIdentity(5)
	if s.SetUser("ann"); s.Identity() != 5 || s.User() != "ann" {
		t.Error(s.Identity(), s.User())
	}
	if s.SetIdentity(nil); s.Identity() != nil || s.User() != "ann" {
		t.Error(s.Identity(), s.User())
	}
}

// An auth payload that was replaced is forgotten, and its memory is not accounted any more.
func TestReplaceAuth(t *testing.T) {
	ts := servertest.New(t, server.Config{MemoryBudget: 1 << 20})
	c := ts.Connect("/", map[string]string{"token": strings.Repeat("x", 50_000)})
	s := c.Socket()
	if n := ts.Stats().MemoryHeld; n < 50_000 {
		t.Fatalf("%d bytes held", n)
	}
	before := s.Handshake()
	s.ReplaceAuth([]byte(`{"a":1}`))
	ts.Settle()
	if got := string(s.Handshake().RawAuth()); got != `{"a":1}` || len(before.RawAuth()) < 50_000 {
		t.Error(got)
	}
	if n := ts.Stats().MemoryHeld; n != 0 {
		t.Errorf("%d bytes held", n)
	}
	s.ReplaceAuth([]byte(`"` + strings.Repeat("x", 50_000) + `"`))
	ts.Settle()
	if n := ts.Stats().MemoryHeld; n < 40_000 {
		t.Errorf("%d bytes held", n)
	}
	c.Disconnect()
	s.ReplaceAuth(nil) // late: changes the payload alone
	ts.Settle()
	if n := ts.Stats().MemoryHeld; n != 0 || s.Handshake().RawAuth() != nil {
		t.Errorf("%d bytes held", n)
	}
}
