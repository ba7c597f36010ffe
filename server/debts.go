package server

import (
	"cmp"
	"slices"
)

// debt is an acknowledgement that a client owes: one party of a collector. Guarded by the socket's mutex.
type debt struct {
	c     *collector
	s     *Socket
	child [2]*debt
}

// debts has the acknowledgements that the client of a socket owes, by packet id: those that the socket asked for, and
// those of broadcasts. It is a digital search tree whose inner nodes are the debts themselves: a debt at depth n shares
// the n lowest bits of its id with all debts below it. So most sockets, which owe nothing, have a nil pointer, and a
// broadcast allocates nothing for a recipient. Ids are below 2^31, which bounds the depth. Guarded by the socket's
// mutex.
type debts struct {
	root *debt
	// next is the id of the next question to this socket alone, own the number of pending ones.
	next, own uint32
}

// at returns the place of the debt with that id, which is nil if there is none.
func (t *debts) at(id uint32) **debt {
	at := &t.root
	for bits := id; *at != nil && (*at).c.id != id; bits >>= 1 {
		at = &(*at).child[bits&1]
	}
	return at
}

// get returns the debt with that id; nil when there is none.
func (t *debts) get(id uint32) *debt { return *t.at(id) }

// assign gives a question to this socket alone the next free id.
func (t *debts) assign(c *collector) {
	for c.id = t.next; t.get(c.id) != nil; {
		c.id = (c.id + 1) % broadcastAcks
	}
	t.next = (c.id + 1) % broadcastAcks
}

// add adds a debt with an unused id.
func (t *debts) add(d *debt) {
	*t.at(d.c.id) = d
	if d.c.id < broadcastAcks {
		t.own++
	}
}

// remove removes and returns the debt with that id, or nil. The last of the debts below it takes its place.
func (t *debts) remove(id uint32) *debt {
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
	d.child = [2]*debt{}
	if id < broadcastAcks {
		t.own--
	}
	return d
}

// drop removes a debt, if it is there.
func (t *debts) drop(d *debt) {
	if t.get(d.c.id) == d {
		t.remove(d.c.id)
	}
}

// take removes and returns all debts, in the order of their ids.
func (t *debts) take() []*debt {
	if t.root == nil {
		return nil
	}
	all := []*debt{t.root}
	for i := 0; i < len(all); i++ {
		for _, d := range all[i].child {
			if d != nil {
				all = append(all, d)
			}
		}
		all[i].child = [2]*debt{}
	}
	t.root, t.own = nil, 0
	slices.SortFunc(all, func(a, b *debt) int { return cmp.Compare(a.c.id, b.c.id) })
	return all
}
