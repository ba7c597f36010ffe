package server_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server"
)

// firstBroadcast is the packet id of a namespace's first broadcast with acknowledgements.
const firstBroadcast = 1 << 30

// answers are what CallAll yields.
type answers struct {
	values []int
	errs   []error
}

func callAll(ctx context.Context, o server.Audience, event string, args ...any) (a answers) {
	for v, err := range server.CallAll[int](ctx, o, event, args...) {
		if err != nil {
			a.errs = append(a.errs, err)
			continue
		}
		a.values = append(a.values, v)
	}
	slices.Sort(a.values)
	return a
}

// later runs fn on a goroutine and hands over what it returns.
func later[T any](fn func() T) <-chan T {
	ch := make(chan T, 1)
	go func() { ch <- fn() }()
	return ch
}

// missing returns the MissingError in an error, which must be there.
func missing(t *testing.T, err error) *server.MissingError {
	t.Helper()
	var m *server.MissingError
	if !errors.As(err, &m) {
		t.Fatalf("got %v, want a MissingError", err)
	}
	return m
}

// Every client's first value comes, under one packet id for all of them, on both transports and all loops.
func TestCallAll(t *testing.T) {
	srv, socket := sockets(t, "/n")
	var clients []*client
	for range 4 {
		c, s := socket("/n")
		_ = s.Join("room")
		clients = append(clients, c)
	}
	p := dialPolling(t, srv)
	p.post("40/n,")
	p.take(1)
	_, outside := socket("/n")
	_ = outside
	all := srv.Of("/n").Sockets() // in another order each time
	polling := slices.IndexFunc(all, func(s *server.Socket) bool { return s.Transport() == server.Polling })
	_ = all[polling].Join("room")
	for round := range 3 {
		got := later(func() answers { return callAll(t.Context(), srv.Of("/n").To("room"), "q", "text") })
		id := firstBroadcast + round
		want := fmt.Sprintf(`2/n,%d["q","text"]`, id)
		if packets := p.take(1); packets[0] != "4"+want {
			t.Fatalf("got %q, want %s", packets, want)
		}
		p.post(fmt.Sprintf(`43/n,%d[4]`, id))
		for i, c := range clients {
			c.expect(want)
			c.send(fmt.Sprintf(`3/n,%d[%d,"more"]`, id, i))
		}
		if a := receive(t, got); !slices.Equal(a.values, []int{0, 1, 2, 3, 4}) || a.errs != nil {
			t.Error(a)
		}
		clients[0].send(fmt.Sprintf(`3/n,%d[9]`, id)) // it is over
		clients[0].send(`2/n,1["sync"]`)
		clients[0].expect(`3/n,1[]`)
		if n := srv.Stats().UnknownAcks; n != uint64(round+1) {
			t.Errorf("%d unknown acks", n)
		}
	}
}

// What came is yielded at once, and at the time-out, or with the context, one error tells how many are missing.
func TestCallAllTimeout(t *testing.T) {
	// Only a round trip that takes longer fails.
	const limit = 3 * time.Second
	cause := errors.New("cause")
	for name, test := range map[string]struct {
		ctx     func() (ctx context.Context, end, free func())
		timeout time.Duration
		want    error
	}{
		"operator": {timeout: limit, want: server.ErrTimeout, ctx: func() (context.Context, func(), func()) {
			ctx, cancel := context.WithTimeout(context.Background(), 10*limit)
			return ctx, func() {}, cancel
		}},
		"deadline": {want: server.ErrTimeout, ctx: func() (context.Context, func(), func()) {
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			return ctx, func() {}, cancel
		}},
		"cancelled": {want: cause, ctx: func() (context.Context, func(), func()) {
			ctx, cancel := context.WithCancelCause(context.Background())
			return ctx, func() { cancel(cause) }, func() { cancel(nil) }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, socket := sockets(t)
			a, _ := socket("/")
			b, _ := socket("/")
			ctx, end, free := test.ctx()
			defer free()
			values := make(chan int, 1)
			last := later(func() error {
				for v, err := range server.CallAll[int](ctx, srv.Of("/").Timeout(test.timeout), "q") {
					if err != nil {
						return err
					}
					values <- v
				}
				return nil
			})
			id := ackID(t, a.next().text)
			b.next()
			a.send("3" + id + "[7]")
			if v := receive(t, values); v != 7 {
				t.Error(v)
			}
			end()
			err := receive(t, last)
			if m := missing(t, err); m.Clients != 1 || m.Nodes != 0 || !errors.Is(err, test.want) {
				t.Error(err)
			}
			b.send("3" + id + "[8]") // too late
			b.sync()
			if n := srv.Stats().UnknownAcks; n != 1 {
				t.Errorf("%d unknown acks", n)
			}
		})
	}
}

// ackID returns the packet id of an event of "/".
func ackID(t *testing.T, packet string) string {
	t.Helper()
	var id int
	if _, err := fmt.Sscanf(packet, `2%d[`, &id); err != nil || id < firstBroadcast {
		t.Fatalf("got %s", packet)
	}
	return fmt.Sprint(id)
}

// Without receivers it ends at once; what is wrong comes as the only error; nothing pends afterwards.
func TestCallAllAlone(t *testing.T) {
	srv := start(t, server.Config{MaxPendingAcks: 1, AckTimeout: patience}, func(srv *server.Server) { withSync(srv) })
	ns := srv.Of("/")
	for range 3 {
		for _, o := range []server.Operator{ns.To(), ns.To("nowhere"), ns.Except("x"), ns.Volatile()} {
			if a := callAll(t.Context(), o, "q"); a.values != nil || a.errs != nil {
				t.Error(a)
			}
		}
	}
	c, _ := joined(t, srv, "/")
	for event, want := range map[string]error{"connect": server.ErrReserved, "x": server.ErrEncode} {
		if a := callAll(t.Context(), ns, event, func() {}); len(a.errs) != 1 || !errors.Is(a.errs[0], want) {
			t.Error(a)
		}
	}
	got := later(func() answers { return callAll(t.Context(), ns, "q") })
	id := ackID(t, c.next().text)
	if err := ns.EmitAck(t.Context(), "q", func([]server.Reply, error) {}); !errors.Is(err, server.ErrTooManyAcks) {
		t.Error(err)
	}
	c.send("3" + id + `["no number"]`)
	if a := receive(t, got); len(a.errs) != 1 || !errors.Is(a.errs[0], server.ErrDecode) {
		t.Error(a)
	}
	got = later(func() answers { return callAll(t.Context(), ns, "q") })
	c.send("3" + ackID(t, c.next().text) + `[]`)
	if a := receive(t, got); !slices.Equal(a.values, []int{0}) || a.errs != nil {
		t.Error(a)
	}
	_ = srv.Close()
	if a := callAll(t.Context(), ns, "q"); len(a.errs) != 1 || !errors.Is(a.errs[0], server.ErrClosed) {
		t.Error(a)
	}
}

// A loop that is left early frees everything, whatever still comes.
func TestCallAllBreak(t *testing.T) {
	srv := start(t, server.Config{MaxPendingAcks: 1}, func(srv *server.Server) { withSync(srv) })
	a, _ := joined(t, srv, "/")
	b, _ := joined(t, srv, "/")
	for range 3 {
		first := later(func() int {
			for v, err := range server.CallAll[int](t.Context(), srv.Of("/"), "q") {
				if err != nil {
					t.Error(err)
				}
				return v
			}
			return -1
		})
		id := ackID(t, a.next().text)
		b.next()
		a.send("3" + id + "[5]")
		if v := receive(t, first); v != 5 {
			t.Error(v)
		}
		b.send("3" + id + "[6]")
		b.sync()
	}
	if n := srv.Stats().UnknownAcks; n != 3 {
		t.Errorf("%d unknown acks", n)
	}
}

// Pending acknowledgements end with their sockets: the wait is over when nobody is left, and they count as missing.
func TestCallAllLeavers(t *testing.T) {
	srv, socket := sockets(t)
	a, _ := socket("/")
	b, _ := socket("/")
	c, s := socket("/")
	results := make(chan error, 1)
	var replies []server.Reply
	err := s.Namespace().EmitAck(t.Context(), "q", func(r []server.Reply, err error) {
		replies = r
		results <- err
	})
	if err != nil {
		t.Fatal(err)
	}
	id := ackID(t, a.next().text)
	b.next()
	c.next()
	a.send("3" + id + `["yes",{"x":1}]`)
	b.send("1")
	c.close()
	err = receive(t, results)
	if m := missing(t, err); m.Clients != 2 || !errors.Is(err, server.ErrClosed) || errors.Is(err, server.ErrTimeout) {
		t.Error(err)
	}
	if len(replies) != 1 || string(replies[0].Arg(0).JSON) != `"yes"` || replies[0].Len() != 2 {
		t.Error(replies)
	}
	if err := srv.Of("/").EmitAck(t.Context(), "q", func(_ []server.Reply, err error) { results <- err; panic("x") }); err != nil {
		t.Error(err)
	}
	a.next()
	go func() { _ = srv.Close() }()
	if err := receive(t, results); !errors.Is(err, server.ErrClosed) {
		t.Error(err)
	}
	eventually(t, "the panic is counted", func() bool { return srv.Stats().Panics == 1 })
}

// The acknowledgements of one socket and those of broadcasts do not meet, and binary data comes with them.
func TestCallAllBinary(t *testing.T) {
	srv, socket := sockets(t)
	c, s := socket("/")
	one := later(func() string {
		r, err := s.Request(t.Context(), "one")
		return fmt.Sprint(string(r.Arg(0).JSON), err)
	})
	c.expect(`20["one"]`)
	all := later(func() []byte {
		for v, err := range server.CallAll[[]byte](t.Context(), srv.Of("/"), "all", []byte{1, 2}) {
			if err != nil {
				t.Error(err)
			}
			return v
		}
		return nil
	})
	c.expect(fmt.Sprintf(`51-%d["all",{"_placeholder":true,"num":0}]`, firstBroadcast), "binary 0102")
	c.send(fmt.Sprintf(`61-%d[{"_placeholder":true,"num":0}]`, firstBroadcast))
	c.sendBinary([]byte{3})
	if b := receive(t, all); !slices.Equal(b, []byte{3}) {
		t.Error(b)
	}
	c.send(`30[1]`)
	if got := receive(t, one); got != "1<nil>" {
		t.Error(got)
	}
}

// A connect handler may ask all clients: those whose own connect handlers still run, its client first of all, get the
// event behind their CONNECT and are not waited for.
func TestCallAllInConnectHandler(t *testing.T) {
	results := make(chan answers, 2)
	asking := make(chan bool, 1)
	srv := start(t, server.Config{AckTimeout: time.Hour}, func(srv *server.Server) {
		withSync(srv)
		srv.Of("/").OnConnect(func(ctx context.Context, s *server.Socket) error {
			select {
			case <-asking:
				results <- callAll(ctx, s.Namespace(), "q")
			default:
			}
			return nil
		})
	})
	a, _ := joined(t, srv, "/")
	asking <- true
	b := dial(t, srv)
	b.send("0")
	a.send("3" + ackID(t, a.next().text) + "[7]")
	if got := receive(t, results); !slices.Equal(got.values, []int{7}) || got.errs != nil {
		t.Error(got)
	}
	b.connected("")
	b.send("3" + ackID(t, b.next().text) + "[8]")
	b.sync()
	if n := srv.Stats().UnknownAcks; n != 1 {
		t.Errorf("%d unknown acks", n)
	}
}

// EmitAck does not block, so a connect handler may ask with it and have its own client's answer, too.
func TestEmitAckToManyInConnectHandler(t *testing.T) {
	results := make(chan []server.Reply, 1)
	srv := start(t, server.Config{AckTimeout: time.Hour}, func(srv *server.Server) {
		srv.Of("/").OnConnect(func(ctx context.Context, s *server.Socket) error {
			return s.Namespace().EmitAck(ctx, "q", func(r []server.Reply, err error) {
				if err != nil {
					t.Error(err)
				}
				results <- r
			})
		})
	})
	c, _ := joined(t, srv, "/")
	c.send("3" + ackID(t, c.next().text) + "[7]")
	if r := receive(t, results); len(r) != 1 || string(r[0].Arg(0).JSON) != "7" {
		t.Error(r)
	}
}

// A client that acknowledges a broadcast twice counts once: the others are waited for, and its second answer is
// nobody's.
func TestBroadcastAcknowledgedTwice(t *testing.T) {
	srv, socket := sockets(t)
	a, _ := socket("/")
	b, _ := socket("/")
	got := later(func() answers { return callAll(t.Context(), srv.Of("/"), "q") })
	id := ackID(t, a.next().text)
	b.next()
	a.send("3"+id+"[1]", "3"+id+"[2]")
	a.sync()
	b.send("3" + id + "[3]")
	if g := receive(t, got); !slices.Equal(g.values, []int{1, 3}) || g.errs != nil {
		t.Error(g)
	}
	if n := srv.Stats().UnknownAcks; n != 1 {
		t.Errorf("%d unknown acks", n)
	}
}
