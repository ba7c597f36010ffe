package server_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seed58c87869/siren/server"
)

// "/" is there even when only another namespace was made, and is the default.
func TestDefaultNamespace(t *testing.T) {
	srv := start(t, server.Config{}, func(srv *server.Server) { srv.Of("chat") })
	c := dial(t, srv)
	root, chat := c.join("/"), c.join("/chat")
	if srv.Of("").Socket(root) == nil || srv.Of("/chat").Socket(chat) == nil {
		t.Error("sockets are not found")
	}
	if srv.Of("/") != srv.Of("") || srv.Of("chat") != srv.Of("/chat") || srv.Of("chat").Name() != "/chat" {
		t.Error("a namespace has two values")
	}
}

// One connection, two namespaces, two sockets, each with its own end.
func TestSeveralNamespaces(t *testing.T) {
	gone := make(chan string, 8)
	srv := start(t, server.Config{}, func(srv *server.Server) {
		withSync(srv, "/a", "/b")
		for _, n := range []string{"/a", "/b"} {
			srv.Of(n).OnDisconnect(func(s *server.Socket, r server.Reason) { gone <- s.Namespace().Name() + ": " + r.String() })
		}
	})
	c := dial(t, srv)
	a, b := c.join("/a"), c.join("/b")
	if a == b {
		t.Error("both have the same id")
	}
	c.send("1/a,")
	if got := receive(t, gone); got != "/a: client namespace disconnect" {
		t.Error(got)
	}
	c.send(`2/b,5["sync"]`)
	c.expect("3/b,5[]")
	if n := c.join("/a"); n == a {
		t.Error("a socket id came twice")
	}
}

// An unknown namespace is refused and the connection goes on.
func TestUnknownNamespace(t *testing.T) {
	srv := start(t, server.Config{MaxNamespaces: 2}, func(srv *server.Server) {
		srv.Of("/a")
		srv.Of("/b")
		srv.Of("/odd\x01name")
	})
	c := dial(t, srv)
	c.send("0/nope,", "0/odd\x01name,", "0/nope?x=1,")
	c.expect(`4/nope,{"message":"Invalid namespace"}`, "4/odd\x01name,"+`{"message":"Invalid namespace"}`,
		`4/nope?x=1,{"message":"Invalid namespace"}`)
	c.join("/")
	c.join("/a")
	c.send("0/b,")
	c.expect(`4/b,{"message":"Too many namespaces"}`)
	c.send("1/a,")
	c.join("/b")
}

// The middleware and the connect handler get the auth payload and say who comes in.
func TestMiddlewareRefusal(t *testing.T) {
	hooked := make(chan string, 16)
	for _, where := range []string{"middleware", "handler"} {
		t.Run(where, func(t *testing.T) {
			srv := start(t, server.Config{}, func(srv *server.Server) {
				ns := srv.Of("/x")
				if where == "middleware" {
					ns.Use(func(context.Context, *server.Socket) error { return nil })
					ns.Use(refuse)
				} else {
					ns.OnConnect(refuse)
				}
				ns.OnDisconnect(func(s *server.Socket, _ server.Reason) {
					if _, ok := passed.Get(s); !ok {
						t.Error("a refused socket disconnects")
					}
				})
				ns.OnError(func(s *server.Socket, event string, err error) { hooked <- event + ": " + err.Error() })
			})
			c := dial(t, srv)
			for _, test := range []struct{ auth, want string }{
				{`{"token":"no"}`, `{"message":"Not authorized"}`},
				{``, `{"message":"Not authorized"}`},
				{`{"token":5}`, `{"message":"Not authorized"}`},
				{`{"token":"data"}`, `{"message":"bad token","data":{"code":7}}`},
				{`{"token":"nodata"}`, `{"message":"go away"}`},
				{`{"token":"unencodable"}`, `{"message":"odd"}`},
				{`{"token":"binary"}`, `{"message":"odd"}`},
				{`{"token":"explodes"}`, `{"message":"boom"}`},
				{`{"token":"panic"}`, `{"message":"Not authorized"}`},
			} {
				c.send("0/x," + test.auth)
				c.expect("4/x," + test.want)
				if got := receive(t, hooked); got[:12] != "connection: " {
					t.Errorf("the error hook got %q", got)
				}
			}
			eventually(t, "refused sockets leave nothing", func() bool {
				return srv.Of("/x").SocketCount() == 0 && srv.Stats().Handlers == 0
			})
			c.send(`0/x,{"token":"secret"}`)
			c.connected("/x,")
			if n := srv.Of("/x").SocketCount(); n != 1 {
				t.Errorf("%d sockets", n)
			}
		})
	}
}

var passed = server.NewKey[bool]("passed")

// refuse is a middleware, or a connect handler, that does what the token says.
func refuse(_ context.Context, s *server.Socket) error {
	var a struct{ Token string }
	if err := s.Handshake().Auth(&a); err != nil {
		return err
	}
	switch a.Token {
	case "secret":
		passed.Set(s, true)
		return nil
	case "data":
		return fmt.Errorf("wrapped: %w", server.Refuse("bad token", map[string]int{"code": 7}))
	case "nodata":
		return server.Refuse("go away", nil)
	case "unencodable":
		return server.Refuse("odd", math.Inf(1))
	case "binary":
		return server.Refuse("odd", []byte{1})
	case "explodes":
		return server.Refuse("boom", exploding{})
	case "panic":
		panic("oh")
	}
	return errors.New("nobody may read this")
}

type exploding struct{}

func (exploding) MarshalJSON() ([]byte, error) { panic("no JSON of this") }

// What the connect handler emits, in any way, comes after CONNECT, in order.
func TestEmitsBeforeConnect(t *testing.T) {
	srv := start(t, server.Config{}, func(srv *server.Server) {
		ns := srv.Of("/")
		ns.Use(func(_ context.Context, s *server.Socket) error { return s.Emit("use") })
		ns.OnConnect(func(_ context.Context, s *server.Socket) error {
			_ = s.Emit("one", 1)
			_ = s.Volatile().Emit("never")
			_ = s.Join("room")
			if n, err := ns.To("room").Emit("two", []byte{2}); n != 1 || err != nil {
				t.Error(n, err)
			}
			_ = s.Emit("three")
			// The socket is in its namespace, and is known by its id, from here on.
			if n, err := ns.Emit("four"); n != 1 || err != nil {
				t.Error(n, err)
			}
			if n, err := ns.To(s.ID()).Emit("five"); n != 1 || err != nil {
				t.Error(n, err)
			}
			_, _ = ns.Except(s.ID()).Emit("never")
			_, _ = s.Broadcast().Emit("never")
			_, _ = ns.Volatile().Emit("never")
			if ns.Socket(s.ID()) != s {
				t.Error("not found by its id")
			}
			return s.Send("six", 6)
		})
	})
	c := dial(t, srv)
	c.send("0")
	c.connected("")
	c.expect(`2["use"]`, `2["one",1]`, `51-["two",{"_placeholder":true,"num":0}]`, "binary 02", `2["three"]`, `2["four"]`,
		`2["five"]`, `2["message","six",6]`)
	if n := srv.Stats().EarlyDrops; n != 2 {
		t.Errorf("%d early drops counted, want 2", n)
	}
}

// What waits for CONNECT has the bounds of the outbound queue.
func TestEmitsBeforeConnectAreBounded(t *testing.T) {
	for _, policy := range []server.Overflow{server.OverflowDisconnect, server.OverflowDropNewest} {
		t.Run(fmt.Sprint(policy), func(t *testing.T) {
			over := make(chan struct{})
			srv := start(t, server.Config{Queue: server.Queue{MaxBytes: 100, OnFull: policy}}, func(srv *server.Server) {
				srv.Of("/").OnConnect(func(ctx context.Context, s *server.Socket) error {
					for i := range 3 {
						_ = s.Emit("x", fmt.Sprintf("%040d", i))
					}
					if policy == server.OverflowDisconnect {
						<-ctx.Done()
					}
					close(over)
					return nil
				})
			})
			c := dial(t, srv)
			c.send("0")
			if policy == server.OverflowDisconnect {
				c.expectClosed()
			} else {
				c.connected("")
				c.expect(fmt.Sprintf(`2["x","%040d"]`, 0))
			}
			receive(t, closed(over))
			if srv.Stats().EarlyDrops == 0 {
				t.Error("the drops are not counted")
			}
		})
	}
}

// closed turns the closing of a channel into a value.
func closed(ch <-chan struct{}) <-chan bool {
	out := make(chan bool, 1)
	go func() { <-ch; out <- true }()
	return out
}

// A client that breaks the protocol loses its connection.
func TestInvalidPackets(t *testing.T) {
	for name, packets := range map[string][]string{
		"type":                      {"9"},
		"empty":                     {""},
		"json":                      {`2["a"`},
		"ack id":                    {`3x[]`},
		"ack id too large":          {`399999999999999999999[]`},
		"ack payload":               {`31{}`},
		"reserved":                  {`2["connect"]`},
		"CONNECT when connected":    {`2["x"]`, "0"},
		"CONNECT_ERROR":             {`4{"message":"x"}`},
		"event to another":          {`2/a,["x"]`},
		"too many attachments":      {`51000000-["x"]`},
		"placeholder out of range":  {`51-["x",{"_placeholder":true,"num":1}]`},
		"text between attachments":  {`51-["x",{"_placeholder":true,"num":0}]`, `2["x"]`},
		"auth is no object":         {`0/a,[5]`},
		"bad json in the namespace": {`2/,["x"`},
	} {
		t.Run(name, func(t *testing.T) {
			reasons := make(chan server.Reason, 8)
			srv := start(t, server.Config{}, func(srv *server.Server) {
				srv.Of("/a")
				srv.Of("/").OnDisconnect(func(_ *server.Socket, r server.Reason) { reasons <- r })
			})
			c, _ := joined(t, srv, "/")
			c.send(packets...)
			c.expectClosed()
			switch r := receive(t, reasons); r {
			case server.ReasonForcedClose, server.ReasonForcedServerClose, server.ReasonClientLeft:
			default:
				t.Errorf("reason %v", r)
			}
			if srv.Of("/").SocketCount() != 0 {
				t.Error("the socket is still there")
			}
		})
	}
	t.Run("event after leaving another", func(t *testing.T) {
		srv := start(t, server.Config{}, func(srv *server.Server) { srv.Of("/a"); srv.Of("/b") })
		c, _ := joined(t, srv, "/")
		c.join("/a")
		c.send("1/a,", `2/b,["x"]`)
		c.expectClosed()
	})
	t.Run("event before CONNECT", func(t *testing.T) {
		c := dial(t, start(t, server.Config{}, nil))
		c.send(`2["x"]`)
		c.expectClosed()
	})
	t.Run("attachment nobody announced", func(t *testing.T) {
		c, _ := joined(t, start(t, server.Config{}, nil), "/")
		c.sendBinary([]byte{1})
		c.expectClosed()
	})
	t.Run("event while middleware runs", func(t *testing.T) {
		stop := make(chan struct{})
		defer close(stop)
		c := dial(t, start(t, server.Config{}, func(srv *server.Server) {
			srv.Of("/").Use(func(context.Context, *server.Socket) error { <-stop; return nil })
		}))
		c.send("0", `2["x"]`)
		c.expectClosed()
	})
}

// What comes late for a namespace that the client has left, or was taken out of, is ignored, and its other sockets go
// on; so are events and acknowledgements without a payload.
func TestLatePackets(t *testing.T) {
	srv := start(t, server.Config{Loops: 1}, func(srv *server.Server) { withSync(srv, "/a") })
	c, _ := joined(t, srv, "/")
	late := []string{`2/a,["x"]`, `2/a,7["x",1]`, `3/a,0[]`, `2/a,`, `3/a,0`, `1/a,`, `51-/a,["x",{"_placeholder":true,"num":0}]`}
	send := func() {
		t.Helper()
		c.send(late...)
		c.sendBinary([]byte{1})
		c.sync()
	}
	before := srv.Stats()
	for range 3 {
		c.join("/a")
		c.send("1/a,")
		send()
		srv.Of("/a").Socket(c.join("/a")).Disconnect(false)
		c.expect("1/a,")
		send()
	}
	after := srv.Stats()
	if n := after.UnknownAcks - before.UnknownAcks; n != 12 {
		t.Errorf("%d unknown acks", n)
	}
	if n := after.Unhandled - before.Unhandled; n != 24 {
		t.Errorf("%d unhandled events", n)
	}
	c.join("/a")
	c.send(`2`, `21`, `3`, `30`, `2/a,`, `51-`)
	c.sendBinary([]byte{1})
	c.sync()
}

// An acknowledgement without a payload has no arguments.
func TestAckWithoutPayload(t *testing.T) {
	srv, socket := sockets(t)
	c, s := socket("/")
	one := later(func() string {
		r, err := s.Request(t.Context(), "q")
		return fmt.Sprint(r.Len(), err)
	})
	c.expect(`20["q"]`)
	c.send("30")
	if got := receive(t, one); got != "0 <nil>" {
		t.Error(got)
	}
	all := later(func() answers { return callAll(t.Context(), srv.Of("/"), "q") })
	c.send("3" + ackID(t, c.next().text))
	if a := receive(t, all); len(a.values) != 1 || a.values[0] != 0 || a.errs != nil {
		t.Error(a)
	}
}

// A client that sends CONNECT again before it knows the answer to the first one is connected once, whether that waits
// for a middleware, for the parents of its namespace, or for nothing; its other namespaces do not notice.
func TestConnectTwice(t *testing.T) {
	release := make(chan struct{})
	var asked, connected atomic.Int32
	srv := start(t, server.Config{}, func(srv *server.Server) {
		withSync(srv, "/plain", "/guarded")
		srv.Of("/guarded").Use(func(context.Context, *server.Socket) error { asked.Add(1); <-release; return nil })
		srv.OfFunc(func(context.Context, string, server.Raw) bool { asked.Add(1); <-release; return true }).
			OnConnect(func(context.Context, *server.Socket) error { connected.Add(1); return nil })
	})
	c, _ := joined(t, srv, "/")
	c.send("0/plain,", "0/plain,")
	c.connected("/plain,")
	c.sync()
	c.send("0/guarded,", "0/guarded,", "0/dynamic,", "0/dynamic,", "0/guarded,")
	eventually(t, "both are asked", func() bool { return asked.Load() == 2 })
	c.sync()
	close(release)
	names := map[string]bool{}
	for range 2 {
		name, _, _ := strings.Cut(strings.TrimPrefix(c.next().text, "0"), ",")
		names[name] = true
	}
	if !names["/guarded"] || !names["/dynamic"] {
		t.Error(names)
	}
	c.sync()
	if asked.Load() != 2 || connected.Load() != 1 || srv.Of("/guarded").SocketCount() != 1 || srv.Of("/plain").SocketCount() != 1 {
		t.Error("it is connected twice")
	}
}
