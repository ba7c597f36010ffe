package server_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seed58c87869/siren/server"
)

// A handler of Once takes one event, in its place among the others; of many events at once it takes one.
func TestOnce(t *testing.T) {
	var once, always atomic.Int32
	srv := start(t, server.Config{}, func(srv *server.Server) {
		withSync(srv)
		ns := srv.Of("/")
		ns.On("e", func(_ context.Context, m *server.Message) { always.Add(1); _ = m.Ack("on") })
		ns.Once("f", func(_ context.Context, m *server.Message) { _ = m.Socket().Emit("once") })
		ns.On("f", func(_ context.Context, m *server.Message) { _ = m.Ack("on") })
		ns.Once("f", func(_ context.Context, m *server.Message) { _ = m.Socket().Emit("once again") })
		ns.Once("gone", func(context.Context, *server.Message) { t.Error("removed") }).Remove()
		ns.Once("off", func(context.Context, *server.Message) { t.Error("off") })
		ns.Once("inline", func(_ context.Context, m *server.Message) { _ = m.Ack("inline") }, server.Inline())
		ns.Off("off")
	})
	c, _ := joined(t, srv, "/")
	c.send(`21["f"]`, `22["f"]`, `2["gone"]`, `2["off"]`)
	c.expect(`2["once"]`, `31["on"]`, `2["once again"]`, `32["on"]`)
	c.send(`24["inline"]`, `25["inline"]`)
	c.expect(`34["inline"]`)
	c.sync()
	if n := srv.Stats().Unhandled; n != 3 {
		t.Errorf("%d events unhandled", n)
	}
	// Those of several sockets at the same moment.
	always.Store(0)
	once.Store(0)
	ns := srv.Of("/")
	ns.Once("e", func(_ context.Context, m *server.Message) { once.Add(1); _ = m.Ack("once") })
	const n = 8
	var all sync.WaitGroup
	for range n {
		d, _ := joined(t, srv, "/")
		all.Go(func() {
			d.send(`21["e"]`)
			d.next()
		})
	}
	all.Wait()
	if once.Load() != 1 || always.Load() != n {
		t.Errorf("once %d, always %d", once.Load(), always.Load())
	}
}

// Everything that is registered can be taken back; what took its place, and the rest, stays.
func TestRemove(t *testing.T) {
	seen := make(chan string, 64)
	say := func(what string) { seen <- what }
	srv := start(t, server.Config{}, func(srv *server.Server) { withSync(srv) })
	ns := srv.Of("/")
	add := func(tag string) []server.Registration {
		return []server.Registration{
			ns.Use(func(context.Context, *server.Socket) error { say(tag + "use"); return nil }),
			ns.OnConnect(func(context.Context, *server.Socket) error { say(tag + "connect"); return nil }),
			ns.OnAny(func(context.Context, *server.Message) { say(tag + "any") }),
			ns.UsePacket(func(context.Context, *server.Message) error { say(tag + "packet"); return nil }),
			ns.OnAnyOutgoing(func(*server.Socket, string, []any) { say(tag + "out") }),
			ns.OnError(func(*server.Socket, string, error) { say(tag + "error") }),
			ns.OnDisconnecting(func(*server.Socket, server.Reason) { say(tag + "leaving") }),
			ns.OnDisconnect(func(*server.Socket, server.Reason) { say(tag + "left") }),
		}
	}
	server.On0(ns, "act", func(_ context.Context, s *server.Socket) error {
		_ = s.Emit("acted")
		return errors.New("no")
	})
	ns.OnDisconnect(func(*server.Socket, server.Reason) { say("end") })
	round := func() string {
		c, _ := joined(t, srv, "/")
		c.send(`2["act"]`)
		c.expect(`2["acted"]`)
		c.close()
		var got []string
		for what := ""; what != "end"; {
			what = receive(t, seen)
			got = append(got, what)
		}
		for { // of later registrations than "end"
			select {
			case what := <-seen:
				got = append(got, what)
				continue
			default:
			}
			break
		}
		return strings.Join(got, " ")
	}
	first := add("1")
	add("2")
	if got := round(); !strings.HasPrefix(got, "1use 2use 1connect 2connect 1any 2any 1packet 2packet 1out 2out 1error 2error 1leaving 2leaving end") {
		t.Errorf("both: %s", got)
	}
	for _, r := range first {
		r.Remove()
		r.Remove()
	}
	eventually(t, "all disconnect handlers", func() bool { return srv.Stats().Handlers == 0 })
	for len(seen) > 0 {
		<-seen
	}
	if got := round(); strings.Contains(got, "1") || strings.Count(got, "2") < 7 {
		t.Errorf("one removed: %s", got)
	}
	older := ns.On("x", func(_ context.Context, m *server.Message) { _ = m.Ack("older") })
	newer := ns.On("x", func(_ context.Context, m *server.Message) { _ = m.Ack("newer") })
	c, _ := joined(t, srv, "/")
	c.send(`24["x"]`)
	c.expect(`34["older"]`)
	older.Remove()
	c.send(`25["x"]`)
	c.expect(`35["newer"]`)
	newer.Remove()
	server.Registration{}.Remove()
	c.send(`26["x"]`)
	c.sync()
}

// A socket's own handlers come before its namespace's, for that socket alone.
func TestSocketHandlers(t *testing.T) {
	srv := start(t, server.Config{}, func(srv *server.Server) {
		withSync(srv)
		ns := srv.Of("/")
		ns.On("e", func(_ context.Context, m *server.Message) { _ = m.Ack("namespace") })
		ns.On("once", func(_ context.Context, m *server.Message) { _ = m.Ack("namespace") })
		ns.OnConnect(func(_ context.Context, s *server.Socket) error {
			if s.Handshake().RawAuth() == nil {
				return nil
			}
			n := 0 // the socket's own state: its events come one at a time
			reg := s.On("e", func(_ context.Context, m *server.Message) { n++; _ = m.Ack("own", n) })
			s.Once("e", func(_ context.Context, m *server.Message) { _ = m.Ack("too late") })
			server.Reply1(s, "typed", func(_ context.Context, _ *server.Socket, x int) (int, error) { return x + n, nil }, server.Inline())
			s.On("remove", func(_ context.Context, m *server.Message) { reg.Remove(); _ = m.Ack() })
			s.On("off", func(_ context.Context, m *server.Message) { s.Off("typed"); s.Off("off"); _ = m.Ack() })
			s.On("e2", func(_ context.Context, m *server.Message) { _ = m.Socket().Emit("e2") })
			s.On("e2", func(_ context.Context, m *server.Message) { _ = m.Ack("e2") })
			s.Once("once", func(_ context.Context, m *server.Message) { _ = m.Ack("own once") })
			return nil
		})
	})
	c := dial(t, srv)
	c.send(`0{"own":true}`)
	c.connected("")
	for _, step := range [][2]string{
		{`"e"`, `"own",1`}, {`"e"`, `"own",2`}, {`"typed",40`, `42`}, {`"remove"`, ``},
		{`"e"`, `"namespace"`}, {`"off"`, ``}, {`"once"`, `"own once"`}, {`"once"`, `"namespace"`},
	} {
		c.send(`21[` + step[0] + `]`)
		c.expect(`31[` + step[1] + `]`)
	}
	c.send(`21["e2"]`)
	c.expect(`2["e2"]`, `31["e2"]`)
	c.send(`22["typed",1]`, `23["off"]`)
	c.sync()
	d, _ := joined(t, srv, "/")
	d.send(`21["e"]`)
	d.expect(`31["namespace"]`)
}

// A handler that ends its goroutine, as a test's FailNow does, is an error like a panic: its client is answered,
// and the events behind it are handled.
func TestGoexit(t *testing.T) {
	for _, c := range []struct{ name, auth, want string }{
		{"use", `{"at":"use"}`, `4{"message":"Not authorized"}`}, {"connect", `{"at":"connect"}`, `4{"message":"Not authorized"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := start(t, server.Config{}, func(srv *server.Server) {
				leave := func(at string) func(context.Context, *server.Socket) error {
					return func(_ context.Context, s *server.Socket) error {
						if strings.Contains(string(s.Handshake().RawAuth()), at) {
							runtime.Goexit()
						}
						return nil
					}
				}
				srv.Of("/").Use(leave("use"))
				srv.Of("/").OnConnect(leave("connect"))
			})
			cl := dial(t, srv)
			cl.send("0" + c.auth)
			cl.expect(c.want)
			cl.send("0")
			cl.connected("")
		})
	}
	failed := make(chan string, 16)
	ended := make(chan bool, 4)
	srv := start(t, server.Config{}, func(srv *server.Server) {
		ns := srv.Of("/")
		withSync(srv)
		ns.OnError(func(_ *server.Socket, event string, err error) {
			failed <- fmt.Sprint(event, errors.Is(err, server.ErrPanic))
		})
		ns.OnAny(func(_ context.Context, m *server.Message) {
			if m.Event() == "any" {
				runtime.Goexit()
			}
		})
		ns.On("any", func(context.Context, *server.Message) { t.Error("handled") })
		ns.On("plain", func(context.Context, *server.Message) { runtime.Goexit() })
		ns.On("concurrent", func(context.Context, *server.Message) { runtime.Goexit() }, server.Concurrent(1))
		ns.OnDisconnect(func(*server.Socket, server.Reason) { ended <- true; runtime.Goexit() })
	})
	c, _ := joined(t, srv, "/")
	for range 3 {
		for _, event := range []string{"any", "plain", "concurrent"} {
			c.send(`27["` + event + `"]`)
			c.expect(`37[{"error":"internal error"}]`)
			if got := receive(t, failed); got != event+"true" {
				t.Errorf("%s: told of %s", event, got)
			}
			c.sync()
		}
	}
	c.close()
	receive(t, ended)
	eventually(t, "no handler running", func() bool { return srv.Stats().Handlers == 0 })
}

// The function of a parent that ends its goroutine takes nothing, and the next one is asked.
func TestGoexitInParent(t *testing.T) {
	srv := start(t, server.Config{}, func(srv *server.Server) {
		srv.OfFunc(func(_ context.Context, name string, _ server.Raw) bool {
			if name == "/bad" {
				runtime.Goexit()
			}
			return true
		})
	})
	c := dial(t, srv)
	c.send("0/bad,", "0/good,")
	c.expect(`4/bad,{"message":"Invalid namespace"}`)
	c.connected("/good,")
}

// API 1: at the limit of a Concurrent handler its socket's inbox waits, and another socket's does not.
func TestConcurrentFull(t *testing.T) {
	release := make(chan struct{})
	srv := start(t, server.Config{}, func(srv *server.Server) {
		withSync(srv)
		srv.Of("/").On("slow", func(_ context.Context, m *server.Message) { <-release; _ = m.Ack() }, server.Concurrent(2))
	})
	c, _ := joined(t, srv, "/")
	c.send(`2["slow"]`, `2["slow"]`, `21["sync"]`)
	c.expect(`31[]`) // two run, and what is behind goes on
	c.send(`22["slow"]`, `23["sync"]`)
	d, _ := joined(t, srv, "/")
	d.sync()
	if len(c.in) > 0 {
		t.Error("the inbox did not wait")
	}
	close(release)
	got := map[string]bool{c.next().text: true, c.next().text: true}
	if !got["32[]"] || !got["33[]"] {
		t.Errorf("got %v", got)
	}
}

// Consumers for all children of a parent.
func TestRegisterOnParent(t *testing.T) {
	srv := start(t, server.Config{}, func(srv *server.Server) {
		parent := srv.OfFunc(func(_ context.Context, name string, _ server.Raw) bool { return strings.HasPrefix(name, "/c") })
		if err := server.Register(parent, func() *tally { return new(tally) }); err != nil {
			t.Error(err)
		}
		if err := server.Register[tally](parent, nil); err == nil {
			t.Error("without a function")
		}
	})
	for range 2 {
		c, _ := joined(t, srv, "/c1")
		c.send(`2/c1,1["add",2]`, `2/c1,2["add",3]`)
		c.expect(`3/c1,1[2]`, `3/c1,2[5]`)
	}
}

type tally struct{ n int }

// EventAdd handles "add".
func (c *tally) EventAdd(_ context.Context, _ *server.Socket, by int) (int, error) {
	c.n += by
	return c.n, nil
}
