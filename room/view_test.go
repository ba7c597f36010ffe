package room

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

// viewRig is a socket with its mailbox, beside a plain model of it.
type viewRig struct {
	t     *testing.T
	dir   *Directory
	shard *Shard
	m     Member
	view  View
	// posted are the operations that the loop has not come to, in order.
	posted []posted
	// truth is what the loop has, by the names of the rooms.
	truth map[string]bool
}

// posted is an operation on its way: of the socket's own, with a number, or a move, without one.
type posted struct {
	room   *Room // nil for all
	join   bool
	number uint64
}

func newViewRig(t *testing.T) *viewRig {
	r := &viewRig{t: t, dir: NewDirectory(1), shard: NewShard(0), truth: map[string]bool{}}
	r.m.Init(0, r)
	r.dir.Retain(r.dir.Everyone(), 0)
	r.shard.Join(&r.m, r.dir.Everyone())
	return r
}

func (r *viewRig) room(name string) *Room {
	room, _ := r.dir.Acquire(name, 0) // kept: rooms do not end here
	return room
}

// post posts an operation of the socket's own.
func (r *viewRig) post(room *Room, join bool) {
	r.posted = append(r.posted, posted{room, join, r.view.Next()})
	switch {
	case room == nil:
		r.view.LeaveAll()
	case join:
		r.view.Join(room, r.view.Has(&r.m, room))
	default:
		r.view.Leave(room, r.view.Has(&r.m, room))
	}
}

// move posts a move.
func (r *viewRig) move(room *Room, join bool) { r.posted = append(r.posted, posted{room, join, 0}) }

// step lets the loop come to the next operation.
func (r *viewRig) step() {
	if len(r.posted) == 0 {
		return
	}
	p := r.posted[0]
	r.posted = r.posted[1:]
	changed := false
	switch {
	case p.room == nil:
		r.shard.LeaveAll(&r.m, func(*Room) {})
	case p.join:
		changed = r.shard.Join(&r.m, p.room)
	default:
		changed = r.shard.Leave(&r.m, p.room)
	}
	apply(r.truth, p)
	switch {
	case p.number > 0:
		r.view.Done(p.room, p.number)
	case changed:
		r.view.Moved(p.room, p.join)
	}
}

func apply(rooms map[string]bool, p posted) {
	switch {
	case p.room == nil:
		clear(rooms)
	case p.join:
		rooms[p.room.Name()] = true
	default:
		delete(rooms, p.room.Name())
	}
}

// check compares the view with what the loop has, changed by the socket's own operations in their order.
func (r *viewRig) check(rooms []*Room) {
	r.t.Helper()
	want, own := maps.Clone(r.truth), 0
	for _, p := range r.posted {
		if p.number > 0 {
			apply(want, p)
			own++
		}
	}
	for _, room := range rooms {
		if r.view.Has(&r.m, room) != want[room.Name()] {
			r.t.Fatalf("Has(%s) is %v", room.Name(), !want[room.Name()])
		}
		if found, in := r.view.Find(&r.m, r.dir, room.Name()); in != want[room.Name()] || in && found != room {
			r.t.Fatalf("Find(%s) is %v", room.Name(), in)
		}
	}
	names := slices.Sorted(maps.Keys(want))
	if got := r.view.Names(&r.m); !slices.Equal(got, names) || r.view.Len() != len(names) {
		r.t.Fatalf("%q, %d of them, instead of %q", got, r.view.Len(), names)
	}
	if own == 0 && !r.view.Settled() {
		r.t.Fatal("it waits for operations that are done")
	}
}

// TestViewModel compares random operations, moves and turns of the loop with a plain list of what is on its way.
func TestViewModel(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 5))
			r := newViewRig(t)
			rooms := make([]*Room, 1+rng.IntN(3*indexAbove))
			for i := range rooms {
				rooms[i] = r.room(fmt.Sprint(i))
			}
			for op := range 10_000 {
				room := rooms[rng.IntN(len(rooms))]
				// Waves, so that the mailbox is full and empty in turns.
				steps := 1 + 5*(op/500%2)
				switch k := rng.IntN(10 + steps); {
				case k < 4:
					r.post(room, rng.IntN(3) > 0)
				case k == 4 && rng.IntN(10) == 0:
					r.post(nil, false)
				case k < 8:
					r.move(room, rng.IntN(3) > 0)
				default:
					for range steps {
						r.step()
					}
				}
				if op%7 == 0 {
					r.check(rooms)
				}
			}
			r.check(rooms)
			// The end of the socket changes nothing in its view, and what comes behind it neither.
			want := r.view.Names(&r.m)
			r.shard.Detach(&r.m, func(*Room) {})
			for _, p := range r.posted {
				if p.room == nil {
					r.shard.LeaveAll(&r.m, func(*Room) { t.Fatal("left after the end") })
				} else if r.shard.Join(&r.m, p.room) || r.shard.Leave(&r.m, p.room) {
					t.Fatal("changed after the end")
				}
			}
			if got := r.view.Names(&r.m); !slices.Equal(got, want) || r.m.Len() != 0 || r.m.In(rooms[0]) {
				t.Fatalf("%q became %q", want, got)
			}
		})
	}
}

// A view takes no memory when nothing is on its way, and what was used is used again.
func TestViewMemory(t *testing.T) {
	if size := unsafe.Sizeof(View{}); size > 16 {
		t.Errorf("a View has %d bytes", size)
	}
	r := newViewRig(t)
	rooms := make([]*Room, indexAbove)
	for i := range rooms {
		rooms[i] = r.room(fmt.Sprint(i))
	}
	r.posted = make([]posted, 0, 100*len(rooms))
	cycle := func() {
		for _, join := range []bool{true, false} {
			for _, room := range rooms {
				r.post(room, join)
			}
		}
		r.post(nil, false)
		for len(r.posted) > 0 {
			r.step()
		}
		r.posted = r.posted[:0:cap(r.posted)]
		if !r.view.Settled() || r.view != (View{}) {
			t.Fatal("it holds memory")
		}
	}
	cycle()
	// Done for what is not waited for is harmless.
	r.view.Done(rooms[0], 1)
	r.view.Done(nil, 1)
}

// A room ends while an operation that leaves it is on its way, and the socket joins its successor.
func TestViewFindsTheSuccessorOfARoom(t *testing.T) {
	for _, joins := range []bool{true, false} {
		r := newViewRig(t)
		first := r.room("a")
		r.post(first, false) // another socket is in it
		if !r.dir.Release(first, 0) {
			t.Fatal("the room has not ended")
		}
		second := r.room("a")
		if second == first {
			t.Fatal("there is one room")
		}
		if r.post(second, true); !joins {
			r.post(second, false)
		}
		for {
			if found, in := r.view.Find(&r.m, r.dir, "a"); in != joins || in && found != second {
				t.Errorf("joins %v: with %d operations on their way the socket is in it: %v", joins, len(r.posted), in)
			}
			if len(r.posted) == 0 {
				break
			}
			r.step()
		}
	}
}
