package collect

import (
	"math/rand/v2"
	"testing"
)

type socket struct{}

func owedTo(id uint32) *Debt[socket] { return &Debt[socket]{Wait: &Wait{ID: id}} }

// TestDebts compares the tree with a map, whatever order debts come and go in.
func TestDebts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var owed Debts[socket]
	model := map[uint32]*Debt[socket]{}
	for range 40_000 {
		id := uint32(rng.IntN(64))
		if rng.IntN(2) == 0 {
			id += BroadcastIDs
		}
		switch d := model[id]; {
		case owed.get(id) != d:
			t.Fatal("get returns another debt than was added")
		case d == nil && len(model) < 40:
			d = owedTo(id)
			owed.Add(d)
			model[id] = d
		case owed.Remove(id) != d || owed.Remove(id) != nil:
			t.Fatal("another debt was removed")
		default:
			delete(model, id)
		}
		own := 0
		for id := range model {
			if id < BroadcastIDs {
				own++
			}
		}
		if owed.Own() != own || (owed.root == nil) != (len(model) == 0) {
			t.Fatalf("%d pending, want %d", owed.Own(), own)
		}
	}
	for id, d := range model {
		if owed.Drop(owedTo(id)); owed.get(id) != d {
			t.Fatal("a stranger's debt was dropped")
		}
		break
	}
	if n := len(owed.All()); n != len(model) {
		t.Errorf("%d debts, want %d", n, len(model))
	}
	all := owed.Take()
	if len(all) != len(model) || owed.Own() != 0 || owed.Take() != nil {
		t.Error("not all were taken")
	}
	for i, d := range all {
		if model[d.Wait.ID] != d || d.child != [2]*Debt[socket]{} || i > 0 && all[i-1].Wait.ID > d.Wait.ID {
			t.Error("they are out of order")
		}
	}
}

// TestIDs shows that the packet ids of sockets and of broadcasts go round, each in a range of its own, and skip those
// in use.
func TestIDs(t *testing.T) {
	var owed Debts[socket]
	add := func() uint32 {
		d := owedTo(0)
		owed.Assign(d)
		return d.Wait.ID
	}
	if id := add(); id != 0 {
		t.Fatal(id)
	}
	owed.next = BroadcastIDs - 1
	for i, want := range []uint32{BroadcastIDs - 1, 1, 2} {
		if id := add(); id != want {
			t.Errorf("%d: got %d, want %d", i, id, want)
		}
	}
	var ids IDs
	var waits []*Wait
	for i, want := range []uint32{BroadcastIDs, BroadcastIDs + 1, IDsEnd - 1, BroadcastIDs + 2} {
		if i == 2 {
			ids.next = IDsEnd - 1 - BroadcastIDs
		}
		w := &Wait{}
		if !ids.Assign(w, 4) || w.ID != want {
			t.Errorf("%d: got %d, want %d", i, w.ID, want)
		}
		waits = append(waits, w)
	}
	if ids.Assign(&Wait{}, 4) || ids.Len() != 4 {
		t.Error("one too many")
	}
	for _, w := range waits {
		ids.Free(w)
	}
	if ids.Len() != 0 {
		t.Error("an id is still used")
	}
}
