package room

import (
	"slices"
	"testing"
)

// checkLinks asserts all invariants between the members of one shard and the
// rooms they are in: each membership and its entry point at each other, each
// part has no other entries, and an index, where there is one, is right.
func checkLinks(t *testing.T, s *Shard, members []*Member, rooms []*Room) {
	t.Helper()
	linked := make(map[*Room]int)
	for _, m := range members {
		if m.Detached() {
			continue
		}
		seen := make(map[*Room]bool)
		for i, ms := range m.memberships {
			if seen[ms.room] {
				t.Fatalf("a member is in %q twice", ms.room.name)
			}
			seen[ms.room] = true
			linked[ms.room]++
			if e := ms.room.partOn(s.index).entries[ms.pos]; e.member != m || int(e.slot) != i {
				t.Fatalf("membership %d in %q does not match its entry", i, ms.room.name)
			}
			if !slices.Contains(rooms, ms.room) {
				t.Fatalf("a member is in room %q, which the directory does not have", ms.room.name)
			}
		}
		if m.index != nil && len(m.index) != len(m.memberships) {
			t.Fatalf("the index has %d of %d rooms", len(m.index), len(m.memberships))
		}
		for r, i := range m.index {
			if m.memberships[i].room != r {
				t.Fatalf("the index is wrong for %q", r.name)
			}
		}
		checkUnused(t, m.memberships)
	}
	for _, r := range rooms {
		p := r.partOn(s.index)
		if p == nil {
			if linked[r] != 0 {
				t.Fatalf("%q has no part", r.name)
			}
			continue
		}
		if len(p.entries) != linked[r] {
			t.Fatalf("%q has %d entries for %d members", r.name, len(p.entries), linked[r])
		}
		checkUnused(t, p.entries)
	}
	if len(s.scratch.members) != 0 {
		t.Fatal("a selection was left on the stack")
	}
	checkUnused(t, s.scratch.members)
}

// checkUnused asserts that a list keeps nothing alive behind its end.
func checkUnused[E comparable](t *testing.T, list []E) {
	t.Helper()
	var zero E
	for _, e := range list[len(list):cap(list)] {
		if e != zero {
			t.Fatal("a list holds on to a removed element")
		}
	}
}

// roomsOf returns all rooms of a directory, Everyone included.
func roomsOf(d *Directory) []*Room {
	return append(slices.Collect(d.All()), d.Everyone())
}

func isIn(m *Member, r *Room) bool { return r != nil && m.In(r) }
