package server_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/poller/pollertest/netns"
	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/servertest"
)

const (
	modelClients = 8
	modelSteps   = 400
	modelRooms   = 5
)

// model is a server in memory beside a plain sequential model of it: each call takes effect when it is made. The event
// loops run at random moments, so many calls are on their way at the same time.
type model struct {
	t   *testing.T
	rng *rand.Rand
	ts  *servertest.Server
	ns  *server.Namespace
	// clients are those that are connected or away.
	clients []*modelClient
	// events are all that were emitted, each by its number: whom it is for.
	events []modelTarget
	// moved are the rooms that sockets were moved into or out of since then.
	moved map[string]bool
	log   *roomLog
	trace []string
}

// modelClient is one client, whatever connections it has had.
type modelClient struct {
	c     *servertest.Client
	s     *server.Socket // of the connection that it has, or had last
	rooms map[string]bool
	away  bool
	// ending: its end is on its way to the loop.
	ending bool
	// must are the events that it has to get, may those that it may get.
	must, may map[int]bool
	// next is the number behind the last event that it got.
	next int
}

// modelTarget is an operator.
type modelTarget struct {
	from       *modelClient
	to, except []string
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{t: t, rng: rand.New(rand.NewPCG(seed, 3)), moved: map[string]bool{}, log: &roomLog{}}
	m.ts = servertest.New(t, server.Config{Loops: 1 + int(seed%3), Recovery: server.Recovery{MaxDisconnection: 1 << 40}})
	m.ns = m.ts.Of("/")
	m.ns.OnRoom(m.log.note)
	for range modelClients {
		m.connect()
	}
	return m
}

// note records a step, so that a failure can be understood.
func (m *model) note(format string, args ...any) {
	m.trace = append(m.trace, fmt.Sprintf(format, args...))
}

func (m *model) fatalf(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("%s\nafter:\n\t%s", fmt.Sprintf(format, args...), strings.Join(m.trace[max(len(m.trace)-60, 0):], "\n\t"))
}

func (m *model) connect() {
	transports := [][]servertest.Option{nil, {servertest.Upgrade()}, {servertest.Transport(server.Polling)}}
	c := m.ts.Connect("/", nil, transports[m.rng.IntN(len(transports))]...)
	mc := &modelClient{c: c, s: c.Socket(), rooms: map[string]bool{}, must: map[int]bool{}, may: map[int]bool{}, next: len(m.events)}
	m.clients = append(m.clients, mc)
	m.note("%s connects", mc.s.ID())
}

// name returns what a room, or a socket, is called.
func (m *model) name() string {
	if m.rng.IntN(4) == 0 {
		return m.any().s.ID()
	}
	return m.room()
}

func (m *model) room() string      { return fmt.Sprint("room", m.rng.IntN(modelRooms)) }
func (m *model) any() *modelClient { return m.clients[m.rng.IntN(len(m.clients))] }

func (m *model) rooms() (out []string) {
	for range 1 + m.rng.IntN(3) {
		out = append(out, m.room())
	}
	return out
}

// target is any operator, and its model.
func (m *model) target() (server.Operator, modelTarget) {
	var mt modelTarget
	o := m.ns.To()
	if m.rng.IntN(4) == 0 {
		if mt.from = m.any(); mt.from.away {
			mt.from = nil
		} else {
			o = mt.from.s.Broadcast()
		}
	}
	for range m.rng.IntN(3) {
		mt.to = append(mt.to, m.name())
	}
	for range max(m.rng.IntN(4)-1, 0) {
		mt.except = append(mt.except, m.name())
	}
	return o.To(mt.to...).Except(mt.except...), mt
}

// selects reports whether a client is meant.
func (mt modelTarget) selects(c *modelClient) bool {
	in := func(name string) bool { return name == c.s.ID() || c.rooms[name] }
	return c != mt.from && (len(mt.to) == 0 || slices.ContainsFunc(mt.to, in)) && !slices.ContainsFunc(mt.except, in)
}

// emitted notes an event.
func (m *model) emitted(mt modelTarget) {
	for _, c := range m.clients {
		if !c.ending && mt.selects(c) {
			c.must[len(m.events)] = true
		}
	}
	m.events = append(m.events, mt)
}

func (m *model) ok(err error) {
	if m.t.Helper(); err != nil {
		m.fatalf("%v", err)
	}
}

// step does something.
func (m *model) step() {
	c := m.any()
	switch k := m.rng.IntN(100); {
	case k < 15 && !c.away:
		rooms := m.rooms()
		m.note("%s.Join(%q)", c.s.ID(), rooms)
		m.ok(c.s.Join(rooms...))
		m.joined(c, rooms)
	case k < 25 && !c.away:
		rooms := m.rooms()
		m.note("%s.Leave(%q)", c.s.ID(), rooms)
		m.ok(c.s.Leave(rooms...))
		m.left(c, rooms)
	case k < 28 && !c.away:
		m.note("%s.LeaveAll()", c.s.ID())
		m.ok(c.s.LeaveAll())
		if clear(c.rooms); len(c.s.Rooms()) != 1 {
			m.fatalf("rooms %q", c.s.Rooms())
		}
	case k < 45:
		m.move(m.rng.IntN(2) == 0)
	case k < 75:
		o, mt := m.target()
		m.note("emit %d to %q except %q", len(m.events), mt.to, mt.except)
		_, err := o.Emit("e", len(m.events))
		m.ok(err)
		m.emitted(mt)
	case k < 80 && !c.ending:
		m.note("%s.Emit(%d), away: %v", c.s.ID(), len(m.events), c.away)
		m.ok(c.s.Emit("e", len(m.events)))
		m.emitted(modelTarget{to: []string{c.s.ID()}})
	case k < 83 && !c.away:
		m.note("%s.Disconnect()", c.s.ID())
		c.s.Disconnect(m.rng.IntN(2) == 0)
		c.ending = true
	case k < 90:
		m.cutOrReconnect(c)
	default:
		m.settle()
	}
}

// joined and left are what a socket's own calls do to it. They show at once.
func (m *model) joined(c *modelClient, rooms []string) {
	for _, r := range rooms {
		if c.rooms[r] = true; !c.s.InRoom(r) {
			m.fatalf("%s is not in %s", c.s.ID(), r)
		}
	}
}

func (m *model) left(c *modelClient, rooms []string) {
	for _, r := range rooms {
		if delete(c.rooms, r); c.s.InRoom(r) {
			m.fatalf("%s is in %s", c.s.ID(), r)
		}
	}
}

// move is a SocketsJoin or SocketsLeave.
func (m *model) move(join bool) {
	o, mt := m.target()
	rooms := m.rooms()
	m.note("move %q, join %v, to %q except %q", rooms, join, mt.to, mt.except)
	if join {
		m.ok(o.SocketsJoin(rooms...))
	} else {
		m.ok(o.SocketsLeave(rooms...))
	}
	for _, c := range m.clients {
		if c.away || !mt.selects(c) {
			continue
		}
		for _, r := range rooms {
			if m.moved[c.s.ID()+" "+r] = true; join {
				c.rooms[r] = true
			} else {
				delete(c.rooms, r)
			}
		}
	}
}

// cutOrReconnect ends the connection of a client, or brings it back.
func (m *model) cutOrReconnect(c *modelClient) {
	switch {
	case c.away:
		m.note("%s reconnects", c.s.ID())
		id := c.s.ID()
		c.c, c.away = c.c.Reconnect(), false
		if c.s = c.c.Socket(); !c.c.Recovered() || c.s == nil || c.s.ID() != id || !c.s.Recovered() {
			m.fatalf("%s is a new one", id)
		}
	case c.ending || m.rng.IntN(2) == 0:
		m.settle()
		return
	default:
		m.note("%s is cut", c.s.ID())
		c.c.Cut()
		c.away = true
		m.cut(c)
	}
	m.settled()
}

// cut is the end of a connection: what is on its way may be done before it, or not at all. Of the events that come
// behind the last one that the client got, those are sent again that are for the rooms that the socket was in at its
// end.
func (m *model) cut(c *modelClient) {
	was := maps.Clone(c.rooms)
	for i := range modelRooms {
		r := fmt.Sprint("room", i)
		in := c.s.InRoom(r)
		if m.moved[c.s.ID()+" "+r] {
			if delete(c.rooms, r); in {
				c.rooms[r] = true
			}
		} else if in != was[r] {
			m.fatalf("%s in %s: %v, with %q at its end", c.s.ID(), r, in, c.s.Rooms())
		}
	}
	for n := c.next; n < len(m.events); n++ {
		switch before, after := c.must[n], m.events[n].selects(c); {
		case before && !after:
			delete(c.must, n)
			c.may[n] = true
		case after && !before:
			c.may[n] = true
		}
	}
}

// settle lets the loops run, and compares.
func (m *model) settle() {
	m.note("settle")
	m.ts.Settle()
	m.settled()
}

// settled compares what the server has with the model, when nothing is on its way.
func (m *model) settled() {
	m.t.Helper()
	clear(m.moved)
	counts := map[string]int{}
	for _, c := range m.clients {
		m.receive(c)
		if c.ending {
			if c.c.Connected() || m.ns.Socket(c.s.ID()) != nil {
				m.fatalf("%s is still there", c.s.ID())
			}
			continue
		}
		want := append([]string{c.s.ID()}, slices.Sorted(maps.Keys(c.rooms))...)
		if got := c.s.Rooms(); !slices.Equal(got, want) {
			m.fatalf("%s is in %q instead of %q", c.s.ID(), got, want)
		}
		if c.away {
			continue
		}
		for r := range c.rooms {
			counts[r]++
		}
	}
	if got, want := m.ns.RoomNames(), slices.Sorted(maps.Keys(counts)); !slices.Equal(got, want) {
		m.fatalf("rooms %q instead of %q", got, want)
	}
	for r, n := range counts {
		if got := m.ns.RoomCount(r); got != n || len(m.ns.To(r).Sockets()) != n {
			m.fatalf("%d in %s, %d found, instead of %d", got, r, len(m.ns.To(r).Sockets()), n)
		}
	}
	m.clients = slices.DeleteFunc(m.clients, func(c *modelClient) bool { return c.ending })
	for len(m.clients) < modelClients {
		m.connect() // in their place
	}
}

// receive takes what has come.
func (m *model) receive(c *modelClient) {
	for _, e := range c.c.Events() {
		var n int
		m.ok(e.Decode(&n))
		if n < c.next || !c.must[n] && !c.may[n] {
			m.fatalf("%s got %d, which is not for it, behind %d", c.s.ID(), n, c.next-1)
		}
		c.next = n + 1
		delete(c.must, n)
	}
	if len(c.must) > 0 && !c.away {
		m.fatalf("%s did not get %v", c.s.ID(), slices.Sorted(maps.Keys(c.must)))
	}
}

// Random calls for many sockets, with connections that are cut and come back: all calls take effect in the order in
// which they are made, whenever the event loops come to them.
func TestModelOfCalls(t *testing.T) {
	for seed := range 20 * netns.Soak() {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			m := newModel(t, uint64(seed))
			for range modelSteps {
				m.step()
			}
			m.settle()
			for _, c := range slices.Clone(m.clients) {
				if c.away {
					m.cutOrReconnect(c)
				}
			}
			m.settle()
			for _, c := range m.clients {
				c.c.Disconnect()
			}
			m.ts.Settle()
			if len(m.ns.RoomNames())+m.ns.SocketCount() != 0 {
				m.fatalf("%q and %d sockets are left", m.ns.RoomNames(), m.ns.SocketCount())
			}
			m.log.check(t)
		})
	}
}
