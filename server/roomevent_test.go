package server_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/seed58c87869/siren/server"
)

// roomLog checks room events as they come, and keeps them. Safe for concurrent use.
type roomLog struct {
	mu      sync.Mutex
	events  []string
	members map[string]map[string]bool
	wrong   []string
}

func (l *roomLog) note(e server.RoomEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, fmt.Sprintf("%v %s %s", e.Kind, e.Room, e.Socket))
	if l.members == nil {
		l.members = map[string]map[string]bool{}
	}
	in, there := l.members[e.Room]
	ok := false
	switch e.Kind {
	case server.RoomCreated:
		ok = !there
		l.members[e.Room] = map[string]bool{}
	case server.SocketJoined:
		if ok = there && !in[e.Socket]; ok {
			in[e.Socket] = true
		}
	case server.SocketLeft:
		ok = there && in[e.Socket]
		delete(in, e.Socket)
	case server.RoomDeleted:
		ok = there && len(in) == 0
		delete(l.members, e.Room)
	}
	if !ok {
		l.wrong = append(l.wrong, l.events[len(l.events)-1])
	}
}

func (l *roomLog) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events)
}

func (l *roomLog) check(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.wrong) > 0 || len(l.members) > 0 {
		t.Errorf("%d events without their pair: %.5q; %d rooms left of %d events", len(l.wrong), l.wrong, len(l.members), len(l.events))
	}
}

// Room events, in their order.
func TestRoomEvents(t *testing.T) {
	srv, socket := sockets(t)
	log := &roomLog{}
	srv.Of("/").OnRoom(log.note)
	srv.Of("/").OnRoom(func(server.RoomEvent) { t.Error("a listener that was removed") }).Remove()
	srv.Of("/").OnRoom(func(server.RoomEvent) { panic("x") })
	a, s := socket("/")
	_ = s.Join("r", "r")
	s.Leave("r", "nowhere")
	gone := func(events int) { eventually(t, "the room is gone", func() bool { return len(log.take()) == events }) }
	gone(4) // or it would stay
	_ = s.Join("r")
	_ = srv.Of("/").SocketsLeave("r")
	gone(8)
	_ = s.Join("r")
	a.sync() // the end of a connection may overtake what was posted
	a.close()
	id := s.ID()
	want := []string{}
	for range 3 {
		want = append(want, "create-room r ", "join-room r "+id, "leave-room r "+id, "delete-room r ")
	}
	gone(12)
	if got := log.take(); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	log.check(t)
	eventually(t, "each event has panicked", func() bool { return srv.Stats().Panics == uint64(len(want)) })
}

// Listeners that are behind stop joins, not the loops, and no event is lost.
func TestRoomEventsBehind(t *testing.T) {
	gate, log := make(chan struct{}), &roomLog{}
	srv := start(t, server.Config{MaxRoomEvents: 10}, func(srv *server.Server) {
		withSync(srv)
		srv.Of("/").OnRoom(func(e server.RoomEvent) { <-gate; log.note(e) })
	})
	c, id := joined(t, srv, "/")
	s := srv.Of("/").Socket(id)
	refused := 0
	for i := range 50 {
		if err := s.Join(fmt.Sprint(i)); err != nil {
			if !errors.Is(err, server.ErrQueueFull) {
				t.Error(err)
			}
			refused++
		}
		c.sync()
	}
	if err := srv.Of("/").SocketsJoin("too"); refused < 30 || !errors.Is(err, server.ErrQueueFull) {
		t.Error(refused, err)
	}
	c.sync()
	if n := len(s.Rooms()); n != 51-refused || srv.Stats().JoinsRefused != 0 {
		t.Errorf("%d rooms, %d refused", n, refused)
	}
	c.close()
	close(gate)
	eventually(t, "the rooms are gone", func() bool { return len(log.take()) == 4*(50-refused) })
	log.check(t)
}

// Whatever moves sockets, from wherever, a socket's own list, the loops and the events agree in the end.
func TestRoomsAgreeUnderMoves(t *testing.T) {
	log := &roomLog{}
	srv := start(t, server.Config{MaxRoomEvents: 1 << 20}, func(srv *server.Server) {
		withSync(srv)
		srv.Of("/").OnRoom(log.note)
	})
	ns := srv.Of("/")
	const n = 12
	clients, all := make([]*client, n), make([]*server.Socket, n)
	for i := range clients {
		var id string
		clients[i], id = joined(t, srv, "/")
		all[i] = ns.Socket(id)
	}
	var movers sync.WaitGroup
	for w := range 4 {
		movers.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(w)))
			for range 400 {
				s, room := all[rng.IntN(n)], fmt.Sprint(rng.IntN(3))
				switch rng.IntN(6) {
				case 0:
					_ = s.Join(room)
				case 1:
					s.Leave(room)
				case 2:
					_ = ns.SocketsJoin(room)
				case 3:
					_ = ns.To(s.ID(), "0").SocketsLeave(room)
				case 4:
					s.LeaveAll()
				case 5:
					_ = s.To("1").SocketsJoin(room, "2")
				}
			}
		})
	}
	movers.Wait()
	if _, err := ns.Count(t.Context()); err != nil { // behind all that was posted
		t.Fatal(err)
	}
	for room := range 3 {
		var want, got []string
		for _, s := range all {
			if s.InRoom(fmt.Sprint(room)) {
				want = append(want, s.ID())
			}
		}
		fetched, err := ns.To(fmt.Sprint(room)).FetchSockets(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range fetched {
			got = append(got, r.ID())
		}
		slices.Sort(want)
		if !slices.Equal(got, want) || ns.RoomCount(fmt.Sprint(room)) != len(want) {
			t.Errorf("room %d: %d members, %d counted, %d by their own lists", room, len(got), ns.RoomCount(fmt.Sprint(room)), len(want))
		}
	}
	for _, c := range clients {
		c.close()
	}
	eventually(t, "no room is left", func() bool {
		log.mu.Lock()
		defer log.mu.Unlock()
		return ns.SocketCount() == 0 && len(ns.RoomNames()) == 0 && len(log.members) == 0
	})
	log.check(t)
}

// Listeners for outgoing events hear of broadcasts, for each socket that gets one, in its handlers'
// order; what the arguments hold may change after the call.
func TestOutgoingBroadcasts(t *testing.T) {
	var mu sync.Mutex
	heard := map[string][]string{}
	srv := start(t, server.Config{}, func(srv *server.Server) {
		withSync(srv)
		srv.Of("/").OnAnyOutgoing(func(s *server.Socket, event string, args []any) {
			mu.Lock()
			defer mu.Unlock()
			line := event
			for _, a := range args {
				if raw, ok := a.(server.Raw); ok {
					line += " " + string(raw.JSON)
				} else {
					line += fmt.Sprint(" own ", a)
				}
			}
			heard[s.ID()] = append(heard[s.ID()], line)
		})
		srv.Of("/").On("log", func(_ context.Context, m *server.Message) {
			mu.Lock()
			defer mu.Unlock()
			_ = m.Ack(heard[m.Socket().ID()])
		})
	})
	ns := srv.Of("/")
	a, ida := joined(t, srv, "/")
	b, _ := joined(t, srv, "/")
	values := map[string]any{"n": 1}
	_, _ = ns.To(ida, "x").Emit("one", values, "t")
	values["n"] = 2
	_ = ns.Socket(ida).Emit("self", 5)
	p, _ := server.Prepare("prepared", 3)
	_, _ = ns.Socket(ida).Broadcast().EmitPrepared(p)
	_ = ns.EmitAck(t.Context(), "ask", func([]server.Reply, error) {})
	a.expect(`2["one",{"n":1},"t"]`, `2["self",5]`, fmt.Sprintf(`2%d["ask"]`, firstBroadcast))
	b.expect(`2["prepared",3]`, fmt.Sprintf(`2%d["ask"]`, firstBroadcast))
	a.send(`21["log"]`)
	m := a.next().text
	// The socket's own emit is heard at once, broadcasts in the order of the inbox.
	if m != `31[["one {\"n\":1} \"t\"","self own 5","ask"]]` && m != `31[["self own 5","one {\"n\":1} \"t\"","ask"]]` {
		t.Error(m)
	}
	b.send(`21["log"]`)
	b.expect(`31[["prepared 3","ask"]]`)
}
