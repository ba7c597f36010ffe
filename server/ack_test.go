package server_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/servertest"
)

// asked returns a server whose one client was asked "q" by ask, in a goroutine of its own.
func asked(t *testing.T, cfg server.Config, ask func(s *server.Socket)) (*server.Server, *client) {
	t.Helper()
	done := make(chan struct{})
	srv := start(t, cfg, func(srv *server.Server) { withSync(srv) })
	c, id := joined(t, srv, "/")
	s := srv.Of("/").Socket(id)
	go func() { defer close(done); ask(s) }()
	t.Cleanup(func() { receive(t, closed(done)) })
	return srv, c
}

// The reply of a client, decoded.
func TestRequest(t *testing.T) {
	type answer struct {
		N int `json:"n"`
	}
	_, c := asked(t, server.Config{}, func(s *server.Socket) {
		ctx := t.Context()
		if a, err := server.Call[answer](ctx, s, "q", 1, "two"); err != nil || a.N != 5 {
			t.Error(a, err)
		}
		if a, err := server.Call[answer](s.Context(), s, "q"); err != nil || a.N != 0 {
			t.Error(a, err)
		}
		if _, err := server.Call[answer](ctx, s, "q"); !errors.Is(err, server.ErrDecode) {
			t.Error(err)
		}
		r, err := s.Request(ctx, "q")
		var a int
		var b string
		if err != nil || r.Len() != 3 || r.Decode(&a, &b) != nil || a != 1 || b != "x" || string(r.Arg(2).JSON) != "null" || len(r.Args()) != 3 {
			t.Error(r, err)
		}
		if _, err := s.Request(ctx, "disconnect"); !errors.Is(err, server.ErrReserved) {
			t.Error(err)
		}
		if _, err := s.Request(ctx, "q", func() {}); !errors.Is(err, server.ErrEncode) {
			t.Error(err)
		}
		_ = s.Emit("end")
	})
	c.expect(`20["q",1,"two"]`)
	c.send(`3[9]`, `37[9]`, `30[{"n":5}]`, `30[{"n":6}]`) // no id, a wrong id, the answer, and once more
	c.expect(`21["q"]`)
	c.send(`31[]`)
	c.expect(`22["q"]`)
	c.send(`32["text"]`)
	c.expect(`23["q"]`)
	c.send(`33[1,"x",null]`)
	c.expect(`2["end"]`)
	c.sync()
}

// What ends the wait, and that nothing pends afterwards.
func TestRequestEnds(t *testing.T) {
	cause := errors.New("cause")
	for name, test := range map[string]struct {
		cfg  server.Config
		ctx  func() (context.Context, context.CancelFunc)
		then func(srv *server.Server, c *client)
		want []error
	}{
		"deadline": {ctx: func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), time.Millisecond)
		}, want: []error{server.ErrTimeout, context.DeadlineExceeded}},
		"cancelled": {ctx: func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(context.Background())
			cancel(cause)
			return ctx, func() {}
		}, want: []error{cause}},
		"client leaves": {then: func(_ *server.Server, c *client) { c.send("1") }, want: []error{server.ErrClosed}},
		"client drops":  {then: func(_ *server.Server, c *client) { c.close() }, want: []error{server.ErrClosed}},
		"server closes": {then: func(srv *server.Server, c *client) { _ = srv.Close() }, want: []error{server.ErrClosed}},
	} {
		t.Run(name, func(t *testing.T) {
			results := make(chan error, 2)
			srv, c := asked(t, test.cfg, func(s *server.Socket) {
				ctx := s.Context()
				if test.ctx != nil {
					var cancel context.CancelFunc
					ctx, cancel = test.ctx()
					defer cancel()
				}
				if err := s.EmitAck(ctx, "q", func(r server.Reply, err error) { results <- err }); err != nil {
					t.Error(err)
				}
				_, err := s.Request(ctx, "q")
				results <- err
			})
			c.expect(`20["q"]`, `21["q"]`)
			if test.then != nil {
				test.then(srv, c)
			}
			for range 2 {
				err := receive(t, results)
				for _, want := range test.want {
					if !errors.Is(err, want) {
						t.Errorf("got %v, want %v", err, want)
					}
				}
			}
			if test.then == nil {
				c.send(`30[]`, `31[]`) // too late
				c.sync()
				if n := srv.Stats().UnknownAcks; n != 2 {
					t.Errorf("%d unknown acks, want 2", n)
				}
			}
		})
	}
}

// The wait of a context without a deadline ends after AckTimeout, to the millisecond; a late answer is
// counted.
func TestAckTimeout(t *testing.T) {
	ts := servertest.New(t, server.Config{AckTimeout: 5 * time.Second})
	var errs []error
	ts.Of("/").On("ask", func(ctx context.Context, m *server.Message) {
		_ = m.Socket().EmitAck(ctx, "q", func(_ server.Reply, err error) { errs = append(errs, err) })
		_, err := m.Socket().Request(ctx, "q")
		errs = append(errs, err)
	})
	c := ts.Client()
	c.Emit("ask")
	ts.Advance(5*time.Second - time.Millisecond)
	if len(errs) != 0 {
		t.Error("too early:", errs)
	}
	ts.Advance(time.Millisecond)
	if len(errs) != 2 || !errors.Is(errs[0], server.ErrTimeout) || !errors.Is(errs[1], server.ErrTimeout) {
		t.Error(errs)
	}
	c.Expect("q").Ack()
	c.Expect("q").Ack()
	if n := ts.Stats().UnknownAcks; n != 2 {
		t.Errorf("%d unknown acks, want 2", n)
	}
}

func TestPendingAckLimit(t *testing.T) {
	_, c := asked(t, server.Config{MaxPendingAcks: 2}, func(s *server.Socket) {
		answers := make(chan error, 2)
		note := func(_ server.Reply, err error) { answers <- err }
		for i := range 5 {
			err := s.EmitAck(s.Context(), "q", note)
			if want := i >= 2; errors.Is(err, server.ErrTooManyAcks) != want {
				t.Error(i, err)
			}
		}
		if err := s.EmitAck(s.Context(), "q", note, func() {}); !errors.Is(err, server.ErrTooManyAcks) {
			t.Error(err)
		}
		_ = s.Emit("full")
		for range 2 {
			if err := receive(t, answers); err != nil {
				t.Error(err)
			}
		}
		// Failures leave no place taken, panics neither.
		for range 5 {
			if err := s.EmitAck(s.Context(), "q", note, func() {}); !errors.Is(err, server.ErrEncode) {
				t.Error(err)
			}
			func() {
				defer func() { _ = recover() }()
				_ = s.EmitAck(s.Context(), "q", note, exploding{})
			}()
		}
		if err := s.EmitAck(s.Context(), "last", note); err != nil {
			t.Error(err)
		}
		if err := receive(t, answers); err != nil {
			t.Error(err)
		}
	})
	c.expect(`20["q"]`, `21["q"]`, `2["full"]`)
	c.send(`31[]`, `30[]`)
	m := c.next()
	var id int
	if _, err := fmt.Sscanf(m.text, `2%d["last"]`, &id); err != nil {
		t.Fatal(m)
	}
	c.send(fmt.Sprintf("3%d[]", id))
}

// A connect handler cannot wait for its own client, but it may ask: the question goes out behind CONNECT, and the
// answer is handled in the order of the events.
func TestAckInConnectHandler(t *testing.T) {
	order := make(chan string, 4)
	srv := start(t, server.Config{}, func(srv *server.Server) {
		ns := srv.Of("/")
		ns.OnConnect(func(ctx context.Context, s *server.Socket) error {
			if _, err := server.Call[int](ctx, s, "q"); !errors.Is(err, server.ErrNotConnected) {
				t.Error(err)
			}
			return s.EmitAck(ctx, "q", func(r server.Reply, err error) {
				var n int
				order <- fmt.Sprint("ack ", r.Decode(&n), n, err)
				panic("not the end")
			})
		})
		ns.On("x", func(context.Context, *server.Message) { order <- "x" })
	})
	c := dial(t, srv)
	c.send("0")
	c.connected("")
	c.expect(`20["q"]`)
	c.send(`2["x"]`, `30[5]`, `2["x"]`)
	for _, want := range []string{"x", "ack <nil> 5 <nil>", "x"} {
		if got := receive(t, order); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	eventually(t, "the panic is counted", func() bool { return srv.Stats().Panics == 1 })
}

// A handler that waits for its client does not keep the answer from coming.
func TestCallInHandler(t *testing.T) {
	srv := start(t, server.Config{}, func(srv *server.Server) {
		server.Reply1(srv.Of("/"), "twice", func(ctx context.Context, s *server.Socket, n int) (int, error) {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			v, err := server.Call[int](ctx, s, "value", n)
			return 2 * v, err
		})
	})
	c, _ := joined(t, srv, "/")
	c.send(`25["twice",4]`)
	c.expect(`20["value",4]`)
	c.send(`30[21]`)
	c.expect(`35[42]`)
}
