package room

import (
	"fmt"
	"slices"
	"testing"
	"unsafe"
)

func TestMemberSize(t *testing.T) {
	if size := unsafe.Sizeof(Member{}); size > 64 {
		t.Fatalf("a Member has %d bytes, more than a cache line", size)
	}
	if size := unsafe.Sizeof(stripe{}); size%64 != 0 {
		t.Fatalf("a stripe has %d bytes", size)
	}
}

// Repeated joins and leaves do nothing.
func TestJoinAndLeaveTwice(t *testing.T) {
	f := newFixture(2)
	m := &f.sockets[0].Member
	r, _ := f.dir.Acquire("r", 0)
	if !f.shard.Join(m, r) || f.shard.Join(m, r) {
		t.Fatal("joined twice")
	}
	if !m.In(r) || m.Len() != 1 || !slices.Equal(slices.Collect(m.Rooms()), []*Room{r}) {
		t.Fatal("the member is not in its room")
	}
	if f.shard.Leave(&f.sockets[1].Member, r) {
		t.Fatal("left a room it was not in")
	}
	if !f.shard.Leave(m, r) || f.shard.Leave(m, r) {
		t.Fatal("left twice")
	}
	if m.In(r) || m.Len() != 0 {
		t.Fatal("the member is still in the room")
	}
	if f.shard.Walk(&Target{Rooms: []*Room{r}}, func(*Member) {}) != 0 {
		t.Fatal("the room has members")
	}
}

// LeaveAll leaves the rooms but not the namespace. A disconnect leaves both,
// without a call by the application.
func TestLeaveAllAndDetach(t *testing.T) {
	for _, n := range []int{0, 1, 5, indexAbove, indexAbove + 1, 200} {
		for everyoneAt := range []int{0, n / 2, n} {
			t.Run(fmt.Sprintf("%d rooms, Everyone at %d", n, everyoneAt), func(t *testing.T) {
				f := newFixture(3)
				m := &f.sockets[0].Member
				everyone := f.dir.Everyone()
				joinEveryone := func() {
					f.dir.Retain(everyone, 0)
					f.shard.Join(m, everyone)
				}
				for i := range n {
					if i == everyoneAt {
						joinEveryone()
					}
					f.room(fmt.Sprint(i), 0, 1+i%3)
				}
				joinEveryone() // a no-op if it came before, but for the reference
				others := f.dir.Len() - (n+2)/3

				released := 0
				release := func(r *Room) { released++; f.dir.Release(r, 0) }
				f.shard.LeaveAll(m, release)
				if released != n || m.Len() != 1 || !m.In(everyone) || f.dir.Len() != others {
					t.Fatalf("released %d of %d rooms, %d left", released, n, m.Len())
				}
				f.shard.LeaveAll(m, release)
				f.shard.Detach(m, release)
				f.shard.Detach(m, release)
				if released != n+1 || m.Len() != 0 || m.In(everyone) || !m.Detached() {
					t.Fatal("Detach did not leave Everyone once")
				}
				r, _ := f.dir.Acquire("late", 0)
				if f.shard.Join(m, r) {
					t.Fatal("a detached member joined")
				}
				if !f.dir.Release(r, 0) {
					t.Fatal("the late join left its room behind")
				}
				checkLinks(t, f.shard, f.members(), roomsOf(f.dir))
			})
		}
	}
}

func (f *fixture) members() []*Member {
	var ms []*Member
	for _, s := range f.sockets {
		ms = append(ms, &s.Member)
	}
	return ms
}

// The callback of LeaveAll may change the member's rooms.
func TestLeaveAllReentered(t *testing.T) {
	f := newFixture(2)
	m := &f.sockets[0].Member
	var rooms []*Room
	for i := range 20 {
		rooms = append(rooms, f.room(fmt.Sprint(i), 0, 2))
	}
	f.dir.Retain(f.dir.Everyone(), 0)
	f.shard.Join(m, f.dir.Everyone())
	left := 0
	f.shard.LeaveAll(m, func(r *Room) {
		f.dir.Release(r, 0)
		left++
		if left == 3 {
			for _, r := range rooms[:10] {
				if f.shard.Leave(m, r) {
					f.dir.Release(r, 0)
					left++
				}
			}
		}
		if left == 15 {
			f.room("new", 0, 1)
		}
	})
	checkLinks(t, f.shard, f.members(), roomsOf(f.dir))
	for _, r := range rooms {
		if m.In(r) {
			t.Fatalf("still in %q", r.Name())
		}
	}
	if !m.In(f.dir.Everyone()) {
		t.Fatal("left Everyone")
	}
}

// A member of another shard is not touched by this one.
func TestForeignMember(t *testing.T) {
	d := NewDirectory(2)
	home, other := NewShard(0), NewShard(1)
	if other.Index() != 1 {
		t.Fatal("wrong index")
	}
	var m Member
	m.Init(0, nil)
	r, _ := d.Acquire("r", 0)
	if other.Join(&m, r) || !home.Join(&m, r) {
		t.Fatal("a member joined on another shard")
	}
	fail := func(*Room) { t.Fatal("released on another shard") }
	other.LeaveAll(&m, fail)
	other.Detach(&m, fail)
	if other.Leave(&m, r) || !m.In(r) || m.Detached() {
		t.Fatal("a member left on another shard")
	}
	target := &Target{Members: []*Member{&m}, ExceptMembers: []*Member{&m}, ExceptMember: &m}
	if other.Walk(target, func(*Member) { t.Fatal("visited on another shard") }) != 0 || m.mark != 0 {
		t.Fatal("another shard marked the member")
	}
	// A room of a directory with fewer shards.
	small, _ := NewDirectory(1).Acquire("r", 0)
	var far Member
	far.Init(1, nil)
	if other.Join(&far, small) || other.Walk(&Target{Rooms: []*Room{small}}, func(*Member) {}) != 0 {
		t.Fatal("joined a room that has no such shard")
	}
}

// Lists give their memory back, and do not allocate at the border.
func TestShrink(t *testing.T) {
	f := newFixture(1000)
	r := f.room("r", 0, 1000)
	p := r.partOn(0)
	for i := 999; i > 0; i-- {
		f.shard.Leave(&f.sockets[i].Member, r)
		if n := len(p.entries); cap(p.entries) > max(shrinkAbove, 5*n) {
			t.Fatalf("%d members keep room for %d", n, cap(p.entries))
		}
	}
	m := &f.sockets[0].Member
	for i := range 100 {
		f.room(fmt.Sprint(i), 0, 1)
	}
	if m.index == nil {
		t.Fatal("no index above the border")
	}
	for i := range 100 {
		f.shard.Leave(m, f.dir.Lookup(fmt.Sprint(i)))
	}
	if m.index != nil || cap(m.memberships) > shrinkAbove {
		t.Fatalf("one room keeps room for %d", cap(m.memberships))
	}
	if got := shrink(make([]int, 0, 100)); got != nil {
		t.Fatal("an empty list keeps memory")
	}
}

func TestJoinLeaveAllocatesNothing(t *testing.T) {
	for _, rooms := range []int{1, indexAbove - 1, indexAbove, indexAbove + 1, 100} {
		f := newFixture(10)
		for i := range rooms {
			f.room(fmt.Sprint(i), 0, 10)
		}
		r := f.room("r", 1, 10)
		m := &f.sockets[0].Member
		cycle := func() {
			f.dir.Acquire("r", 0)
			f.shard.Join(m, r)
			f.shard.Leave(m, r)
			f.dir.Release(r, 0)
		}
		cycle()
		if n := testing.AllocsPerRun(100, cycle); n != 0 {
			t.Errorf("in %d rooms: %v allocations", rooms, n)
		}
	}
}
