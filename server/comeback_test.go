package server_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/servertest"
)

// inBubble runs a test with a server with recovery in memory, whose time is that of a bubble.
func inBubble(t *testing.T, cfg server.Config, fn func(t *testing.T, ts *servertest.Server)) {
	t.Helper()
	if cfg.Recovery.MaxDisconnection == 0 {
		cfg.Recovery.MaxDisconnection = time.Minute
	}
	synctest.Test(t, func(t *testing.T) { fn(t, servertest.New(t, cfg)) })
}

// names are those of the events that came.
func eventNames(c *servertest.Client) (names []string) {
	for _, e := range c.Events() {
		names = append(names, e.Name)
	}
	return names
}

// What counts is how long a client was away, not how long ago its last event was.
func TestQuietClientComesBack(t *testing.T) {
	for name, test := range map[string]struct {
		lose func(ts *servertest.Server, c *servertest.Client)
	}{
		"cut": {func(_ *servertest.Server, c *servertest.Client) { c.Cut() }},
		"silent until the server gives up": {func(ts *servertest.Server, c *servertest.Client) {
			c.AnswerPings(false)
			c.StopReading()
			_, _ = ts.Of("/").To("rare").Emit("early") // sent to nobody, long before the server knows
			for c.Socket() != nil {
				_, _ = ts.Of("/").To("busy").Emit("busy")
				ts.Advance(500 * time.Millisecond)
			}
			c.Cut()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := server.Config{Recovery: server.Recovery{MaxDisconnection: 3 * time.Second}}
			inBubble(t, cfg, func(t *testing.T, ts *servertest.Server) {
				c, busy := ts.Connect("/", nil), ts.Connect("/", nil)
				busy.On("busy", func(servertest.Event) []any { return nil })
				_ = busy.Socket().Join("busy")
				_ = c.Socket().Join("rare")
				_, _ = ts.Of("/").To("rare").Emit("first")
				c.Expect("first")
				for range 10 * 60 * 10 { // ten minutes
					_, _ = ts.Of("/").To("busy").Emit("busy")
					ts.Advance(100 * time.Millisecond)
				}
				test.lose(ts, c)
				_, _ = ts.Of("/").To("rare").Emit("rare")
				ts.Advance(100 * time.Millisecond)
				again := c.Reconnect()
				want := []string{"rare"}
				if name != "cut" {
					want = []string{"early", "rare"}
				}
				if got := eventNames(again); !again.Recovered() || !slices.Equal(got, want) {
					t.Errorf("recovered %v, got %q instead of %q", again.Recovered(), got, want)
				}
				again.Cut()
				ts.Advance(3*time.Second + time.Millisecond)
				if third := again.Reconnect(); third.Recovered() {
					t.Error("recovered after being away for too long")
				}
			})
		})
	}
}

// Events that are sent again and are lost again are not taken for arrived: the client gets them, or is a new one.
func TestLostAgain(t *testing.T) {
	cfg := server.Config{
		PingInterval: time.Second, PingTimeout: time.Second,
		Recovery: server.Recovery{MaxDisconnection: time.Minute, MaxPackets: 100},
	}
	// With 100 others the one that was lost twice is not kept any more, and nothing that is younger.
	for _, emitted := range []int{98, 100} {
		inBubble(t, cfg, func(t *testing.T, ts *servertest.Server) {
			c := ts.Connect("/", nil)
			_, _ = ts.Emit("first")
			c.Expect("first")
			ts.Advance(10 * time.Second)
			c.Cut()
			_, _ = ts.Emit("missed")
			ts.Advance(30 * time.Second)
			lost := c.Reconnect()
			lost.Cut()
			ts.Advance(30 * time.Second)
			for range emitted {
				_, _ = ts.Of("/").To("others").Emit("other")
			}
			ts.Advance(10 * time.Second)
			again := c.Reconnect() // with the offset that it had then
			if recovered := emitted < 100; again.Recovered() != recovered {
				t.Errorf("%d other events: recovered %v", emitted, again.Recovered())
			} else if got := eventNames(again); recovered && !slices.Equal(got, []string{"missed"}) {
				t.Errorf("got %q", got)
			}
		})
	}
}

// A client that was sent nothing has no offset, and comes back with all that was emitted since its CONNECT.
func TestComeBackWithoutOffset(t *testing.T) {
	inBubble(t, server.Config{}, func(t *testing.T, ts *servertest.Server) {
		_, _ = ts.Emit("before")
		c := ts.Connect("/", nil)
		c.ExpectNothing()
		c.Cut()
		_, _ = ts.Emit("one")
		_, _ = ts.Of("/").To("elsewhere").Emit("other")
		c = c.Reconnect()
		if got := eventNames(c); !c.Recovered() || !slices.Equal(got, []string{"one"}) {
			t.Errorf("recovered %v, got %q", c.Recovered(), got)
		}
		// Nothing came, twice: it still has what it began with.
		d := ts.Connect("/", nil)
		for range 3 {
			d.Cut()
			if d = d.Reconnect(); !d.Recovered() || len(d.Events()) > 0 {
				t.Error("not recovered")
			}
		}
	})
}

// Clients take a last argument that is a string for an offset, so events that are not kept have one too.
func TestVolatileEventsHaveOffsets(t *testing.T) {
	prepared, err := server.Prepare("volatile", "connected")
	if err != nil {
		t.Fatal(err)
	}
	for name, emit := range map[string]func(ns *server.Namespace, s *server.Socket) error{
		"broadcast": func(ns *server.Namespace, _ *server.Socket) error {
			_, err := ns.Volatile().Emit("volatile", "connected")
			return err
		},
		"prepared broadcast": func(ns *server.Namespace, _ *server.Socket) error {
			_, err := ns.Volatile().EmitPrepared(prepared)
			return err
		},
		"to one":          func(_ *server.Namespace, s *server.Socket) error { return s.Volatile().Emit("volatile", "connected") },
		"prepared to one": func(_ *server.Namespace, s *server.Socket) error { return s.Volatile().EmitPrepared(prepared) },
		"question": func(_ *server.Namespace, s *server.Socket) error {
			return s.EmitAck(s.Context(), "volatile", func(server.Reply, error) {}, "connected")
		},
		"question to all": func(ns *server.Namespace, s *server.Socket) error {
			return ns.EmitAck(s.Context(), "volatile", func([]server.Reply, error) {}, "connected")
		},
	} {
		for _, first := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, first %v", name, first), func(t *testing.T) {
				inBubble(t, server.Config{}, func(t *testing.T, ts *servertest.Server) {
					c, ns := ts.Connect("/", nil), ts.Of("/")
					if !first {
						_, _ = ns.Emit("kept")
						c.Expect("kept")
					}
					if err := emit(ns, c.Socket()); err != nil {
						t.Fatal(err)
					}
					c.Expect("volatile", "connected")
					c.Cut()
					_, _ = ns.Emit("missed")
					_, _ = ns.Volatile().Emit("never")
					c = c.Reconnect()
					if got := eventNames(c); !c.Recovered() || !slices.Equal(got, []string{"missed"}) {
						t.Errorf("recovered %v, got %q", c.Recovered(), got)
					}
				})
			})
		}
	}
}

// While a client is away nobody else can have its id as a room's name, and so read what it is sent when it is back.
func TestIDsOfThoseAwayAreTaken(t *testing.T) {
	cfg := server.Config{Recovery: server.Recovery{MaxDisconnection: time.Minute, MaxSessions: 2}}
	inBubble(t, cfg, func(t *testing.T, ts *servertest.Server) {
		ns := ts.Of("/")
		c, spy := ts.Connect("/", nil), ts.Connect("/", nil)
		id := c.ID()
		taken := func(want bool) {
			t.Helper()
			err := spy.Socket().Join(id)
			if errors.Is(err, server.ErrRoomTaken) != want {
				t.Errorf("joined: %v", err)
			}
			if err := spy.Socket().Leave(id); err != nil {
				t.Error(err)
			}
			if err := ns.SocketsJoin(id); err != nil {
				t.Error(err)
			}
			ts.Settle()
			if in := spy.Socket().InRoom(id); in == want {
				t.Errorf("moved in: %v", in)
			}
			_ = spy.Socket().LeaveAll()
			ts.Settle()
		}
		taken(true)
		for range 3 {
			c.Cut()
			taken(true)
			_, _ = ns.To(id).Emit("while away")
			c = c.Reconnect()
			taken(true)
			_, _ = ns.To(id).Emit("secret")
			if got := eventNames(c); !c.Recovered() || !slices.Equal(got, []string{"while away", "secret"}) {
				t.Errorf("recovered %v, got %q", c.Recovered(), got)
			}
			spy.ExpectNothing()
		}
		c.Cut()
		ts.Advance(time.Minute + time.Second)
		taken(false) // it will not come back

		c = ts.Connect("/", nil)
		id = c.ID()
		c.Cut()
		for range 3 {
			ts.Connect("/", nil).Cut()
		}
		taken(false) // others took its place
		c = ts.Connect("/", nil)
		id = c.ID()
		c.Disconnect()
		taken(false) // it left
	})
}

// A socket that comes back has all of its rooms, also in the eyes of its connect handlers, or it is a new one.
func TestAllRoomsOrNone(t *testing.T) {
	var held sync.RWMutex
	log := &roomLog{}
	rooms := []string{"a", "b", "c", "d", "e"}
	var seen []string
	setup := func(ts *servertest.Server) *servertest.Client {
		ns := ts.Of("/")
		ns.OnRoom(func(e server.RoomEvent) {
			held.RLock()
			defer held.RUnlock()
			log.note(e)
		})
		ns.OnConnect(func(_ context.Context, s *server.Socket) error {
			seen = s.Rooms()[1:]
			if s.Recovered() {
				return nil
			}
			return s.Join(rooms...)
		})
		return ts.Connect("/", nil)
	}
	for name, test := range map[string]struct {
		cfg  server.Config
		when func(t *testing.T, ts *servertest.Server)
		want bool
	}{
		"as it was": {when: func(*testing.T, *servertest.Server) {}, want: true},
		"fewer rooms are allowed": {when: func(t *testing.T, ts *servertest.Server) {
			if err := ts.Of("/").Configure(server.NamespaceConfig{MaxRooms: 4}); err != nil {
				t.Error(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, test.cfg, func(t *testing.T, ts *servertest.Server) {
				c := setup(ts)
				c.Cut()
				test.when(t, ts)
				c = c.Reconnect()
				if c.Recovered() != test.want || c.Connected() && c.Socket().Recovered() != test.want {
					t.Errorf("recovered %v", c.Recovered())
				}
				if test.want && (!slices.Equal(seen, rooms) || !slices.Equal(c.Socket().Rooms()[1:], rooms)) {
					t.Errorf("its handlers saw %q, then it was in %q", seen, c.Socket().Rooms())
				}
				for _, r := range rooms {
					_, _ = ts.Of("/").To(r).Emit(r)
				}
				if got := eventNames(c); test.want && !slices.Equal(got, rooms) {
					t.Errorf("got %q", got)
				}
			})
		})
	}
	t.Run("listeners of rooms are behind", func(t *testing.T) {
		var reached atomic.Bool // a listener runs, and may have to wait for held
		srv := startRecoverable(t, server.Config{MaxRoomEvents: 40}, func(ns *server.Namespace) {
			ns.OnRoom(func(e server.RoomEvent) {
				reached.Store(true)
				held.RLock()
				defer held.RUnlock()
				reached.Store(false)
				log.note(e)
			})
		})
		ns := srv.Of("/")
		var l, fresh lost
		c := dial(t, srv)
		c.send("0")
		l.connected(c)
		l.events(c, `2["hello",false]`)
		if err := ns.Socket(l.id).Join(rooms...); err != nil {
			t.Fatal(err)
		}
		_, other := joinedRecoverable(t, srv)
		held.Lock()
		_ = c.conn.Close()
		waitGone(t, ns, l.id)
		// Its event is no longer in the queue, which would have room for one more otherwise.
		eventually(t, "a listener is held up", reached.Load)
		for i := 0; other.Join(fmt.Sprint(i)) == nil; i++ {
		}
		c = dial(t, srv)
		c.send(l.again())
		fresh.connected(c)
		if s := ns.Socket(fresh.id); fresh.id == l.id || s == nil || s.Recovered() || len(s.Rooms()) != 1 {
			t.Errorf("%s came back as %s", l.id, fresh.id)
		}
		fresh.events(c, `2["hello",false]`)
		// Who is in no room needs nothing of the listeners.
		_ = c.conn.Close()
		waitGone(t, ns, fresh.id)
		c = dial(t, srv)
		c.send(fresh.again())
		id := fresh.id
		if fresh.connected(c); fresh.id != id {
			t.Errorf("%s came back as %s", id, fresh.id)
		}
		held.Unlock()
	})
}

// joinedRecoverable returns a socket of a server that startRecoverable has started.
func joinedRecoverable(t *testing.T, srv *server.Server) (*client, *server.Socket) {
	t.Helper()
	var l lost
	c := dial(t, srv)
	c.send("0")
	l.connected(c)
	l.events(c, `2["hello",false]`)
	return c, srv.Of("/").Socket(l.id)
}
