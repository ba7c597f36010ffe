package room

import (
	"math"
	"slices"
	"testing"
)

// ids returns the sorted ids of the sockets that a walk visits.
func (f *fixture) ids(t *Target) []int {
	var ids []int
	f.shard.Walk(t, func(m *Member) { ids = append(ids, m.Owner().(*socket).id) })
	slices.Sort(ids)
	return ids
}

// newOrdered is a fixture whose sockets are in the order of their ids.
func newOrdered(n int) *fixture {
	f := newFixture(n)
	slices.SortFunc(f.sockets, func(a, b *socket) int { return a.id - b.id })
	return f
}

// One room, including the sender; no room, which means the namespace; several
// rooms without duplicates; excluded rooms; all but the sender.
func TestTargets(t *testing.T) {
	f := newOrdered(10)
	a, b := f.room("a", 0, 4), f.room("b", 2, 6)
	none, _ := f.dir.Acquire("none", 0) // acquired, nobody linked yet
	for _, s := range f.sockets {
		f.dir.Retain(f.dir.Everyone(), 0)
		f.shard.Join(&s.Member, f.dir.Everyone())
	}
	everyone := f.dir.Everyone()
	member := func(i int) *Member { return &f.sockets[i].Member }
	gone := new(Member)
	gone.Init(0, nil)
	f.shard.Detach(gone, nil)

	tests := []struct {
		name   string
		target Target
		want   []int
	}{
		{"room, sender included", Target{Rooms: []*Room{a}}, []int{0, 1, 2, 3}},
		{"namespace", Target{Rooms: []*Room{everyone}}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{"all but the sender", Target{Rooms: []*Room{a}, ExceptMember: member(1)}, []int{0, 2, 3}},
		{"sender not in it", Target{Rooms: []*Room{a}, ExceptMember: member(9)}, []int{0, 1, 2, 3}},
		{"two rooms", Target{Rooms: []*Room{a, b}}, []int{0, 1, 2, 3, 4, 5}},
		{"the same room twice", Target{Rooms: []*Room{a, a}}, []int{0, 1, 2, 3}},
		{"a room and the namespace", Target{Rooms: []*Room{a, everyone}}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{"except a room", Target{Rooms: []*Room{a}, Except: []*Room{b}}, []int{0, 1}},
		{"except itself", Target{Rooms: []*Room{a}, Except: []*Room{a}}, nil},
		{"except wins over several", Target{Rooms: []*Room{a, b}, Except: []*Room{b}}, []int{0, 1}},
		{"except a much larger room", Target{Rooms: []*Room{a}, Except: []*Room{everyone, everyone}}, nil},
		{"except larger rooms by scan", Target{Members: []*Member{member(0), member(5)}, Except: []*Room{b, a, a, b}}, nil},
		{"by scan, one is left", Target{Members: []*Member{member(3), member(9)}, Except: []*Room{b, a, a, b, nil}}, []int{9}},
		{"except unknown", Target{Rooms: []*Room{a}, Except: []*Room{nil}}, []int{0, 1, 2, 3}},
		{"room and ids", Target{Rooms: []*Room{a}, Members: []*Member{member(1), member(8), member(8)}}, []int{0, 1, 2, 3, 8}},
		{"ids only", Target{Members: []*Member{member(7)}}, []int{7}},
		{"an id that is gone", Target{Members: []*Member{gone}}, nil},
		{"except ids", Target{Rooms: []*Room{a}, ExceptMembers: []*Member{member(0), member(3)}}, []int{1, 2}},
		{"except sender and ids", Target{Rooms: []*Room{a}, ExceptMembers: []*Member{member(0)}, ExceptMember: member(2)}, []int{1, 3}},
		{"unknown room", Target{Rooms: []*Room{nil}}, nil},
		{"unknown and known", Target{Rooms: []*Room{nil, a, nil}}, []int{0, 1, 2, 3}},
		{"room without members", Target{Rooms: []*Room{none}}, nil},
		{"nothing", Target{}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := f.ids(&test.target); !slices.Equal(got, test.want) {
				t.Fatalf("%v got it, want %v", got, test.want)
			}
			// Walk and Select agree, and nothing of the first walk is left.
			sel := f.shard.Select(&test.target)
			if n := len(sel.Members()); n != len(test.want) {
				t.Fatalf("Select has %d, want %d", n, len(test.want))
			}
			sel.End()
			checkLinks(t, f.shard, f.members(), roomsOf(f.dir))
		})
	}
}

func TestOnShard(t *testing.T) {
	d := NewDirectory(3)
	r, _ := d.Acquire("r", 1)
	var m Member
	m.Init(2, nil)
	tests := []struct {
		target Target
		want   [3]bool
	}{
		{Target{}, [3]bool{}},
		{Target{Rooms: []*Room{nil}}, [3]bool{}},
		{Target{Rooms: []*Room{nil, r}}, [3]bool{1: true}},
		{Target{Members: []*Member{&m}}, [3]bool{2: true}},
		{Target{Rooms: []*Room{r}, Members: []*Member{&m}}, [3]bool{1: true, 2: true}},
	}
	for i, test := range tests {
		for shard, want := range test.want {
			if got := test.target.OnShard(shard); got != want {
				t.Errorf("target %d, shard %d: %v", i, shard, got)
			}
		}
	}
}

// A visitor may change the rooms it walks over: nothing is corrupted, nobody
// gets the message twice, and the selection is the one at the start.
func TestVisitorChangesRooms(t *testing.T) {
	const n = 100
	release := func(f *fixture) func(*Room) { return func(r *Room) { f.dir.Release(r, 0) } }
	tests := []struct {
		name string
		// visit changes something when socket s is visited.
		visit func(f *fixture, s *socket)
		// want is how many of the first n are visited, -1 for any number.
		want int
	}{
		{"each leaves", func(f *fixture, s *socket) {
			for _, name := range []string{"a", "b"} {
				if r := f.dir.Lookup(name); isIn(&s.Member, r) {
					f.shard.Leave(&s.Member, r)
					f.dir.Release(r, 0)
				}
			}
		}, n},
		{"each is detached", func(f *fixture, s *socket) { f.shard.Detach(&s.Member, release(f)) }, n},
		{"each leaves and joins again", func(f *fixture, s *socket) {
			f.shard.LeaveAll(&s.Member, release(f))
			f.room("a", s.id, s.id+1)
			f.room("b", s.id, s.id+1)
		}, n},
		{"all others leave", func(f *fixture, s *socket) {
			for _, o := range f.sockets {
				if o != s {
					f.shard.LeaveAll(&o.Member, release(f))
				}
			}
		}, n},
		{"all others are detached", func(f *fixture, s *socket) {
			for _, o := range f.sockets {
				if o != s {
					f.shard.Detach(&o.Member, release(f))
				}
			}
		}, 1},
		{"the neighbours are detached", func(f *fixture, s *socket) {
			for _, i := range []int{s.id - 1, s.id + 1} {
				if i >= 0 && i < n {
					f.shard.Detach(&f.sockets[i].Member, release(f))
				}
			}
		}, -1},
		{"outsiders join", func(f *fixture, s *socket) {
			f.room("a", n+s.id, n+s.id+1)
			f.room("b", n, 2*n)
		}, n},
		{"the visitor broadcasts", func(f *fixture, s *socket) {
			a, b := f.dir.Lookup("a"), f.dir.Lookup("b")
			for _, t := range []*Target{{Rooms: []*Room{a}}, {Rooms: []*Room{a, b}}, {Rooms: []*Room{a}, Except: []*Room{b}}} {
				f.shard.Walk(t, func(*Member) {})
			}
		}, n},
	}
	for _, test := range tests {
		for _, rooms := range [][]string{{"a"}, {"a", "b"}} {
			t.Run(test.name, func(t *testing.T) {
				f := newOrdered(2 * n)
				f.room("a", 0, n)
				f.room("b", 0, n)
				target := new(Target)
				for _, name := range rooms {
					target.Rooms = append(target.Rooms, f.dir.Lookup(name))
				}
				seen := make(map[int]bool)
				visited := f.shard.Walk(target, func(m *Member) {
					s := m.Owner().(*socket)
					switch {
					case seen[s.id]:
						t.Fatalf("socket %d got it twice", s.id)
					case s.id >= n:
						t.Fatalf("socket %d joined during the walk and got it", s.id)
					case m.Detached():
						t.Fatalf("socket %d got it after it was detached", s.id)
					}
					seen[s.id] = true
					test.visit(f, s)
				})
				if visited != len(seen) || test.want >= 0 && visited != test.want {
					t.Fatalf("visited %d, %d different, want %d", visited, len(seen), test.want)
				}
				checkLinks(t, f.shard, f.members(), roomsOf(f.dir))
			})
		}
	}
}

// A selection may be appended to and overwritten while it is open, and others
// may be made meanwhile that end before it.
func TestSelectionIsTheVisitors(t *testing.T) {
	f := newOrdered(20)
	a, b := f.room("a", 0, 10), f.room("b", 10, 20)
	outer := f.shard.Select(&Target{Rooms: []*Room{a}})
	grown := append(outer.Members(), outer.Members()[0])
	inner := f.shard.Select(&Target{Rooms: []*Room{b}})
	for _, m := range inner.Members() {
		if !m.In(b) {
			t.Error("the inner selection was overwritten")
		}
	}
	clear(inner.Members())
	inner.End()
	for _, m := range grown {
		if !m.In(a) {
			t.Error("the outer selection was overwritten")
		}
	}
	outer.End()
	checkLinks(t, f.shard, f.members(), roomsOf(f.dir))
}

// A panic in a visitor, which the loop recovers, leaves nothing behind.
func TestVisitorPanics(t *testing.T) {
	f := newOrdered(10)
	a := f.room("a", 0, 10)
	target := &Target{Rooms: []*Room{a, a}}
	func() {
		defer func() {
			if recover() != name0 {
				t.Error("Walk hides the panic")
			}
		}()
		f.shard.Walk(target, func(*Member) { panic(name0) })
	}()
	checkLinks(t, f.shard, f.members(), roomsOf(f.dir))
	if got := f.ids(target); len(got) != 10 {
		t.Errorf("after a panic, %d got it", len(got))
	}
}

const name0 = "from the visitor"

// The epoch passes 32 bits like any other number, where a 32-bit mark would
// meet the marks of the walks 2^32 before.
func TestEpochPasses32Bits(t *testing.T) {
	f := newOrdered(10)
	a, b := f.room("a", 0, 6), f.room("b", 4, 10)
	target := &Target{Rooms: []*Room{a, b}}
	f.ids(target)
	f.ids(target) // the marks are 2
	f.shard.epoch = math.MaxUint32 - 2
	for range 6 {
		if got := f.ids(target); len(got) != 10 {
			t.Fatalf("epoch %d: %v", f.shard.epoch, got)
		}
	}
	if f.shard.epoch <= math.MaxUint32 {
		t.Fatal("the epoch did not pass 32 bits")
	}
}

func TestWalkAllocatesNothing(t *testing.T) {
	f := newFixture(benchMembers)
	p := new(packet)
	for name, target := range benchTargets(f) {
		f.broadcast(target, p) // grows the scratch memory
		if n := testing.AllocsPerRun(20, func() { f.broadcast(target, p) }); n != 0 {
			t.Errorf("Walk %s: %v allocations", name, n)
		}
		n := testing.AllocsPerRun(20, func() {
			sel := f.shard.Select(target)
			for _, m := range sel.Members() {
				m.Owner().(*socket).deliver(p)
			}
			sel.End()
		})
		if n != 0 {
			t.Errorf("Select %s: %v allocations", name, n)
		}
	}
}

// The scratch memory of a large broadcast goes when only small ones follow.
func TestScratchGivesMemoryBack(t *testing.T) {
	f := newOrdered(2 * scratchKeep)
	large, small := f.room("large", 0, 2*scratchKeep), f.room("small", 0, 3)
	f.ids(&Target{Rooms: []*Room{large}})
	for range scratchIdle - 1 {
		f.ids(&Target{Rooms: []*Room{small}})
	}
	if cap(f.shard.scratch.members) < 2*scratchKeep {
		t.Fatal("given back too early")
	}
	f.ids(&Target{Rooms: []*Room{large}})
	for range scratchIdle {
		f.ids(&Target{Rooms: []*Room{small}})
	}
	if cap(f.shard.scratch.members) > scratchKeep {
		t.Fatal("not given back")
	}
}
