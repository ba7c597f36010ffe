package server_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server"
)

// Names by function and by expression, the parents in their order, exact names first.
func TestDynamicNamespaces(t *testing.T) {
	var asked []string
	var mu sync.Mutex
	srv := start(t, server.Config{}, func(srv *server.Server) {
		note := func(who string, take func(name, auth string) bool) func(context.Context, string, server.Raw) bool {
			return func(_ context.Context, name string, auth server.Raw) bool {
				mu.Lock()
				defer mu.Unlock()
				asked = append(asked, who+name+string(auth.JSON))
				return take(name, string(auth.JSON))
			}
		}
		srv.OfFunc(note("a", func(name, auth string) bool { return auth == `{"who":"a"}` }))
		dyn := srv.OfRegexp(regexp.MustCompile(`^/dyn-[a-z0-9]+$`))
		srv.OfFunc(note("b", func(name, _ string) bool { return name == "/dyn-1" || name == "/late" }))
		srv.OfFunc(func(context.Context, string, server.Raw) bool { panic("no") })
		srv.Of("/dyn-exact").OnConnect(func(_ context.Context, s *server.Socket) error { return s.Emit("exact") })
		dyn.OnConnect(func(_ context.Context, s *server.Socket) error { return s.Emit("hello", s.Namespace().Name()) })
	})
	c := dial(t, srv)
	c.send(`0/dyn-1,{"x":1}`)
	c.connected("/dyn-1,")
	c.expect(`2/dyn-1,["hello","/dyn-1"]`)
	c.send(`0/late,`)
	c.connected("/late,")
	c.send(`0/dyn-exact,`)
	c.connected("/dyn-exact,")
	c.expect(`2/dyn-exact,["exact"]`)
	c.send(`0/nope,`)
	c.expect(`4/nope,{"message":"Invalid namespace"}`)
	c.send(`0/dyn-BIG,{"who":"a"}`)
	c.connected("/dyn-BIG,")
	d := dial(t, srv)
	d.send("0/dyn-1,") // there by now: nobody is asked
	d.connected("/dyn-1,")
	mu.Lock()
	defer mu.Unlock()
	want := []string{`a/dyn-1{"x":1}`, `a/late`, `b/late`, `a/nope`, `b/nope`, `a/dyn-BIG{"who":"a"}`}
	if !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
	if s := srv.Stats(); s.DynamicNamespaces != 3 || s.Panics != 1 {
		t.Errorf("%d children, %d panics", s.DynamicNamespaces, s.Panics)
	}
	if srv.Lookup("/dyn-1") == nil || srv.Lookup("/nope") != nil {
		t.Error("Lookup")
	}
}

// The questions of one connection are asked one after the other, and answers come in that order; those of another
// connection need not wait for them.
func TestDynamicOrder(t *testing.T) {
	release := make(chan struct{})
	var running atomic.Int32
	srv := start(t, server.Config{MaxNamespaces: 3}, func(srv *server.Server) {
		srv.OfFunc(func(_ context.Context, name string, _ server.Raw) bool {
			if strings.HasPrefix(name, "/slow") {
				if running.Add(1) > 1 {
					t.Error("two at a time")
				}
				<-release
				running.Add(-1)
			}
			return true
		})
	})
	c := dial(t, srv)
	c.send("0/slow1,", "0/slow2,", "0/c,", "0/d,")
	c.expect(`4/d,{"message":"Too many namespaces"}`)
	other := dial(t, srv)
	other.join("/other")
	close(release)
	c.connected("/slow1,")
	c.connected("/slow2,")
	c.connected("/c,")
}

// What a client may not do while its namespace is asked for ends its connection; an answer that comes after the
// client has gone is for nobody.
func TestDynamicClientGoesOrErrs(t *testing.T) {
	for _, c := range []struct{ name, packet string }{
		{"event", `2/x,["e"]`}, {"leaves", "1/x,"}, {"closes", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked, cause := make(chan bool, 1), make(chan error, 1)
			srv := start(t, server.Config{CleanupEmptyChildNamespaces: true}, func(srv *server.Server) {
				srv.OfFunc(func(ctx context.Context, _ string, _ server.Raw) bool {
					asked <- true
					<-ctx.Done()
					cause <- context.Cause(ctx)
					return true
				})
			})
			cl := dial(t, srv)
			cl.send("0/x,")
			receive(t, asked)
			if c.packet == "" {
				cl.close()
			} else {
				cl.send(c.packet)
				cl.expectClosed()
			}
			if err := receive(t, cause); !errors.As(err, new(server.Reason)) {
				t.Errorf("cause %v", err)
			}
			eventually(t, "the child's end", func() bool { return srv.Stats().DynamicNamespaces == 0 && srv.Stats().Handlers == 0 })
			if srv.Lookup("/x") != nil {
				t.Error("the child is still there")
			}
		})
	}
}

// A child has what its parent has, and is given, in the parent's order before its own.
func TestDynamicInheritance(t *testing.T) {
	var parent *server.ParentNamespace
	srv := start(t, server.Config{}, func(srv *server.Server) {
		parent = srv.OfRegexp(regexp.MustCompile(`^/room-`))
		server.On0(parent, "sync", func(context.Context, *server.Socket) error { return nil })
		parent.On("who", func(_ context.Context, m *server.Message) { _ = m.Ack("parent") })
	})
	c, _ := joined(t, srv, "/room-1")
	ask := func(want string) {
		t.Helper()
		c.send(`2/room-1,7["who"]`)
		c.expect(`3/room-1,7` + want)
	}
	ask(`["parent"]`)
	child := srv.Of("/room-1")
	own := child.On("who", func(_ context.Context, m *server.Message) { _ = m.Ack("child") })
	ask(`["child"]`)
	order := make(chan string, 8)
	first := parent.OnAny(func(context.Context, *server.Message) { order <- "parent" })
	last := child.OnAny(func(context.Context, *server.Message) { order <- "child" })
	ask(`["child"]`)
	if a, b := receive(t, order), receive(t, order); a != "parent" || b != "child" {
		t.Errorf("order %q, %q", a, b)
	}
	first.Remove()
	parent.Off("who")
	parent.On("who", func(_ context.Context, m *server.Message) { _ = m.Ack("parent 2") })
	ask(`["child"]`)
	child.Off("sync") // the parent's stays
	c.send(`2/room-1,8["sync"]`)
	c.expect(`3/room-1,8[]`)
	own.Remove()
	last.Remove()
	ask(`["parent 2"]`)
	parent.Off("who")
	parent.Once("who", func(_ context.Context, m *server.Message) { _ = m.Ack("once") })
	ask(`["once"]`)
	c.send(`2/room-1,9["who"]`, `2/room-1,8["sync"]`)
	c.expect(`3/room-1,8[]`)
	if kids := parent.Children(); len(kids) != 1 || kids[0] != child {
		t.Errorf("children %v", kids)
	}
}

// An emit on the parent reaches all children, each under its own name; attachments are shared.
func TestParentBroadcast(t *testing.T) {
	var parent *server.ParentNamespace
	srv := start(t, server.Config{}, func(srv *server.Server) {
		parent = srv.OfRegexp(regexp.MustCompile(`^/p[0-9]+$`))
		parent.OnConnect(func(_ context.Context, s *server.Socket) error {
			if s.Namespace().Name() == "/p1" {
				return s.Join("r")
			}
			return nil
		})
	})
	a, _ := joined(t, srv, "/p1")
	b, _ := joined(t, srv, "/p2")
	if n, err := parent.Emit("all", []byte{1}); n != 2 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	a.expect(`51-/p1,["all",{"_placeholder":true,"num":0}]`, "binary 01")
	b.expect(`51-/p2,["all",{"_placeholder":true,"num":0}]`, "binary 01")
	if n, err := parent.In("r").Local().Emit("some"); n != 1 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	if _, err := parent.Except("r").Volatile().Emit("others"); err != nil {
		t.Fatal(err)
	}
	p, err := server.Prepare("done")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := parent.EmitPrepared(p); n != 2 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	a.expect(`2/p1,["some"]`, `2/p1,["done"]`)
	b.expect(`2/p2,["others"]`, `2/p2,["done"]`)
	if _, err := parent.Emit("connect"); !errors.Is(err, server.ErrReserved) {
		t.Errorf("reserved: %v", err)
	}
	if _, err := parent.Emit("bad", func() {}); !errors.Is(err, server.ErrEncode) {
		t.Errorf("not to be encoded: %v", err)
	}
}

// At the limit the child that is empty for longest goes; when none is empty, or all are kept, clients are refused.
func TestMaxDynamicNamespaces(t *testing.T) {
	var parent *server.ParentNamespace
	srv := start(t, server.Config{MaxDynamicNamespaces: 3}, func(srv *server.Server) {
		parent = srv.OfRegexp(regexp.MustCompile(`^/d`))
	})
	clients := make([]*client, 3)
	for i := range clients {
		clients[i], _ = joined(t, srv, "/d"+strconv.Itoa(i))
	}
	c := dial(t, srv)
	refused := func(name string) {
		t.Helper()
		c.send("0" + name + ",")
		c.expect("4" + name + `,{"message":"No room for another namespace"}`)
	}
	refused("/dx")
	c.join("/d1") // there is that one
	empty := func(i int) {
		clients[i].close()
		eventually(t, "the end of a socket", func() bool { return srv.Lookup("/d"+strconv.Itoa(i)).SocketCount() == 0 })
	}
	empty(2)
	empty(0)
	c.join("/da")
	if srv.Lookup("/d2") != nil || srv.Lookup("/d0") == nil {
		t.Error("not the one that was empty for longest went")
	}
	kept := srv.Of("/d0")
	refused("/dx")
	c.join("/d0")
	if srv.Of("/d0") != kept || len(parent.Children()) != 3 {
		t.Error("what is kept has changed")
	}
	if s := srv.Stats(); s.DynamicNamespaces != 3 || s.NamespacesRefused != 2 {
		t.Errorf("%d children, %d refused", s.DynamicNamespaces, s.NamespacesRefused)
	}
}

// With CleanupEmptyChildNamespaces a child goes with its last socket, after that one's disconnect handlers, unless
// the application has asked for it.
func TestCleanupEmptyChildNamespaces(t *testing.T) {
	there := make(chan bool, 4)
	var parent *server.ParentNamespace
	srv := start(t, server.Config{CleanupEmptyChildNamespaces: true}, func(srv *server.Server) {
		parent = srv.OfRegexp(regexp.MustCompile(`^/d`))
		parent.OnDisconnect(func(s *server.Socket, _ server.Reason) {
			there <- s.Server().Lookup(s.Namespace().Name()) == s.Namespace()
		})
		parent.OnConnect(func(_ context.Context, s *server.Socket) error {
			if s.Namespace().Name() == "/dno" {
				return errors.New("no")
			}
			return nil
		})
	})
	a, _ := joined(t, srv, "/d1")
	b, _ := joined(t, srv, "/d1")
	a.send("1/d1,")
	if !receive(t, there) {
		t.Error("gone before its disconnect handlers")
	}
	if srv.Lookup("/d1") == nil {
		t.Fatal("gone while there is a socket")
	}
	b.close()
	receive(t, there)
	eventually(t, "the child's end", func() bool { return srv.Lookup("/d1") == nil && len(parent.Children()) == 0 })
	a.send("0/dno,")
	a.expect(`4/dno,{"message":"Not authorized"}`)
	eventually(t, "the end of a child that refused", func() bool { return srv.Lookup("/dno") == nil })
	a.join("/d2")
	srv.Of("/d2")
	a.send("1/d2,")
	receive(t, there)
	a.join("/d3")
	if srv.Lookup("/d2") == nil {
		t.Error("a child that the application asked for has gone")
	}
}

// Children come and go while clients connect, leave and are broadcast to: no socket is lost, each is in the
// namespace that its name finds.
func TestDynamicChurn(t *testing.T) {
	var parent *server.ParentNamespace
	srv := start(t, server.Config{CleanupEmptyChildNamespaces: true, MaxDynamicNamespaces: 4}, func(srv *server.Server) {
		parent = srv.OfRegexp(regexp.MustCompile(`^/d[0-9]$`))
		parent.On("where", func(_ context.Context, m *server.Message) {
			ns := m.Socket().Namespace()
			if err := m.Ack(m.Socket().Server().Lookup(ns.Name()) == ns && ns.Socket(m.Socket().ID()) == m.Socket()); err != nil {
				t.Error(err)
			}
		})
	})
	var clients, broadcasts sync.WaitGroup
	stop := make(chan struct{})
	broadcasts.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				_, _ = parent.Emit("tick")
				parent.OnAny(func(context.Context, *server.Message) {}).Remove()
				// Without a pause it fills the mailboxes as fast as they are emptied, and answers that find no room for
				// a second are given up.
				time.Sleep(100 * time.Microsecond)
			}
		}
	})
	for i := range 8 {
		clients.Go(func() {
			c := dial(t, srv)
			for j := range 40 {
				name := fmt.Sprintf("/d%d", (i+j)%3)
				c.send("0" + name + ",")
				if await(c, "0"+name+",{") == "" {
					return
				}
				c.send("2" + name + `,1["where"]`)
				if got := await(c, "3"+name+",1"); got != "[true]" {
					t.Errorf("%s: %s", name, got)
					return
				}
				c.send("1" + name + ",")
			}
		})
	}
	clients.Wait()
	close(stop)
	broadcasts.Wait()
	eventually(t, "the end of all children", func() bool { return srv.Stats().DynamicNamespaces == 0 })
}

// await returns what follows the prefix in the next message that has it; ticks in between are passed over. It is empty
// when none comes.
func await(c *client, prefix string) string {
	for limit := time.After(patience); ; {
		var m message
		ok := true
		select {
		case m, ok = <-c.in:
		case <-limit:
			ok = false
		}
		if !ok {
			c.t.Errorf("closed, or not in time: %s", prefix)
			return ""
		}
		if rest, ok := strings.CutPrefix(m.text, prefix); ok {
			return rest
		}
		if !strings.HasSuffix(m.text, `["tick"]`) {
			c.t.Errorf("got %s", m)
		}
	}
}
