package room

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

func TestSetEmpty(t *testing.T) {
	var s Set
	if s.Len() != 0 || s.Names() != nil || s.Has("a") || s.Get("a") != nil || s.Remove("a") != nil {
		t.Fatal("the zero Set is not empty")
	}
	for range s.All() {
		t.Fatal("the zero Set yields a room")
	}
	if size := unsafe.Sizeof(s); size > 32 {
		t.Fatalf("a Set has %d bytes", size)
	}
}

// S19: repeats are no-ops.
func TestSetRepeats(t *testing.T) {
	d := NewDirectory(1)
	var s Set
	for i := range 2*indexAbove + 1 {
		r, _ := d.Acquire(fmt.Sprint(i), 0)
		if !s.Add(r) || s.Add(r) || s.Len() != i+1 {
			t.Fatalf("room %d was not added once", i)
		}
		twin, _ := NewDirectory(1).Acquire(fmt.Sprint(i), 0)
		if s.Add(twin) || s.Get(twin.Name()) != r {
			t.Fatalf("room %d was replaced", i)
		}
	}
	for i := range 2*indexAbove + 1 {
		name := fmt.Sprint(i)
		if r := s.Remove(name); r == nil || r.Name() != name || s.Remove(name) != nil {
			t.Fatalf("room %d was not removed once", i)
		}
	}
	if s != (Set{}) {
		t.Fatal("an emptied Set holds memory")
	}
}

// TestSetModel compares random operations with a map.
func TestSetModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	d := NewDirectory(1)
	want := make(map[string]*Room)
	var s Set
	for op := range 20_000 {
		name := fmt.Sprint(rng.IntN(2 * indexAbove))
		r, _ := d.Acquire(name, 0)
		// Waves, so that the set is full and empty in turns.
		if rng.IntN(10) < 2+6*(op/500%2) {
			if s.Add(r) != (want[name] == nil) {
				t.Fatal("Add disagrees")
			}
			want[name] = r
		} else {
			if s.Remove(name) != want[name] {
				t.Fatal("Remove disagrees")
			}
			delete(want, name)
		}
		if s.Get(name) != want[name] || s.Has(name) != (want[name] != nil) || s.Len() != len(want) {
			t.Fatal("Get, Has or Len disagrees")
		}
		if op%100 == 0 {
			if got := s.Names(); !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
				t.Fatalf("Names = %v", got)
			}
			for r := range s.All() {
				if want[r.Name()] != r {
					t.Fatal("All disagrees")
				}
				if op%200 == 0 {
					break
				}
			}
			if s.more != nil {
				checkUnused(t, s.more.few)
			}
		}
	}
	s.Clear()
	if s.Len() != 0 || s.Names() != nil {
		t.Fatal("Clear left rooms")
	}
}
