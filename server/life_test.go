package server_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/servertest"
)

// Each way to end has its reason, told once to both hooks, and as the cause of the context.
func TestDisconnectReasons(t *testing.T) {
	for _, test := range []struct {
		want string
		end  func(srv *server.Server, c *client, s *server.Socket)
	}{
		{"client namespace disconnect", func(_ *server.Server, c *client, _ *server.Socket) { c.send("1") }},
		{"server namespace disconnect", func(_ *server.Server, _ *client, s *server.Socket) { s.Disconnect(false) }},
		{"server namespace disconnect", func(_ *server.Server, _ *client, s *server.Socket) { s.Disconnect(true) }},
		{"transport close", func(_ *server.Server, c *client, _ *server.Socket) { c.close() }},
		{"transport close", func(_ *server.Server, c *client, _ *server.Socket) { c.raw("1") }},
		{"parse error", func(_ *server.Server, c *client, _ *server.Socket) { c.raw("x") }},
		{"forced close", func(_ *server.Server, c *client, _ *server.Socket) { c.send("x") }},
		{"forced server close", func(_ *server.Server, c *client, _ *server.Socket) { c.send(`2/x,["e"]`) }},
		{"draining", func(srv *server.Server, _ *client, _ *server.Socket) {
			go srv.Drain(context.Background(), server.DrainPlan{})
		}},
		{"server shutting down", func(srv *server.Server, _ *client, _ *server.Socket) { go srv.Close() }},
	} {
		t.Run(test.want, func(t *testing.T) {
			sockets, told := make(chan *server.Socket, 1), make(chan string, 8)
			srv := start(t, server.Config{}, func(srv *server.Server) {
				ns := srv.Of("/")
				ns.OnConnect(func(_ context.Context, s *server.Socket) error {
					sockets <- s
					return s.Join("a", "b")
				})
				ns.OnDisconnect(func(s *server.Socket, r server.Reason) { told <- "gone: " + r.String() })
				ns.OnDisconnecting(func(s *server.Socket, r server.Reason) {
					if got := s.Rooms(); len(got) != 3 || got[0] != s.ID() || got[1] != "a" || got[2] != "b" || !s.InRoom("a") {
						t.Errorf("rooms %v", got)
					}
					if ns.RoomCount("a") != 0 || ns.Socket(s.ID()) != nil || s.Connected() {
						t.Error("still a member")
					}
					if err := s.Emit("x"); !errors.Is(err, server.ErrClosed) {
						t.Error(err)
					}
					if err := s.Join("c"); !errors.Is(err, server.ErrClosed) {
						t.Error(err)
					}
					s.LeaveAll()
					told <- "going: " + r.String()
				})
			})
			c, _ := joined(t, srv, "/")
			s := receive(t, sockets)
			if context.Cause(s.Context()) != nil || s.Context().Err() != nil {
				t.Error("ended before it began")
			}
			test.end(srv, c, s)
			if got := receive(t, told); got != "going: "+test.want {
				t.Error(got)
			}
			if got := receive(t, told); got != "gone: "+test.want {
				t.Error(got)
			}
			<-s.Context().Done()
			if got := context.Cause(s.Context()); got == nil || got.Error() != test.want {
				t.Errorf("cause %v", got)
			}
			_ = srv.Close()
			if len(told) != 0 {
				t.Error("told twice: " + <-told)
			}
		})
	}
}

// Derived contexts end with the socket and know why, and cost no goroutine.
func TestContextDerived(t *testing.T) {
	derived := make(chan context.Context, 1)
	srv := start(t, server.Config{}, func(srv *server.Server) {
		srv.Of("/").OnConnect(func(ctx context.Context, s *server.Socket) error {
			child, cancel := context.WithCancel(context.WithValue(ctx, key("k"), "v"))
			context.AfterFunc(child, cancel)
			derived <- child
			return nil
		})
	})
	c, _ := joined(t, srv, "/")
	child := receive(t, derived)
	c.send("1")
	<-child.Done()
	if got := context.Cause(child); got != server.ReasonClientLeft || child.Err() != context.Canceled || child.Value(key("k")) != "v" {
		t.Error(got, child.Err())
	}
}

type key string

// A disconnect at each point of a connection's life leaves nothing behind, and the hooks agree: what connected also
// disconnects, what did not does not.
func TestEndAtEachPoint(t *testing.T) {
	type point struct {
		inMiddleware, inHandler func(s *server.Socket, c *client)
	}
	ends := map[string]func(s *server.Socket, c *client){
		"client drops":    func(_ *server.Socket, c *client) { c.close() },
		"server leaves":   func(s *server.Socket, _ *client) { s.Disconnect(false) },
		"server closes":   func(s *server.Socket, _ *client) { s.Disconnect(true) },
		"server shutdown": func(s *server.Socket, _ *client) { go s.Server().Close() },
		"client breaks":   func(_ *server.Socket, c *client) { c.send("x") },
	}
	for name, end := range ends {
		for _, refuses := range []bool{false, true} {
			for where, p := range map[string]point{"middleware": {inMiddleware: end}, "handler": {inHandler: end}} {
				t.Run(name+" in "+where, func(t *testing.T) { endAt(t, p.inMiddleware, p.inHandler, refuses) })
			}
		}
	}
}

func endAt(t *testing.T, inMiddleware, inHandler func(*server.Socket, *client), refuses bool) {
	var connects, disconnects atomic.Int32
	clients := make(chan *client, 1)
	finish := func(end func(*server.Socket, *client), ctx context.Context, s *server.Socket) error {
		if end == nil {
			return nil
		}
		_ = s.Join("room")
		_ = s.Emit("x")
		end(s, <-clients)
		<-ctx.Done()
		if refuses {
			return server.Refuse("too late", nil)
		}
		return nil
	}
	done := make(chan struct{})
	// Middleware and handlers wait here for the end of their context, which Close gives them time for.
	srv := start(t, server.Config{CloseTimeout: 200 * time.Millisecond}, func(srv *server.Server) {
		ns := srv.Of("/")
		ns.Use(func(ctx context.Context, s *server.Socket) error {
			if inMiddleware != nil {
				defer close(done)
			}
			return finish(inMiddleware, ctx, s)
		})
		ns.OnConnect(func(ctx context.Context, s *server.Socket) error {
			connects.Add(1)
			if inHandler != nil {
				defer close(done)
			}
			return finish(inHandler, ctx, s)
		})
		ns.OnDisconnect(func(*server.Socket, server.Reason) { disconnects.Add(1) })
	})
	c := dial(t, srv)
	clients <- c
	c.send("0")
	receive(t, closed(done))
	eventually(t, "nothing is left", func() bool {
		return srv.Of("/").SocketCount() == 0 && srv.Of("/").RoomCount("room") == 0 && srv.Stats().Handlers == 0
	})
	if n, err := srv.Emit("x"); n != 0 || err != nil {
		t.Errorf("a broadcast counted %d, %v", n, err)
	}
	_ = srv.Close()
	wantConnects, wantDisconnects := int32(0), int32(0)
	if inHandler != nil {
		wantConnects = 1
		if !refuses {
			wantDisconnects = 1
		}
	}
	if connects.Load() != wantConnects || disconnects.Load() != wantDisconnects {
		t.Errorf("%d connects, %d disconnects; want %d, %d", connects.Load(), disconnects.Load(), wantConnects, wantDisconnects)
	}
}

// Disconnect inside of the connect handler: the client sees the socket come, what was emitted, and the socket go.
func TestDisconnectInConnectHandler(t *testing.T) {
	srv := start(t, server.Config{}, func(srv *server.Server) {
		srv.Of("/").OnConnect(func(_ context.Context, s *server.Socket) error {
			_ = s.Emit("before")
			s.Disconnect(false)
			_ = s.Emit("after")
			return nil
		})
	})
	c := dial(t, srv)
	c.send("0")
	c.connected("")
	c.expect(`2["before"]`, "1")
	if srv.Of("/").SocketCount() != 0 {
		t.Error("still there")
	}
	c.send("0") // the connection is
	c.connected("")
}

// Disconnect comes behind what was emitted; with the connection it takes the client's other sockets along.
func TestDisconnectOrder(t *testing.T) {
	srv := start(t, server.Config{}, func(srv *server.Server) {
		withSync(srv, "/a")
		server.On1(srv.Of("/a"), "go", func(_ context.Context, s *server.Socket, all bool) error {
			_ = s.Emit("bye")
			s.Disconnect(all)
			return nil
		})
	})
	c := dial(t, srv)
	c.join("/")
	c.join("/a")
	c.send(`2/a,["go",false]`)
	c.expect(`2/a,["bye"]`, `1/a,`)
	c.sync()
	c.join("/a")
	c.send(`2/a,["go",true]`)
	c.expect(`2/a,["bye"]`, `1/a,`, "1")
	c.expectClosed()
}

// A connection that joins nothing in time ends, also one whose middleware does not answer.
func TestConnectTimeout(t *testing.T) {
	setup := func(t *testing.T) *servertest.Server {
		ts := servertest.New(t, server.Config{})
		ts.Of("/slow").Use(func(ctx context.Context, s *server.Socket) error { <-ctx.Done(); return ctx.Err() })
		return ts
	}
	for name, join := range map[string]func(c *servertest.Client){
		"silent": func(*servertest.Client) {}, "refused": func(c *servertest.Client) { c.Of("/no", nil) },
		"slow middleware": func(c *servertest.Client) { c.Of("/slow", nil) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ts := setup(t)
				join(ts.Silent())
				ts.Advance(45*time.Second - time.Millisecond)
				if n := ts.Stats().Sessions.Open; n != 1 {
					t.Errorf("%d sessions before the time", n)
				}
				ts.Advance(time.Millisecond)
				if n := ts.Stats().Sessions.Open; n != 0 {
					t.Errorf("%d sessions afterwards", n)
				}
			})
		})
	}
	t.Run("joined in time", func(t *testing.T) {
		ts := setup(t)
		c := ts.Silent()
		ts.Advance(45*time.Second - time.Millisecond)
		root := c.Of("/", nil)
		ts.Advance(time.Hour)
		if !root.Connected() || ts.Of("/").SocketCount() != 1 {
			t.Error(root.DisconnectReason())
		}
	})
}

// Sockets come and go while others broadcast, join, find and disconnect them, and the server closes under all of it.
func TestCloseUnderLoad(t *testing.T) {
	var connects, disconnects atomic.Int64
	srv := start(t, server.Config{}, func(srv *server.Server) {
		ns := srv.Of("/")
		ns.Use(func(context.Context, *server.Socket) error { return nil })
		ns.OnConnect(func(_ context.Context, s *server.Socket) error {
			connects.Add(1)
			_ = s.Join("all") // an error, if the socket has ended by now, would be a refusal
			return nil
		})
		ns.OnDisconnect(func(s *server.Socket, _ server.Reason) {
			disconnects.Add(1)
			_, _ = s.To("all").Emit("left", s.ID())
		})
		ns.On("ask", func(ctx context.Context, m *server.Message) { _, _ = m.Socket().Request(ctx, "never") })
	})
	var wg, closers sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				for i, s := range srv.Of("/").Sockets() {
					_ = s.Emit("one")
					_ = s.Join("x")
					s.Leave("x")
					if i%16 == 0 {
						s.Disconnect(i%32 == 0)
					}
				}
				_, _ = srv.Of("/").To("all").Emit("all")
				_, _ = srv.Stats(), srv.Addr()
				time.Sleep(time.Millisecond) // or the loops do nothing else
			}
		})
	}
	clients := make([]*client, 60)
	for i := range clients {
		clients[i] = dial(t, srv)
		clients[i].join("/")
		clients[i].send(`2["ask"]`)
		if i%5 == 0 {
			clients[i].close()
		}
	}
	eventually(t, "some are connected", func() bool { return connects.Load() > 30 })
	for range 3 {
		closers.Go(func() {
			if err := srv.Close(); err != nil {
				t.Error(err)
			}
			if n := srv.Stats().Handlers; n != 0 {
				t.Errorf("Close returned with %d handlers running", n)
			}
		})
	}
	closers.Wait()
	close(stop)
	wg.Wait()
	if connects.Load() != disconnects.Load() {
		t.Errorf("%d connects, %d disconnects", connects.Load(), disconnects.Load())
	}
	if n := srv.Of("/").SocketCount() + srv.Of("/").RoomCount("all") + srv.Of("/").RoomCount("x"); n != 0 {
		t.Errorf("%d sockets are left", n)
	}
}
