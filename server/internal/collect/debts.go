package collect

import (
	"cmp"
	"slices"
)

// Debt is an acknowledgement that the client of a socket owes: one party of a Wait. Guarded by the socket's mutex.
type Debt[S any] struct {
	Wait   *Wait
	Socket *S
	child  [2]*Debt[S]
}

// Debts has the acknowledgements that the client of a socket owes, by packet id: those that the socket asked for, and
// those of broadcasts. It is a digital search tree whose inner nodes are the debts themselves: a debt at depth n shares
// the n lowest bits of its id with all debts below it. So most sockets, which owe nothing, have a nil pointer, and a
// broadcast allocates nothing for a recipient. Ids are below 2^31, which bounds the depth. The zero value is empty.
// Guarded by the socket's mutex.
type Debts[S any] struct {
	root *Debt[S]
	// next is the id of the next question to this socket alone, own the number of pending ones.
	next, own uint32
}

// at returns the place of the debt with that id, which is nil if there is none.
func (t *Debts[S]) at(id uint32) **Debt[S] {
	at := &t.root
	for bits := id; *at != nil && (*at).Wait.ID != id; bits >>= 1 {
		at = &(*at).child[bits&1]
	}
	return at
}

// get returns the debt with that id; nil when there is none.
func (t *Debts[S]) get(id uint32) *Debt[S] { return *t.at(id) }

// Empty reports whether the client owes nothing.
func (t *Debts[S]) Empty() bool { return t.root == nil }

// Own returns the number of pending questions to this socket alone.
func (t *Debts[S]) Own() int { return int(t.own) }

// Assign gives a question to this socket alone the next free id, and adds its debt.
func (t *Debts[S]) Assign(d *Debt[S]) {
	w := d.Wait
	for w.ID = t.next; t.get(w.ID) != nil; {
		w.ID = (w.ID + 1) % BroadcastIDs
	}
	t.next = (w.ID + 1) % BroadcastIDs
	t.Add(d)
}

// Add adds a debt with an unused id.
func (t *Debts[S]) Add(d *Debt[S]) {
	*t.at(d.Wait.ID) = d
	if d.Wait.ID < BroadcastIDs {
		t.own++
	}
}

// Remove removes and returns the debt with that id, or nil. The last of the debts below it takes its place.
func (t *Debts[S]) Remove(id uint32) *Debt[S] {
	at := t.at(id)
	d := *at
	if d == nil {
		return nil
	}
	leaf := at
	for {
		if next := &(*leaf).child[0]; *next != nil {
			leaf = next
		} else if next := &(*leaf).child[1]; *next != nil {
			leaf = next
		} else {
			break
		}
	}
	last := *leaf
	*leaf = nil
	if last != d {
		last.child = d.child
		*at = last
	}
	d.child = [2]*Debt[S]{}
	if id < BroadcastIDs {
		t.own--
	}
	return d
}

// Drop removes a debt, if it is there.
func (t *Debts[S]) Drop(d *Debt[S]) {
	if t.get(d.Wait.ID) == d {
		t.Remove(d.Wait.ID)
	}
}

// All returns all debts, in the order of their ids; nil if there are none.
func (t *Debts[S]) All() []*Debt[S] {
	if t.root == nil {
		return nil
	}
	all := []*Debt[S]{t.root}
	for i := 0; i < len(all); i++ {
		for _, d := range all[i].child {
			if d != nil {
				all = append(all, d)
			}
		}
	}
	slices.SortFunc(all, func(a, b *Debt[S]) int { return cmp.Compare(a.Wait.ID, b.Wait.ID) })
	return all
}

// Take removes and returns all debts, in the order of their ids.
func (t *Debts[S]) Take() []*Debt[S] {
	all := t.All()
	for _, d := range all {
		d.child = [2]*Debt[S]{}
	}
	t.root, t.own = nil, 0
	return all
}
