package server_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/seed58c87869/siren/poller/pollertest/netns"
	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/servertest"
)

const (
	actors       = 4 // goroutines that call the server at the same time
	actorSteps   = 300
	actorRooms   = 3
	actorSockets = 10
	// mortals are the sockets that are disconnected in the middle.
	mortals = 2
)

// actor is a goroutine with rooms of its own, which nobody else names: so what becomes of these is in the order of its
// own calls, whatever the others do to the same sockets meanwhile. Its calls follow from the seed.
type actor struct {
	id      int
	rng     *rand.Rand
	t       *testing.T
	ns      *server.Namespace
	sockets []*server.Socket
	// in are the sockets in each room, want the numbers of the events for each socket.
	in   map[string]map[int]bool
	want [actorSockets][]int
	sent int
}

func newActor(t *testing.T, seed uint64, id int, ns *server.Namespace, sockets []*server.Socket) *actor {
	a := &actor{id: id, rng: rand.New(rand.NewPCG(seed, uint64(id))), t: t, ns: ns, sockets: sockets, in: map[string]map[int]bool{}}
	for r := range actorRooms {
		a.in[a.name(r)] = map[int]bool{}
	}
	return a
}

func (a *actor) name(r int) string { return fmt.Sprintf("%d/%d", a.id, r) }
func (a *actor) room() string      { return a.name(a.rng.IntN(actorRooms)) }

// target is any operator by the actor's own rooms and ids, and the sockets that it selects.
func (a *actor) target() (server.Operator, []int) {
	o, selected := a.ns.To(), map[int]bool{}
	any := true
	for range a.rng.IntN(3) {
		any = false
		if a.rng.IntN(3) == 0 {
			i := a.rng.IntN(actorSockets)
			o, selected[i] = o.To(a.sockets[i].ID()), true
			continue
		}
		r := a.room()
		o = o.To(r)
		for i := range a.in[r] {
			selected[i] = true
		}
	}
	for i := 0; any && i < actorSockets; i++ {
		selected[i] = true
	}
	if a.rng.IntN(3) == 0 {
		r := a.room()
		o = o.Except(r)
		for i := range a.in[r] {
			delete(selected, i)
		}
	}
	var out []int
	for i := range actorSockets {
		if selected[i] {
			out = append(out, i)
		}
	}
	return o, out
}

// run makes the calls.
func (a *actor) run() {
	for step := range actorSteps {
		r, i := a.room(), a.rng.IntN(actorSockets)
		s := a.sockets[i]
		switch a.rng.IntN(8) {
		case 0, 1:
			if err := s.Join(r); err == nil {
				a.in[r][i] = true
				a.shows(i, r, true)
			} else if i < actorSockets-mortals {
				a.t.Error(err)
			}
		case 2:
			if err := s.Leave(r); err != nil {
				a.t.Error(err)
			}
			delete(a.in[r], i)
			a.shows(i, r, false)
		case 3, 4:
			a.move(r)
		default:
			o, selected := a.target()
			if _, err := o.Emit("e", a.id, a.sent); err != nil {
				a.t.Error(err)
			}
			for _, i := range selected {
				a.want[i] = append(a.want[i], a.sent)
			}
			a.sent++
		}
		if a.id < mortals && step == actorSteps/2 {
			a.sockets[actorSockets-1-a.id].Disconnect(true)
		}
	}
}

// shows checks that a socket's own call shows at once.
func (a *actor) shows(i int, room string, want bool) {
	if s := a.sockets[i]; s.InRoom(room) != want && i < actorSockets-mortals {
		a.t.Errorf("actor %d: %s in %s: %v", a.id, s.ID(), room, !want)
	}
}

func (a *actor) move(room string) {
	o, selected := a.target()
	join := a.rng.IntN(2) == 0
	do := o.SocketsLeave
	if join {
		do = o.SocketsJoin
	}
	if err := do(room); err != nil {
		a.t.Error(err)
	}
	for _, i := range selected {
		if join {
			a.in[room][i] = true
		} else {
			delete(a.in[room], i)
		}
	}
}

// check compares what a socket got of the actor, and the rooms it is in, with the model. One that was disconnected got
// the first of it.
func (a *actor) check(i int, got []int) {
	want := a.want[i]
	if i >= actorSockets-mortals {
		want = want[:min(len(want), len(got))]
	}
	if !slices.Equal(got, want) {
		a.t.Errorf("actor %d, socket %d: got %v\ninstead of %v", a.id, i, got, want)
	}
	for r, in := range a.in {
		if i < actorSockets-mortals && a.sockets[i].InRoom(r) != in[i] {
			a.t.Errorf("actor %d, socket %d: in %s: %v", a.id, i, r, !in[i])
		}
	}
}

// act runs actors on the sockets; drive, if there is one, is called until they are done.
func act(t *testing.T, seed uint64, ns *server.Namespace, sockets []*server.Socket, drive func()) []*actor {
	var all []*actor
	var running sync.WaitGroup
	for id := range actors {
		a := newActor(t, seed, id, ns, sockets)
		all = append(all, a)
		running.Go(a.run)
	}
	done := make(chan struct{})
	go func() { running.Wait(); close(done) }()
	for drive != nil {
		select {
		case <-done:
			return all
		default:
			drive()
		}
	}
	<-done
	return all
}

// Goroutines that call the server at the same time, for the same sockets: each one's calls take effect in their order.
// On event loops that the test drives.
func TestModelOfGoroutines(t *testing.T) {
	for seed := range 5 * netns.Soak() {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			ts := servertest.New(t, server.Config{Loops: 3})
			log := &roomLog{}
			ts.Of("/").OnRoom(log.note)
			var clients []*servertest.Client
			var sockets []*server.Socket
			for range actorSockets {
				c := ts.Connect("/", nil)
				clients, sockets = append(clients, c), append(sockets, c.Socket())
			}
			all := act(t, uint64(seed), ts.Of("/"), sockets, ts.Settle)
			ts.Settle()
			for i, c := range clients {
				got := make([][]int, actors)
				for _, e := range c.Events() {
					var id, n int
					if err := e.Decode(&id, &n); err != nil {
						t.Fatal(err)
					}
					got[id] = append(got[id], n)
				}
				for _, a := range all {
					a.check(i, got[a.id])
				}
				c.Disconnect()
			}
			ts.Settle()
			if names := ts.Of("/").RoomNames(); len(names) > 0 {
				t.Errorf("%q are left", names)
			}
			log.check(t)
		})
	}
}

// The same on real event loops.
func TestModelOfGoroutinesOnLoops(t *testing.T) {
	for seed := range 5 * netns.Soak() {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			log := &roomLog{}
			srv := start(t, server.Config{Loops: 3}, func(srv *server.Server) { srv.Of("/").OnRoom(log.note) })
			ns := srv.Of("/")
			var clients []*client
			var sockets []*server.Socket
			for range actorSockets {
				c, id := joined(t, srv, "/")
				clients, sockets = append(clients, c), append(sockets, ns.Socket(id))
			}
			var reading sync.WaitGroup
			got := make([][][]int, actorSockets)
			for i, c := range clients {
				got[i] = make([][]int, actors)
				reading.Go(func() { c.readActors(got[i]) })
			}
			all := act(t, uint64(seed), ns, sockets, nil)
			_, _ = ns.Emit("end")
			reading.Wait()
			for i, c := range clients {
				for _, a := range all {
					a.check(i, got[i][a.id])
				}
				c.close()
			}
			eventually(t, "the rooms are gone", func() bool {
				log.mu.Lock()
				defer log.mu.Unlock()
				return ns.SocketCount() == 0 && len(ns.RoomNames()) == 0 && len(log.members) == 0
			})
			log.check(t)
		})
	}
}

// readActors reads the events of actors until "end", or the end of the connection.
func (c *client) readActors(got [][]int) {
	for m := range c.in {
		var e []any
		if len(m.text) < 2 || m.text[0] != '2' {
			continue // the end of the socket
		}
		if err := json.Unmarshal([]byte(m.text[1:]), &e); err != nil {
			c.t.Error(err)
			return
		}
		if e[0] == "end" {
			return
		}
		id := int(e[1].(float64))
		got[id] = append(got[id], int(e[2].(float64)))
	}
}
