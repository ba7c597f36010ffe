package room

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

const (
	modelShards  = 3
	modelSockets = 40
	modelRooms   = 30 // above indexAbove, so that members cross the border
	modelOps     = 20_000
)

// model is the directory beside a plain map that says who is in which room.
type model struct {
	t       *testing.T
	rng     *rand.Rand
	dir     *Directory
	shards  []*Shard
	sockets []*socket
	want    map[string]map[int]bool

	made, ended int
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{
		t:    t,
		rng:  rand.New(rand.NewPCG(seed, 7)),
		dir:  NewDirectory(modelShards),
		want: make(map[string]map[int]bool),
	}
	for i := range modelShards {
		m.shards = append(m.shards, NewShard(i))
	}
	m.sockets = make([]*socket, modelSockets)
	for i := range m.sockets {
		m.connect(i)
	}
	return m
}

func (m *model) connect(i int) {
	s := &socket{id: i}
	s.Init(i%modelShards, s)
	m.sockets[i] = s
	everyone := m.dir.Everyone()
	if !m.dir.Retain(everyone, s.Shard()) || !m.shardOf(s).Join(&s.Member, everyone) {
		m.t.Fatal("a new socket could not join Everyone")
	}
}

func (m *model) shardOf(s *socket) *Shard    { return m.shards[s.Shard()] }
func (m *model) anySocket() *socket          { return m.sockets[m.rng.IntN(modelSockets)] }
func (m *model) anyName() string             { return fmt.Sprintf("room %d", m.rng.IntN(modelRooms)) }
func (m *model) in(s *socket, n string) bool { return m.want[n][s.id] }

func (m *model) join(s *socket, name string) {
	r, made := m.dir.Acquire(name, s.Shard())
	if made != (len(m.want[name]) == 0) {
		m.t.Fatalf("Acquire reports %v for a room with %d members", made, len(m.want[name]))
	}
	if made {
		m.made++
	}
	joined := m.shardOf(s).Join(&s.Member, r)
	if joined == m.in(s, name) {
		m.t.Fatalf("Join reports %v", joined)
	}
	if !joined {
		m.release(r, s.Shard())
		return
	}
	if m.want[name] == nil {
		m.want[name] = make(map[int]bool)
	}
	m.want[name][s.id] = true
}

func (m *model) leave(s *socket, name string) {
	r := m.dir.Lookup(name)
	if (r == nil) != (len(m.want[name]) == 0) {
		m.t.Fatalf("Lookup finds %v for a room with %d members", r, len(m.want[name]))
	}
	if r == nil {
		return
	}
	left := m.shardOf(s).Leave(&s.Member, r)
	if left != m.in(s, name) {
		m.t.Fatalf("Leave reports %v", left)
	}
	if left {
		m.forget(s, name)
		m.release(r, s.Shard())
	}
}

func (m *model) leaveAll(s *socket, detach bool) {
	released := func(r *Room) {
		if r != m.dir.Everyone() {
			if !m.in(s, r.Name()) {
				m.t.Fatalf("released from %q, where it was not", r.Name())
			}
			m.forget(s, r.Name())
		}
		m.release(r, s.Shard())
	}
	if detach {
		m.shardOf(s).Detach(&s.Member, released)
	} else {
		m.shardOf(s).LeaveAll(&s.Member, released)
	}
	for name := range m.want {
		if m.in(s, name) {
			m.t.Fatalf("still in %q", name)
		}
	}
}

func (m *model) forget(s *socket, name string) {
	delete(m.want[name], s.id)
	if len(m.want[name]) == 0 {
		delete(m.want, name)
	}
}

func (m *model) release(r *Room, shard int) {
	if m.dir.Release(r, shard) {
		m.ended++
		if len(m.want[r.Name()]) != 0 {
			m.t.Fatalf("%q was removed with members", r.Name())
		}
	}
}

// broadcast sends to a random target and compares who got it with the model.
func (m *model) broadcast() {
	var names, except []string
	t := new(Target)
	want := make(map[int]bool)
	for range m.rng.IntN(4) {
		n := m.anyName()
		names = append(names, n)
		t.Rooms = append(t.Rooms, m.dir.Lookup(n)) // may be nil
		for id := range m.want[n] {
			want[id] = true
		}
	}
	if m.rng.IntN(4) == 0 {
		t.Rooms = append(t.Rooms, m.dir.Everyone())
		for id := range m.sockets {
			want[id] = true
		}
	}
	for range m.rng.IntN(3) {
		s := m.anySocket()
		t.Members = append(t.Members, &s.Member)
		want[s.id] = true
	}
	for range m.rng.IntN(3) {
		n := m.anyName()
		except = append(except, n)
		t.Except = append(t.Except, m.dir.Lookup(n))
		for id := range m.want[n] {
			delete(want, id)
		}
	}
	for range m.rng.IntN(3) {
		s := m.anySocket()
		t.ExceptMembers = append(t.ExceptMembers, &s.Member)
		delete(want, s.id)
	}
	if m.rng.IntN(2) == 0 {
		s := m.anySocket()
		t.ExceptMember = &s.Member
		delete(want, s.id)
	}
	m.compare(t, want, fmt.Sprintf("to %v except %v", names, except))
}

func (m *model) compare(t *Target, want map[int]bool, what string) {
	got := make(map[int]bool)
	for i, shard := range m.shards {
		if !t.OnShard(i) {
			if n := shard.Walk(t, func(*Member) {}); n != 0 {
				m.t.Fatalf("%s: shard %d is not in the target but has %d members", what, i, n)
			}
			continue
		}
		visited := 0
		n := shard.Walk(t, func(mem *Member) {
			id := mem.Owner().(*socket).id
			if got[id] {
				m.t.Fatalf("%s: socket %d got it twice", what, id)
			}
			got[id] = true
			visited++
		})
		if n != visited {
			m.t.Fatalf("%s: Walk returns %d after %d visits", what, n, visited)
		}
	}
	if len(got) != len(want) {
		m.t.Fatalf("%s: %d sockets got it, not %d", what, len(got), len(want))
	}
	for id := range want {
		if !got[id] {
			m.t.Fatalf("%s: socket %d did not get it", what, id)
		}
	}
}

func (m *model) check() {
	if m.dir.Len() != len(m.want) {
		m.t.Fatalf("%d rooms, not %d", m.dir.Len(), len(m.want))
	}
	rooms := roomsOf(m.dir)
	for _, r := range rooms {
		if r == m.dir.Everyone() {
			continue
		}
		onShards, shards := 0, []int(nil)
		for i := range m.shards {
			onShards += r.CountOn(i)
			if r.CountOn(i) > 0 {
				shards = append(shards, i)
			}
		}
		if n := len(m.want[r.Name()]); r.Count() != n || onShards != n {
			m.t.Fatalf("%q counts %d and %d, not %d", r.Name(), r.Count(), onShards, n)
		}
		if got := slices.Collect(r.Shards()); !slices.Equal(got, shards) {
			m.t.Fatalf("%q is on shards %v, not %v", r.Name(), got, shards)
		}
	}
	for i, shard := range m.shards {
		var members []*Member
		for _, s := range m.sockets {
			if s.Shard() == i {
				members = append(members, &s.Member)
			}
		}
		checkLinks(m.t, shard, members, rooms)
	}
}

// TestModel compares thousands of random operations with plain maps.
func TestModel(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			m := newModel(t, seed)
			for op := range modelOps {
				switch k := m.rng.IntN(1000); {
				case k < 520:
					m.join(m.anySocket(), m.anyName())
				case k < 880:
					m.leave(m.anySocket(), m.anyName())
				case k < 890:
					m.leaveAll(m.anySocket(), false)
				case k < 900:
					s := m.anySocket()
					m.leaveAll(s, true)
					m.connect(s.id)
				default:
					m.broadcast()
				}
				if op%200 == 0 {
					m.check()
				}
			}
			for _, s := range m.sockets {
				m.leaveAll(s, true)
			}
			m.check()
			if m.dir.Len() != 0 || m.dir.Everyone().Count() != 0 || m.made != m.ended {
				t.Fatalf("%d rooms and %d sockets are left; %d rooms made, %d ended",
					m.dir.Len(), m.dir.Everyone().Count(), m.made, m.ended)
			}
		})
	}
}
