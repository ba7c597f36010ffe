package server_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/seed58c87869/siren/server"
)

// orders are calls of one goroutine for one socket, and whether it is in the room "x" behind them.
var orders = map[string]struct {
	calls []func(ns *server.Namespace, s *server.Socket) error
	in    bool
}{
	"moved in, left":            {calls: calls(movedIn, left)},
	"moved in, left all":        {calls: calls(movedIn, leftAll)},
	"moved in, left, moved in":  {calls: calls(movedIn, left, movedIn), in: true},
	"joined, moved out":         {calls: calls(comesIn, movedOut)},
	"joined, moved out, joined": {calls: calls(comesIn, movedOut, comesIn), in: true},
	"joined, moved out by room": {calls: calls(comesIn, emptied)},
	"joined, left, moved in":    {calls: calls(comesIn, left, movedIn), in: true},
	"left all, joined":          {calls: calls(comesIn, leftAll, comesIn), in: true},
	"left all, moved in":        {calls: calls(comesIn, leftAll, movedIn), in: true},
	"joined, left all":          {calls: calls(comesIn, leftAll)},
	"moved out, moved in, left": {calls: calls(comesIn, movedOut, movedIn, left)},
	"joined twice, left":        {calls: calls(comesIn, comesIn, left)},
	"moved in twice, left":      {calls: calls(movedIn, movedIn, left)},
	"left, joined, moved out":   {calls: calls(left, comesIn, movedOut)},
}

type call = func(ns *server.Namespace, s *server.Socket) error

func calls(c ...call) []call { return c }

func comesIn(_ *server.Namespace, s *server.Socket) error  { return s.Join("x") }
func left(_ *server.Namespace, s *server.Socket) error     { return s.Leave("x") }
func leftAll(_ *server.Namespace, s *server.Socket) error  { return s.LeaveAll() }
func movedIn(ns *server.Namespace, _ *server.Socket) error { return ns.SocketsJoin("x") }
func movedOut(ns *server.Namespace, s *server.Socket) error {
	return ns.To(s.ID()).SocketsLeave("x")
}
func emptied(ns *server.Namespace, _ *server.Socket) error { return ns.To("x").SocketsLeave("x") }

// Joins, leaves and moves are done in the order of the calls, whatever the event loops have come to meanwhile.
func TestOrderOfMoves(t *testing.T) {
	srv, socket := sockets(t)
	ns := srv.Of("/")
	c, s := socket("/")
	_, other := socket("/") // on the other loop, so that there is always such a room
	for name, order := range orders {
		for round := range 50 {
			if err := errors.Join(s.LeaveAll(), other.Join("x")); err != nil {
				t.Fatal(err)
			}
			if round%2 == 0 {
				c.sync() // nothing is on its way
			}
			for _, do := range order.calls {
				if err := do(ns, s); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := ns.To("x").Emit("x"); err != nil {
				t.Error(err)
			}
			if got := c.got(`2["x"]`); got != order.in || s.InRoom("x") != order.in || slices.Contains(s.Rooms(), "x") != order.in {
				t.Fatalf("%s, round %d: got the event %v, in the room %v, rooms %q", name, round, got, s.InRoom("x"), s.Rooms())
			}
		}
	}
}

// A socket's own calls show at once, and what they were called for is not shown otherwise before the loop comes to
// them.
func TestOwnCallsShowAtOnce(t *testing.T) {
	srv, socket := sockets(t)
	ns := srv.Of("/")
	_, s := socket("/")
	for round := range 500 {
		if err := errors.Join(ns.SocketsJoin("x"), s.Leave("x")); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			if s.InRoom("x") || len(s.Rooms()) != 1 {
				t.Fatalf("round %d: %q", round, s.Rooms())
			}
		}
		if err := errors.Join(s.Join("x"), ns.To("x").SocketsLeave("x"), s.Join("x", "y"), s.LeaveAll(), s.Join("x")); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			if got := s.Rooms(); len(got) != 2 || got[1] != "x" || !s.InRoom("x") || s.InRoom("y") {
				t.Fatalf("round %d: %q", round, got)
			}
		}
	}
}

// The id of a socket is no room's name for others: what is sent there is for the socket alone.
func TestIDsAreNoRooms(t *testing.T) {
	srv, socket := sockets(t)
	ns := srv.Of("/")
	a, sa := socket("/")
	b, sb := socket("/")
	if err := sb.Join("x", sa.ID()); !errors.Is(err, server.ErrRoomTaken) || !sb.InRoom("x") || sb.InRoom(sa.ID()) {
		t.Error(err, sb.Rooms())
	}
	if err := errors.Join(sa.Join(sa.ID()), ns.SocketsJoin(sa.ID(), "y")); err != nil {
		t.Error(err)
	}
	_, _ = ns.To(sa.ID()).Emit("secret")
	_, _ = ns.To("y").Emit("all")
	a.expect(`2["secret"]`, `2["all"]`)
	b.expect(`2["all"]`)
	if n := srv.Stats().JoinsRefused; n != 1 {
		t.Errorf("%d joins were refused", n)
	}
	a.close()
	eventually(t, "it is gone", func() bool { return ns.Socket(sa.ID()) == nil })
	if err := sb.Join(sa.ID()); err != nil {
		t.Error(err)
	}
}

// A mailbox that is full takes no operations on rooms: what was not done is told, and leaves nothing behind.
func TestRoomsOfAFullMailbox(t *testing.T) {
	const limit = 1 << 16 // of the mailbox
	busy, gate := make(chan struct{}), make(chan struct{})
	srv := start(t, server.Config{Loops: 1}, func(srv *server.Server) {
		withSync(srv)
		srv.Of("/").On("block", func(context.Context, *server.Message) { close(busy); <-gate }, server.Inline())
	})
	ns := srv.Of("/")
	c, id := joined(t, srv, "/")
	s := ns.Socket(id)
	if err := s.Join("a"); err != nil {
		t.Fatal(err)
	}
	c.sync()
	c.send(`2["block"]`)
	<-busy
	done, last := 0, error(nil)
	for done < 2*limit && last == nil {
		if done++; done%2 == 1 {
			last = s.Join("x")
		} else {
			last = s.Leave("x")
		}
	}
	if !errors.Is(last, server.ErrQueueFull) || done > limit+10 {
		t.Errorf("%v after %d calls", last, done)
	}
	rooms := s.Rooms()
	for name, call := range map[string]func() error{
		"Join": func() error { return s.Join("new") }, "Leave": func() error { return s.Leave("a") },
		"LeaveAll": s.LeaveAll, "SocketsJoin": func() error { return ns.SocketsJoin("new") },
		"SocketsLeave": func() error { return ns.SocketsLeave("a") },
	} {
		if err := call(); !errors.Is(err, server.ErrQueueFull) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := s.Rooms(); !slices.Equal(got, rooms) || !s.InRoom("a") || slices.Contains(ns.RoomNames(), "new") {
		t.Errorf("%q became %q; there are %q", rooms, got, ns.RoomNames())
	}
	if err := errors.Join(s.Join("a"), s.Leave("nowhere")); err != nil { // there is nothing to do
		t.Error(err)
	}
	close(gate)
	c.syncBusy(srv)
	if got := s.Rooms(); !slices.Equal(got, rooms) {
		t.Errorf("%q became %q", rooms, got)
	}
	if err := s.LeaveAll(); err != nil {
		t.Error(err)
	}
	c.sync()
	if got := ns.RoomNames(); len(got) != 0 {
		t.Errorf("%q are left", got)
	}
}

// Listeners of room events that are behind stop joins and moves, also while the loop is behind and no event is there
// yet.
func TestRoomEventsOnTheirWay(t *testing.T) {
	const limit = 10
	busy, gate := make(chan struct{}), make(chan struct{})
	var held sync.RWMutex // while the listener is held up
	log := &roomLog{}
	srv := start(t, server.Config{Loops: 1, MaxRoomEvents: limit}, func(srv *server.Server) {
		withSync(srv)
		srv.Of("/").On("block", func(context.Context, *server.Message) { close(busy); <-gate }, server.Inline())
		srv.Of("/").OnRoom(func(e server.RoomEvent) {
			held.RLock()
			defer held.RUnlock()
			log.note(e)
		})
	})
	ns := srv.Of("/")
	_, other := joined(t, srv, "/")
	c, id := joined(t, srv, "/")
	s := ns.Socket(id)
	for i := range 5 * limit {
		eventually(t, "the listener has caught up", func() bool { return ns.Socket(other).Join(fmt.Sprint(i)) == nil })
	}
	eventually(t, "the events are told", func() bool { return len(log.take()) == 10*limit })
	held.Lock()
	c.send(`2["block"]`)
	<-busy
	// The rooms are there, so nothing is told before the loop has come to the joins.
	accepted := 0
	for i := range 5 * limit {
		switch err := s.Join(fmt.Sprint(i)); {
		case err == nil:
			accepted++
		case !errors.Is(err, server.ErrQueueFull):
			t.Error(err)
		}
	}
	if accepted != limit {
		t.Errorf("%d joins, with a limit of %d events", accepted, limit)
	}
	for range 1000 {
		_ = s.Leave("0")
		if s.Join("0") == nil || ns.SocketsJoin("new") == nil {
			t.Fatal("one more")
		}
	}
	close(gate)
	c.sync()
	if err := ns.SocketsJoin("new"); !errors.Is(err, server.ErrQueueFull) {
		t.Error(err)
	}
	held.Unlock()
	_ = errors.Join(s.LeaveAll(), ns.Socket(other).LeaveAll())
	eventually(t, "the rooms are gone", func() bool {
		log.mu.Lock()
		defer log.mu.Unlock()
		return len(ns.RoomNames()) == 0 && len(log.members) == 0
	})
	log.check(t)
	if err := s.Join("z"); err != nil {
		t.Error(err)
	}
}

// A move stops where the listeners are behind: the sockets that stay outside are counted.
func TestMoveOfManyWithListenersBehind(t *testing.T) {
	const limit, clients = 10, 30
	var held sync.RWMutex
	log := &roomLog{}
	srv := start(t, server.Config{MaxRoomEvents: limit}, func(srv *server.Server) {
		withSync(srv)
		srv.Of("/").OnRoom(func(e server.RoomEvent) {
			held.RLock()
			defer held.RUnlock()
			log.note(e)
		})
	})
	ns := srv.Of("/")
	all := make([]*client, clients)
	for i := range all {
		all[i], _ = joined(t, srv, "/")
	}
	held.Lock()
	if err := ns.SocketsJoin("x"); err != nil {
		t.Error(err)
	}
	n, err := ns.To("x").Count(t.Context())
	if n < limit-2 || n > limit+1 || err != nil || srv.Stats().JoinsRefused != uint64(clients-n) {
		t.Errorf("%d were moved, %d refused, %v", n, srv.Stats().JoinsRefused, err)
	}
	held.Unlock()
	for _, c := range all {
		c.close()
	}
	eventually(t, "the rooms are gone", func() bool {
		log.mu.Lock()
		defer log.mu.Unlock()
		return len(ns.RoomNames()) == 0 && len(log.members) == 0
	})
	log.check(t)
}
