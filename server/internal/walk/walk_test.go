package walk

import (
	"testing"
	"time"

	"github.com/seed58c87869/siren/poller/pollertest"
	"github.com/seed58c87869/siren/room"
)

// visits notes who was visited, and panics at some members.
type visits struct {
	panics func(m *room.Member) bool
	work   int
	seen   map[*room.Member]int
	rests  []int
	over   int
}

func (v *visits) Work() int { return v.work }
func (v *visits) Visit(_ int, members []*room.Member, rest int) {
	v.rests = append(v.rests, rest)
	Each(members, func(m *room.Member) {
		if v.seen[m]++; v.panics(m) {
			panic("member")
		}
	})
}
func (v *visits) Visited(int) { v.over++ }

// crowd returns a loop's shard with n members of a room.
func crowd(t *testing.T, n int) (*pollertest.Loop, *room.Shard, *room.Target) {
	t.Helper()
	d, shard := room.NewDirectory(1), room.NewShard(0)
	r, _ := d.Acquire("room", 0)
	for range n {
		m := new(room.Member)
		m.Init(0, m)
		d.Retain(r, 0)
		if !shard.Join(m, r) {
			t.Fatal("not joined")
		}
	}
	l := pollertest.NewLoop(0)
	l.SetTurnTime(time.Nanosecond)
	return l, shard, &room.Target{Rooms: []*room.Room{r}}
}

// TestMembersTakeTurns shows that a walk takes several turns, that it visits each member once, and that tasks that were
// posted meanwhile run after it.
func TestMembersTakeTurns(t *testing.T) {
	l, shard, target := crowd(t, 1000)
	v := &visits{work: blockWork / 100, seen: map[*room.Member]int{}, panics: func(*room.Member) bool { return false }}
	posted := -1
	l.PostFunc(func() {
		l.PostFunc(func() { posted = len(v.seen) })
		Members(l, 0, shard, target, v)
	})
	turns := 0
	for ; v.over == 0; turns++ {
		l.RunTurn()
	}
	l.RunUntilIdle()
	if len(v.seen) != 1000 || v.over != 1 || turns < 3 || posted != 1000 {
		t.Errorf("%d members in %d turns, ended %d times; what was posted ran after %d", len(v.seen), turns, v.over, posted)
	}
	for i, rest := range v.rests {
		if want := 1000 - 100*(i+1); rest != want {
			t.Errorf("block %d: %d members left, want %d", i, rest, want)
		}
	}
}

// TestNobody shows that a walk over nobody ends too.
func TestNobody(t *testing.T) {
	l, shard, target := crowd(t, 0)
	v := &visits{work: 1}
	l.Do(func() { Members(l, 0, shard, target, v) })
	if v.over != 1 || v.rests != nil {
		t.Error(v.over, v.rests)
	}
}

// stepped is a loop whose next task the test runs, because a panic may come out of it.
type stepped struct {
	*pollertest.Loop
	next interface{ Run(loop int) }
}

func (l *stepped) Continue(t interface{ Run(loop int) }) { l.next = t }

// TestPanics shows that a panic at one member does not keep a walk from the others, nor from its end.
func TestPanics(t *testing.T) {
	const members = 1000
	l, shard, target := crowd(t, members)
	n := 0
	v := &visits{
		work: blockWork / 100, seen: map[*room.Member]int{},
		panics: func(*room.Member) bool { n++; return n%7 == 0 || n == members },
	}
	steps := 0
	recovering := func(fn func()) {
		steps++
		defer func() { _ = recover() }()
		fn()
	}
	s := &stepped{Loop: l}
	recovering(func() { Members(s, 0, shard, target, v) })
	for s.next != nil {
		next := s.next
		s.next = nil
		recovering(func() { l.Do(func() { next.Run(0) }) })
	}
	for m, n := range v.seen {
		if n != 1 {
			t.Fatalf("member %p was visited %d times", m, n)
		}
	}
	if len(v.seen) != members || v.over != 1 || steps < 3 {
		t.Errorf("%d members in %d steps, ended %d times", len(v.seen), steps, v.over)
	}
}
