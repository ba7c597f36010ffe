package room

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// socket stands for the server's socket: it embeds a Member and receives
// packets by the pointer.
type socket struct {
	Member
	id   int
	last *packet
	got  int
}

type packet struct{ n int }

func (s *socket) deliver(p *packet) {
	s.last = p
	s.got++
}

// fixture is one shard with its sockets in a random order of memory.
type fixture struct {
	dir     *Directory
	shard   *Shard
	sockets []*socket
}

func newFixture(n int) *fixture {
	f := &fixture{dir: NewDirectory(1), shard: NewShard(0)}
	for i := range n {
		s := &socket{id: i}
		s.Init(0, s)
		f.sockets = append(f.sockets, s)
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(n, func(i, j int) {
		f.sockets[i], f.sockets[j] = f.sockets[j], f.sockets[i]
	})
	return f
}

// room joins the sockets i with from <= i < to.
func (f *fixture) room(name string, from, to int) *Room {
	var r *Room
	for _, s := range f.sockets[from:to] {
		r, _ = f.dir.Acquire(name, 0)
		f.shard.Join(&s.Member, r)
	}
	return r
}

func (f *fixture) broadcast(t *Target, p *packet) int {
	return f.shard.Walk(t, func(m *Member) { m.Owner().(*socket).deliver(p) })
}

const benchMembers = 10_000

// targets are the broadcasts that are measured and asserted not to allocate.
func benchTargets(f *fixture) map[string]*Target {
	n := benchMembers
	one := f.room("one", 0, n)
	a, b, c := f.room("a", 0, n/2), f.room("b", n/4, 3*n/4), f.room("c", n/2, n)
	few := f.room("few", 0, 100)
	tiny := f.room("tiny", 7, 8)
	sender := &f.sockets[5].Member
	return map[string]*Target{
		"1room":              {Rooms: []*Room{one}},
		"1roomExceptSender":  {Rooms: []*Room{one}, ExceptMember: sender},
		"1roomExceptRoom":    {Rooms: []*Room{one}, Except: []*Room{few}},
		"3roomsOverlap":      {Rooms: []*Room{a, b, c}},
		"3roomsExceptRoom":   {Rooms: []*Room{a, b, c}, Except: []*Room{few}, ExceptMember: sender},
		"1memberExceptLarge": {Rooms: []*Room{tiny}, Except: []*Room{one}},
		"roomAndId":          {Rooms: []*Room{few}, Members: []*Member{sender}},
	}
}

func BenchmarkWalk(b *testing.B) {
	f := newFixture(benchMembers)
	p := new(packet)
	for name, t := range benchTargets(f) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			visited := 0
			for b.Loop() {
				visited += f.broadcast(t, p)
			}
			reportPerMember(b, visited)
		})
	}
}

func BenchmarkSelect(b *testing.B) {
	f := newFixture(benchMembers)
	p := new(packet)
	for name, t := range benchTargets(f) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			visited := 0
			for b.Loop() {
				sel := f.shard.Select(t)
				for _, m := range sel.Members() {
					m.Owner().(*socket).deliver(p)
				}
				visited += len(sel.Members())
				sel.End()
			}
			reportPerMember(b, visited)
		})
	}
}

func reportPerMember(b *testing.B, visited int) {
	if visited > 0 {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(visited), "ns/member")
	}
}

func BenchmarkJoinLeave(b *testing.B) {
	for _, rooms := range []int{0, 10, 100} {
		b.Run(fmt.Sprintf("in%drooms", rooms), func(b *testing.B) {
			f := newFixture(1000)
			for i := range rooms {
				f.room(fmt.Sprint(i), 0, 1)
			}
			f.room("r", 1, 1000)
			m := &f.sockets[0].Member
			b.ReportAllocs()
			for b.Loop() {
				r, _ := f.dir.Acquire("r", 0)
				f.shard.Join(m, r)
				f.shard.Leave(m, r)
				f.dir.Release(r, 0)
			}
		})
	}
}

// BenchmarkJoinLeaveNewRoom makes and ends the room each time.
func BenchmarkJoinLeaveNewRoom(b *testing.B) {
	f := newFixture(1)
	m := &f.sockets[0].Member
	b.ReportAllocs()
	for b.Loop() {
		r, _ := f.dir.Acquire("r", 0)
		f.shard.Join(m, r)
		f.shard.Leave(m, r)
		f.dir.Release(r, 0)
	}
}

// BenchmarkLeaveAll is a disconnect out of 1,000 rooms with 10 members each, and
// the joins back into them, which are not part of the time.
func BenchmarkLeaveAll(b *testing.B) {
	f := newFixture(11)
	rooms := make([]*Room, 1000)
	for i := range rooms {
		rooms[i] = f.room(fmt.Sprint(i), 1, 11)
	}
	m := &f.sockets[0].Member
	release := func(r *Room) { f.dir.Release(r, 0) }
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		for _, r := range rooms {
			f.dir.Retain(r, 0)
			f.shard.Join(m, r)
		}
		b.StartTimer()
		f.shard.LeaveAll(m, release)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(rooms)), "ns/room")
}

func BenchmarkLookup(b *testing.B) {
	f := newFixture(1)
	f.room("lobby", 0, 1)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if f.dir.Lookup("lobby") == nil {
				b.Error("lobby is gone")
			}
		}
	})
}

func BenchmarkAcquireRelease(b *testing.B) {
	f := newFixture(1)
	f.room("lobby", 0, 1)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, _ := f.dir.Acquire("lobby", 0)
			f.dir.Release(r, 0)
		}
	})
}
