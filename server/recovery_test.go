package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server"
)

// lost is what a client knows of a socket that it has lost.
type lost struct{ id, pid, offset string }

var connectPacket = regexp.MustCompile(`^0\{"sid":"([^"]+)","pid":"([^"]+)"\}$`)

// event takes an event that is kept: its text without the offset, which is noted.
func (l *lost) event(c *client) string {
	c.t.Helper()
	text := c.next().text
	var args []any
	if err := json.Unmarshal([]byte(text[strings.IndexByte(text, '['):]), &args); err != nil {
		c.t.Fatalf("%q: %v", text, err)
	}
	offset, ok := args[len(args)-1].(string)
	if !ok || len(offset) != 8 {
		c.t.Fatalf("%q has no offset", text)
	}
	l.offset = offset
	return strings.Replace(text, fmt.Sprintf(",%q]", offset), "]", 1)
}

// events takes some and compares them.
func (l *lost) events(c *client, want ...string) {
	c.t.Helper()
	for _, w := range want {
		if got := l.event(c); got != w {
			c.t.Fatalf("got %q instead of %q", got, w)
		}
	}
}

// connected takes the CONNECT packet.
func (l *lost) connected(c *client) {
	c.t.Helper()
	text := c.next().text
	m := connectPacket.FindStringSubmatch(text)
	if m == nil {
		c.t.Fatalf("%q is no CONNECT with a private id", text)
	}
	l.id, l.pid = m[1], m[2]
}

// again returns the packet with which the client comes back.
func (l *lost) again() string {
	return fmt.Sprintf(`0{"pid":%q,"offset":%q,"user":"data"}`, l.pid, l.offset)
}

// recoverable starts a server whose sockets emit "hello" when they connect, after more has been set up.
func startRecoverable(t *testing.T, cfg server.Config, setup func(ns *server.Namespace)) *server.Server {
	cfg.Recovery.MaxDisconnection = time.Minute
	return start(t, cfg, func(srv *server.Server) {
		ns := srv.Of("/")
		ns.OnConnect(func(_ context.Context, s *server.Socket) error { return s.Emit("hello", s.Recovered()) })
		server.On1(ns, "join", func(_ context.Context, s *server.Socket, room string) error { return s.Join(room) })
		if setup != nil {
			setup(ns)
		}
	})
}

func waitGone(t *testing.T, ns *server.Namespace, id string) {
	t.Helper()
	eventually(t, "the socket's end", func() bool { return ns.Socket(id) == nil })
}

// Id, rooms and values are back, and what was missed comes in front of CONNECT, in order, once.
func TestRecovery(t *testing.T) {
	key := server.NewKey[int]("n")
	skipped := 0
	var mu sync.Mutex
	srv := startRecoverable(t, server.Config{}, func(ns *server.Namespace) {
		ns.Use(func(context.Context, *server.Socket) error {
			mu.Lock()
			defer mu.Unlock()
			skipped++
			return nil
		})
	})
	ns := srv.Of("/")
	var l lost
	c := dial(t, srv)
	c.send("0")
	l.connected(c)
	l.events(c, `2["hello",false]`)
	c.send(`20["join","a"]`)
	c.expect(`30[]`)
	s := ns.Socket(l.id)
	key.Set(s, 7)
	_ = s.Emit("to", []byte("bin"))
	if got := l.event(c); got != `51-["to",{"_placeholder":true,"num":0}]` {
		t.Fatal(got)
	}
	if m := c.next(); string(m.binary) != "bin" {
		t.Fatal(m)
	}
	_ = c.conn.Close()
	waitGone(t, ns, l.id)

	_, _ = ns.Emit("all", 1)
	_, _ = ns.To("a", "b").Emit("room", []byte{1})
	_, _ = ns.To("b").Emit("other")
	_, _ = ns.Except("a").Emit("except")
	_, _ = ns.Volatile().Emit("volatile")
	_, _ = ns.To(l.id).Emit("id")
	if err := s.Emit("away", 2); err != nil {
		t.Error(err)
	}
	if err := s.Volatile().Emit("volatile"); !errors.Is(err, server.ErrClosed) {
		t.Error(err)
	}
	p, _ := server.Prepare("prepared", 3)
	_, _ = ns.EmitPrepared(p)
	if err := s.EmitPrepared(p); err != nil {
		t.Error(err)
	}

	old := l
	c = dial(t, srv)
	c.send(old.again())
	l.events(c, `2["all",1]`, `51-["room",{"_placeholder":true,"num":0}]`)
	if m := c.next(); len(m.binary) != 1 {
		t.Fatal(m)
	}
	l.events(c, `2["id"]`, `2["away",2]`, `2["prepared",3]`, `2["prepared",3]`)
	l.connected(c)
	l.events(c, `2["hello",true]`)
	if l.id != old.id || l.pid != old.pid {
		t.Errorf("%v became %v", old, l)
	}
	s = ns.Socket(l.id)
	if v, _ := key.Get(s); v != 7 || !slices.Equal(s.Rooms(), []string{l.id, "a"}) || !s.Recovered() {
		t.Errorf("value %d, rooms %q", v, s.Rooms())
	}
	if string(s.Handshake().RawAuth()) != old.again()[1:] {
		t.Errorf("auth %s", s.Handshake().RawAuth())
	}
	_, _ = ns.To("a").Emit("live")
	l.events(c, `2["live"]`)
	if mu.Lock(); skipped != 1 {
		t.Errorf("the middleware ran %d times", skipped)
	}
	mu.Unlock()
	if s := srv.Stats(); s.Recovered != 1 || s.NotRecovered != 0 {
		t.Errorf("%d recovered, %d not", s.Recovered, s.NotRecovered)
	}

	// Nobody takes it over while it is connected, or with an offset of nobody.
	for _, l := range []lost{old, {pid: old.pid}, {pid: "x", offset: old.offset}} {
		other := dial(t, srv)
		other.send(l.again())
		var fresh lost
		fresh.connected(other)
		if fresh.id == old.id || fresh.pid == old.pid {
			t.Error("taken over")
		}
	}
}

// What either side meant is for good.
func TestNotRecovered(t *testing.T) {
	for name, end := range map[string]func(c *client, s *server.Socket){
		"client leaves":      func(c *client, _ *server.Socket) { c.send("1") },
		"server disconnects": func(_ *client, s *server.Socket) { s.Disconnect(false) },
		"connection closed":  func(_ *client, s *server.Socket) { s.Disconnect(true) },
	} {
		t.Run(name, func(t *testing.T) {
			srv := startRecoverable(t, server.Config{}, nil)
			var l, fresh lost
			c := dial(t, srv)
			c.send("0")
			l.connected(c)
			l.events(c, `2["hello",false]`)
			s := srv.Of("/").Socket(l.id)
			end(c, s)
			waitGone(t, srv.Of("/"), l.id)
			if err := s.Emit("gone"); !errors.Is(err, server.ErrClosed) {
				t.Error(err)
			}
			c = dial(t, srv)
			c.send(l.again())
			fresh.connected(c)
			if fresh.id == l.id {
				t.Error("recovered")
			}
			fresh.events(c, `2["hello",false]`)
		})
	}
}

// Middleware may be asked again, and its refusal is for good.
func TestRecoveryWithMiddleware(t *testing.T) {
	srv := startRecoverable(t, server.Config{Recovery: server.Recovery{RunMiddlewares: true}}, func(ns *server.Namespace) {
		ns.Use(func(_ context.Context, s *server.Socket) error {
			if s.Recovered() {
				return server.Refuse("no more", nil)
			}
			return nil
		})
	})
	var l lost
	c := dial(t, srv)
	c.send("0")
	l.connected(c)
	l.events(c, `2["hello",false]`)
	_ = c.conn.Close()
	waitGone(t, srv.Of("/"), l.id)
	c = dial(t, srv)
	c.send(l.again())
	c.expect(`4{"message":"no more"}`)
	if srv.Of("/").SocketCount() != 0 {
		t.Error("it is there")
	}
}

// Connections that are cut again and again while others emit lose nothing and get nothing twice.
func TestRecoveryUnderTraffic(t *testing.T) {
	const total = 3000
	srv := startRecoverable(t, server.Config{Loops: 2}, nil)
	ns := srv.Of("/")
	var l lost
	c := dial(t, srv)
	c.send("0")
	l.connected(c)
	l.events(c, `2["hello",false]`)
	c.send(`20["join","a"]`)
	c.expect(`30[]`)
	var emitters sync.WaitGroup
	id := l.id
	for g := range 3 {
		emitters.Add(1)
		go func() {
			defer emitters.Done()
			for i := range total {
				var err error
				for again := true; again; again = errors.Is(err, server.ErrQueueFull) {
					switch g {
					case 0:
						_, err = ns.Emit("0", i)
					case 1:
						_, err = ns.To("a").Emit("1", i)
					default:
						_, err = ns.To(id).Emit("2", i)
					}
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		}()
	}
	next, cuts := [3]int{}, 0
	for next != [3]int{total, total, total} {
		text := c.next().text
		if text == "" {
			t.Fatal("closed")
		}
		var got []any
		if strings.HasPrefix(text, "0") {
			continue
		}
		if err := json.Unmarshal([]byte(text[1:]), &got); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		l.offset = got[len(got)-1].(string)
		if got[0] == "hello" {
			continue
		}
		g := int(got[0].(string)[0] - '0')
		if i := int(got[1].(float64)); i != next[g] {
			t.Fatalf("%s: %d instead of %d after %d cuts", got[0], i, next[g], cuts)
		}
		next[g]++
		if sum := next[0] + next[1] + next[2]; sum%1000 == 0 && sum < 3*total {
			cuts++
			_ = c.conn.Close()
			waitGone(t, ns, l.id)
			c = dial(t, srv)
			c.send(l.again())
		}
	}
	emitters.Wait()
	if s := srv.Stats(); int(s.Recovered) != cuts || cuts < 5 {
		t.Errorf("%d cuts, %d recovered", cuts, s.Recovered)
	}
}
