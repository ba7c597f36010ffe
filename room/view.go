package room

import (
	"slices"
	"sync"
)

// View shows the rooms of one socket to its user: the rooms of its Member, which only the loop changes, with the
// operations applied that the loop has not reached yet. The latest operation on a room decides whether the socket is in
// it; when the loop has done that one, the Member says the same.
//
// A View is not safe for concurrent use. The socket's mutex guards it and the list of its Member's rooms: callers of
// View's methods hold the mutex, and so does the loop while it links or unlinks the Member. The mutex is also held
// while an operation is posted, so that the loop does a socket's operations in the order of their numbers. The zero
// value is ready, and holds no memory while no operation is on its way.
type View struct {
	pending *pending // nil while no operation is on its way
	len     int32    // the number of rooms, without Everyone
}

// pending has the operations on their way: the latest one for each room.
type pending struct {
	last    uint64 // the number of the latest operation
	cleared uint64 // the number of the latest LeaveAll; 0 when none is on its way
	// few has the operations on single rooms after the LeaveAll; many has the same if they are more than indexAbove.
	few  []operation
	many map[*Room]operation
}

// operation is a Join or Leave of one room.
type operation struct {
	room   *Room
	number uint64
	join   bool
}

// pendings has pending values for reuse, because a View needs one only for the time of a post.
var pendings = sync.Pool{New: func() any { return new(pending) }}

// Next returns the number of the next operation. It starts at 1.
func (v *View) Next() uint64 {
	if v.pending == nil {
		return 1
	}
	return v.pending.last + 1
}

// Join notes that the operation Next to join r is on its way to the loop; was is what Find or Has has reported for r.
func (v *View) Join(r *Room, was bool) { v.change(r, was, true) }

// Leave notes that the operation Next to leave r is on its way to the loop; was is what Find or Has has reported for r.
func (v *View) Leave(r *Room, was bool) { v.change(r, was, false) }

func (v *View) change(r *Room, was, join bool) {
	v.count(was, join)
	p := v.expect()
	p.put(operation{r, p.last, join})
}

// LeaveAll notes that the operation Next to leave all rooms is on its way to the loop.
func (v *View) LeaveAll() {
	p := v.expect()
	p.cleared, p.many = p.last, nil
	p.few = cleared(p.few)
	v.len = 0
}

// expect counts one more operation on its way.
func (v *View) expect() *pending {
	if v.pending == nil {
		v.pending = pendings.Get().(*pending)
	}
	v.pending.last++
	return v.pending
}

// Done notes that the loop has done an operation on r, or a LeaveAll if r is nil, and has changed the Member.
func (v *View) Done(r *Room, number uint64) {
	p := v.pending
	if p == nil {
		return
	}
	if r == nil {
		if p.cleared == number {
			p.cleared = 0
		}
	} else {
		p.remove(r, number)
	}
	if p.cleared == 0 && len(p.few)+len(p.many) == 0 {
		// No operation is on its way any more, so the numbers may start again.
		v.pending = nil
		*p = pending{few: p.few}
		pendings.Put(p)
	}
}

// Moved notes that the loop has linked or unlinked the Member without an operation of the socket. Operations on their
// way still decide about r, because they come later.
func (v *View) Moved(r *Room, join bool) {
	if _, decided := v.decides(r); !decided {
		v.count(!join, join)
	}
}

func (v *View) count(before, after bool) {
	switch {
	case before == after:
	case after:
		v.len++
	default:
		v.len--
	}
}

// decides reports whether an operation on its way decides about r, and its result.
func (v *View) decides(r *Room) (in, decided bool) {
	if v.pending == nil {
		return false, false
	}
	if op, ok := v.pending.get(r); ok {
		return op.join, true
	}
	return false, v.pending.cleared > 0
}

// Has reports whether the socket of m is in r. After Detach it reports the state before, with the operations that were
// on their way.
func (v *View) Has(m *Member, r *Room) bool {
	if in, decided := v.decides(r); decided {
		return in
	}
	return m.find(r) >= 0
}

// Find returns the room of that name if m is linked in it or an operation on it is on its way, and reports whether the
// socket is in it, as Has does. It searches the rooms of the socket if they are few, and the directory otherwise.
func (v *View) Find(m *Member, d *Directory, name string) (r *Room, in bool) {
	p := v.pending
	if m.index != nil || p != nil && p.many != nil {
		r = d.Lookup(name)
		return r, r != nil && v.Has(m, r)
	}
	if op := p.latest(name); op != nil {
		return op.room, op.join
	}
	for i := range m.memberships {
		if r := m.memberships[i].room; r.name == name && !r.isEveryone() {
			return r, p == nil || p.cleared == 0
		}
	}
	return nil, false
}

// Len returns the number of rooms, without Everyone.
func (v *View) Len() int { return int(v.len) }

// Settled reports whether no operation is on its way.
func (v *View) Settled() bool { return v.pending == nil }

// Names returns the names of the rooms of m's socket, without Everyone, sorted; nil if there are none. The slice is the
// caller's. After Detach they are those before it, with the operations that were on their way.
func (v *View) Names(m *Member) []string {
	if v.len == 0 {
		return nil
	}
	names := make([]string, 0, v.len)
	for i := range m.memberships {
		r := m.memberships[i].room
		if _, decided := v.decides(r); !decided && !r.isEveryone() {
			names = append(names, r.name)
		}
	}
	if p := v.pending; p != nil {
		for op := range p.all {
			if op.join {
				names = append(names, op.room.name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// latest returns the latest operation in few on a room of that name; nil if there is none. There can be several: when a
// room ends and another one of its name begins, an operation on the first may still be on its way, which leaves it
// without having been in it.
func (p *pending) latest(name string) (latest *operation) {
	if p == nil {
		return nil
	}
	for i := range p.few {
		if op := &p.few[i]; op.room.name == name && (latest == nil || latest.number < op.number) {
			latest = op
		}
	}
	return latest
}

func (p *pending) get(r *Room) (op operation, ok bool) {
	if p.many != nil {
		op, ok = p.many[r]
		return op, ok
	}
	if i := p.indexOf(r); i >= 0 {
		return p.few[i], true
	}
	return op, false
}

// put adds an operation. It replaces an earlier one on the same room.
func (p *pending) put(op operation) {
	if p.many == nil {
		if i := p.indexOf(op.room); i >= 0 {
			p.few[i] = op
			return
		}
		if len(p.few) < indexAbove {
			p.few = append(p.few, op)
			return
		}
		p.many = make(map[*Room]operation, 2*indexAbove)
		for _, o := range p.few {
			p.many[o.room] = o
		}
		p.few = cleared(p.few)
	}
	p.many[op.room] = op
}

// remove takes out the operation on r if it has that number.
func (p *pending) remove(r *Room, number uint64) {
	if p.many != nil {
		if p.many[r].number == number {
			delete(p.many, r)
		}
		return
	}
	if i := p.indexOf(r); i >= 0 && p.few[i].number == number {
		last := len(p.few) - 1
		p.few[i], p.few[last] = p.few[last], operation{}
		p.few = p.few[:last]
	}
}

// all yields the operations on single rooms, in no order.
func (p *pending) all(yield func(operation) bool) {
	for _, op := range p.few {
		if !yield(op) {
			return
		}
	}
	for _, op := range p.many {
		if !yield(op) {
			return
		}
	}
}

func (p *pending) indexOf(r *Room) int {
	for i := range p.few {
		if p.few[i].room == r {
			return i
		}
	}
	return -1
}

// cleared empties a list for reuse.
func cleared(list []operation) []operation {
	clear(list)
	return list[:0]
}
