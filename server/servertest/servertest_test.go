package servertest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/servertest"
)

// each runs a test over each way to connect, with one loop and with three, in a bubble and outside of one.
func each(t *testing.T, test func(t *testing.T, loops int, how servertest.Option)) {
	for name, how := range map[string]servertest.Option{
		"websocket": servertest.Transport(server.WebSocket), "polling": servertest.Transport(server.Polling), "upgrade": servertest.Upgrade(),
	} {
		for _, loops := range []int{1, 3} {
			t.Run(fmt.Sprint(name, " ", loops), func(t *testing.T) { test(t, loops, how) })
			t.Run(fmt.Sprint(name, " ", loops, " bubble"), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { test(t, loops, how) })
			})
		}
	}
}

// echo answers "echo" with its arguments, and sends them as "echoed", too.
func echo(ns *server.Namespace) {
	ns.On("echo", func(_ context.Context, m *server.Message) {
		_ = m.Socket().Emit("echoed", m.Args()...)
		_ = m.Ack(m.Args()...)
	})
}

// Events, acknowledgements and binary data over each transport.
func TestExchange(t *testing.T) {
	each(t, func(t *testing.T, loops int, how servertest.Option) {
		ts := servertest.New(t, server.Config{Loops: loops})
		echo(ts.Of("/chat"))
		c := ts.Connect("/chat", nil, how)
		if !c.Connected() || c.ID() == "" || c.Socket() == nil || c.Refused() != nil {
			t.Fatal("not connected")
		}
		if c.Transport() != c.Socket().Transport() {
			t.Error(c.Transport(), c.Socket().Transport())
		}
		blob := []byte{0, 1, 2, 255}
		reply := c.EmitAck("echo", 1, "two", map[string]any{"b": blob})
		var n int
		var s string
		var v struct{ B []byte }
		if err := reply.Decode(&n, &s, &v); err != nil || n != 1 || s != "two" || !bytes.Equal(v.B, blob) {
			t.Error(reply, err)
		}
		var again struct{ B []byte }
		c.Expect("echoed", 1, &s, &again)
		if !bytes.Equal(again.B, blob) {
			t.Error(again)
		}
		c.Emit("echo", blob)
		c.Expect("echoed", blob)
		c.ExpectNothing()
		for i := range 20 {
			_ = c.Socket().Emit("n", i)
		}
		for i, e := range c.Events() {
			if e.String() != fmt.Sprintf("n(%d)", i) {
				t.Error(i, e)
			}
		}
	})
}

// Each ping is answered in time, for a day; a client that does not answer is gone after both times.
func TestHeartbeat(t *testing.T) {
	each(t, func(t *testing.T, loops int, how servertest.Option) {
		ts := servertest.New(t, server.Config{Loops: loops})
		var gone []server.Reason
		ts.Of("/").OnDisconnect(func(_ *server.Socket, r server.Reason) { gone = append(gone, r) })
		c := ts.Client(how)
		ts.Advance(time.Hour)
		if !c.Connected() || len(gone) > 0 {
			t.Fatal(c.DisconnectReason(), gone)
		}
		c.AnswerPings(false)
		before := ts.Now()
		for c.Socket() != nil {
			ts.Advance(time.Second)
		}
		if took := ts.Now() - before; took < 20*time.Second || took > 45*time.Second {
			t.Error(took)
		}
		if len(gone) != 1 || gone[0] != server.ReasonPingTimeout || c.DisconnectReason() == "" {
			t.Error(gone, c.DisconnectReason())
		}
	})
}

// Refusals, and several namespaces over one connection.
func TestNamespaces(t *testing.T) {
	each(t, func(t *testing.T, loops int, how servertest.Option) {
		ts := servertest.New(t, server.Config{Loops: loops})
		echo(ts.Of("/"))
		echo(ts.Of("/a"))
		ts.Of("/a").Use(func(_ context.Context, s *server.Socket) error {
			var auth struct{ Token string }
			if _ = s.Handshake().Auth(&auth); auth.Token != "x" {
				return server.Refuse("bad token", map[string]int{"code": 7})
			}
			return nil
		})
		root := ts.Client(how)
		r := root.Of("/a", nil).Refused()
		var data struct{ Code int }
		if r == nil || r.Message != "bad token" || r.Data.Unmarshal(&data) != nil || data.Code != 7 {
			t.Fatal(r)
		}
		if r := root.Of("/none", nil).Refused(); r == nil || r.Message != "Invalid namespace" {
			t.Fatal(r)
		}
		a := root.Of("/a", map[string]string{"token": "x"})
		a.Emit("echo", "a")
		a.Expect("echoed", "a")
		root.ExpectNothing()
		a.Disconnect()
		if a.DisconnectReason() != "io client disconnect" || !root.Connected() || ts.Of("/a").SocketCount() != 0 {
			t.Error(a.DisconnectReason())
		}
		root.Socket().Disconnect(false)
		ts.Settle()
		if root.DisconnectReason() != "io server disconnect" {
			t.Error(root.DisconnectReason())
		}
	})
}

// The ends that a client can have.
func TestEnds(t *testing.T) {
	each(t, func(t *testing.T, loops int, how servertest.Option) {
		ts := servertest.New(t, server.Config{Loops: loops})
		var gone []string
		ts.Of("/").OnDisconnect(func(_ *server.Socket, r server.Reason) { gone = append(gone, r.String()) })
		ts.Client(how).Disconnect()
		ts.Client(how).SendRaw("1")
		c := ts.Client(how)
		c.Cut()
		c.Disconnect()
		if c.DisconnectReason() != "transport close" {
			t.Error(c.DisconnectReason())
		}
		last := ts.Client(how)
		if err := ts.Close(); err != nil {
			t.Error(err)
		}
		if last.DisconnectReason() == "" || ts.Stats().Sessions.Open != 0 {
			t.Errorf("%d sessions", ts.Stats().Sessions.Open)
		}
		got := strings.Join(gone, ", ")
		if !strings.HasPrefix(got, "client namespace disconnect, transport close, transport ") || !strings.HasSuffix(got, ", server shutting down") {
			t.Error(got)
		}
	})
}

// A handler that waits for its client does not keep the test from going on: the client answers by itself, or
// later, or the time passes.
func TestRequest(t *testing.T) {
	each(t, func(t *testing.T, loops int, how servertest.Option) {
		ts := servertest.New(t, server.Config{Loops: loops, AckTimeout: 3 * time.Second})
		server.Reply1(ts.Of("/"), "twice", func(ctx context.Context, s *server.Socket, n int) (string, error) {
			v, err := server.Call[int](ctx, s, "value", n)
			return fmt.Sprint(2*v, errors.Is(err, server.ErrTimeout)), nil
		})
		c := ts.Client(how)
		c.On("value", func(e servertest.Event) []any {
			var n int
			_ = e.Decode(&n)
			return []any{n + 1}
		})
		if r := c.EmitAck("twice", 20); r.String() != `("42 false")` {
			t.Error(r)
		}
		c.On("value", nil)

		a := c.Ask("twice", 1)
		if st := ts.Stats(); st.Handlers != 1 || st.Waiting != 1 {
			t.Errorf("%d handlers, %d wait", st.Handlers, st.Waiting)
		}
		if e := c.Expect("value", 1); !e.WantsAck() {
			t.Error("no question")
		} else {
			e.Ack(5)
		}
		if r, ok := a.Reply(); !ok || r.String() != `("10 false")` {
			t.Error(r, ok)
		}

		a = c.Ask("twice", 1)
		ts.Advance(3*time.Second - time.Millisecond)
		if _, ok := a.Reply(); ok {
			t.Error("too early")
		}
		ts.Advance(time.Millisecond)
		if r, ok := a.Reply(); !ok || r.String() != `("0 true")` {
			t.Error(r, ok)
		}
	})
}

// What the server sees of a client, and how it refuses one before there is a session.
func TestHandshake(t *testing.T) {
	ts := servertest.New(t, server.Config{AllowRequest: func(_ context.Context, h *server.RequestInfo) error {
		if h.Header("X-Token") != "x" {
			return server.Refuse("go away", nil)
		}
		return nil
	}})
	for _, how := range []server.Transport{server.WebSocket, server.Polling} {
		c := ts.Client(servertest.Transport(how))
		if r := c.Refused(); r == nil || r.Status != 403 || r.Message != "go away" || c.Connected() {
			t.Error(r)
		}
		c = ts.Client(servertest.Transport(how), servertest.Header("X-Token", "x"), servertest.Query("room", "5"),
			servertest.Address("203.0.113.9"), servertest.Auth(map[string]int{"n": 1}))
		h := c.Socket().Handshake()
		if h.Query().Get("room") != "5" || h.Address() != "203.0.113.9" || string(h.RawAuth()) != `{"n":1}` {
			t.Error(h.Query(), h.Address(), string(h.RawAuth()))
		}
	}
}

// An upgrade that stops halfway times out, and polling goes on; one that does not loses nothing.
func TestUpgrade(t *testing.T) {
	ts := servertest.New(t, server.Config{Loops: 2})
	echo(ts.Of("/"))
	c := ts.Client(servertest.Transport(server.Polling))
	if !c.Probe() {
		t.Fatal("no answer to the probe")
	}
	_ = c.Socket().Emit("late")
	c.ExpectNothing()
	ts.Advance(10 * time.Second)
	c.Expect("late")
	if st := ts.Stats().Sessions; st.UpgradeFailed != 1 || c.Transport() != server.Polling {
		t.Errorf("%+v", st)
	}
	c.EmitAck("echo", 1)
	c.Expect("echoed", 1)

	c.Probe()
	_ = c.Socket().Emit("during")
	c.Emit("echo", 2)
	if !c.Upgrade() || c.Socket().Transport() != server.WebSocket {
		t.Fatal("no upgrade")
	}
	c.Expect("during")
	c.Expect("echoed", 2)
	ts.Advance(time.Hour)
	if !c.Connected() {
		t.Error(c.DisconnectReason())
	}
}

// A client that stops reading is a slow one, until it is too slow.
func TestSlowReader(t *testing.T) {
	each(t, func(t *testing.T, loops int, how servertest.Option) {
		ts := servertest.New(t, server.Config{Loops: loops, Queue: server.Queue{MaxBytes: 10_000}})
		slow, quick := ts.Client(how), ts.Client()
		slow.StopReading()
		emit := func(n int) {
			for i := range n {
				_, _ = ts.Emit("m", i, strings.Repeat("x", 1000))
				quick.Expect("m", i)
			}
		}
		emit(5)
		slow.ExpectNothing()
		slow.Resume()
		if got := slow.Events(); len(got) != 5 {
			t.Fatal(len(got))
		}
		slow.StopReading()
		emit(20)
		if n := ts.Of("/").SocketCount(); n != 1 || ts.Stats().Sessions.SlowClosed != 1 {
			t.Error(n, ts.Stats().Sessions.SlowClosed)
		}
		slow.Resume()
		if slow.DisconnectReason() == "" {
			t.Error("it does not know")
		}
	})
}

// The same test takes the same course.
func TestDeterministic(t *testing.T) {
	course := func() string {
		var log []string
		t.Run("", func(t *testing.T) {
			ts := servertest.New(t, server.Config{Loops: 3})
			note := func(format string, args ...any) { log = append(log, fmt.Sprintf(format, args...)) }
			var clients []*servertest.Client
			name := map[string]int{}
			ts.Of("/").On("say", func(_ context.Context, m *server.Message) {
				note("%d says", name[m.Socket().ID()])
				_ = m.Socket().EmitAck(context.Background(), "heard", func(r server.Reply, err error) {
					note("%d heard %v", name[m.Socket().ID()], err)
				})
				_, _ = m.Socket().Broadcast().Emit("said")
			})
			for i := range 9 {
				c := ts.Client(servertest.Transport(server.Transport(i % 2)))
				name[c.ID()] = i
				c.On("said", func(servertest.Event) []any { note("to %d", i); return nil })
				c.On("heard", func(servertest.Event) []any { return nil })
				clients = append(clients, c)
			}
			for range 3 {
				for _, c := range clients {
					c.Emit("say")
				}
				ts.Advance(time.Minute)
			}
		})
		return strings.Join(log, "\n")
	}
	first := course()
	if strings.Count(first, "\n") != 3*9*(2+8)-1 {
		t.Errorf("%d lines", strings.Count(first, "\n"))
	}
	for range 5 {
		if again := course(); again != first {
			t.Fatalf("first\n%s\nthen\n%s", first, again)
		}
	}
}

// A connection that joins nothing, one that falls silent, and the loops that connections come to.
func TestOptions(t *testing.T) {
	ts := servertest.New(t, server.Config{Loops: 3})
	echo(ts.Of("/"))
	none := ts.Silent(servertest.Address("[2001:db8::1]:5000"))
	if none.Connected() || none.Socket() != nil || none.Refused() != nil || ts.Stats().Sessions.Open != 1 {
		t.Error("it has joined something")
	}
	if a := none.Of("/", nil).Socket().Handshake().Address(); a != "2001:db8::1" {
		t.Error(a)
	}
	none.Disconnect()
	gone := ts.Silent(servertest.Transport(server.Polling))
	gone.Disconnect()
	if gone.DisconnectReason() != "io client disconnect" || ts.Stats().Sessions.Open != 1 {
		t.Error(gone.DisconnectReason(), ts.Stats().Sessions.Open)
	}
	quiet := ts.Client(servertest.NoPongs(), servertest.OnLoop(2), servertest.Transport(server.Polling))
	quiet.Emit("echo", 1)
	quiet.Expect("echoed", 1)
	ts.Advance(45 * time.Second)
	if quiet.Connected() || quiet.Upgrade() || quiet.Probe() {
		t.Error("it is still there")
	}
}

// A polling client whose connections were idle for too long opens others.
func TestIdleConnections(t *testing.T) {
	ts := servertest.New(t, server.Config{IdleTimeout: time.Second})
	echo(ts.Of("/"))
	c := ts.Client(servertest.Transport(server.Polling))
	for i := range 10 {
		c.Emit("echo", i)
		c.Expect("echoed", i)
		ts.Advance(10 * time.Second)
	}
	if !c.Connected() {
		t.Error(c.DisconnectReason())
	}
}
