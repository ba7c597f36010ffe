package room

// Shard is the part of a namespace that one event loop owns: it is loop-owned,
// and all its methods are for that loop only. There is one per loop and
// namespace.
type Shard struct {
	index int

	// epoch numbers the selections that mark members. It starts at 0, as do the
	// marks, and the first selection is 1. At one selection per nanosecond 64
	// bits last for 584 years, so a mark is never mistaken for a later one.
	epoch uint64

	// scratch is a stack of selections, of which all but the top one belong to
	// visitors that are themselves broadcasting. It is empty between walks.
	scratch scratch
}

// NewShard returns the shard with that index, which is the one that its members
// are given in Init and that their rooms are acquired for.
func NewShard(index int) *Shard { return &Shard{index: index} }

// Index returns the index given to NewShard.
func (s *Shard) Index() int { return s.index }

// Join links m into r, for which the caller holds a reference of this shard. It
// takes O(1). It reports false, and the caller releases its reference, if m is
// in r already, is detached, or lives on another shard.
func (s *Shard) Join(m *Member, r *Room) bool {
	p := r.partOn(s.index)
	if p == nil || m.gone || int(m.shard) != s.index || m.find(r) >= 0 {
		return false
	}
	m.add(membership{room: r, pos: p.link(m, uint32(len(m.memberships)))})
	return true
}

// Leave unlinks m from r; the caller then releases the reference. It reports
// false, and there is nothing to release, if m is not in r. It takes O(1) in the
// members of r, and O(1) in the rooms of m but for a scan of at most 16.
func (s *Shard) Leave(m *Member, r *Room) bool {
	if int(m.shard) != s.index || m.gone {
		return false
	}
	i := m.find(r)
	if i < 0 {
		return false
	}
	s.unlink(m, i)
	m.memberships = shrink(m.memberships)
	return true
}

// LeaveAll unlinks m from all its rooms but [Directory.Everyone], and calls
// released for each, so that the caller releases the reference. It takes O(1)
// per room. It does nothing after Detach.
func (s *Shard) LeaveAll(m *Member, released func(*Room)) {
	if int(m.shard) != s.index || m.gone {
		return
	}
	m.index = nil // cheaper to build again than to keep right
	// From the end, where a removal moves at most what was kept. The bound is
	// read again each time, in case released changes the rooms of m.
	for i := len(m.memberships); i > 0; {
		i = min(i, len(m.memberships)) - 1
		if i < 0 {
			break
		}
		r := m.memberships[i].room
		if r.isEveryone() {
			continue
		}
		s.unlink(m, i)
		released(r)
	}
	m.memberships = shrink(m.memberships)
}

// Detach is the end of m: it unlinks m from all its rooms, Everyone included,
// calls released for each, and makes every Join from now on report false, so
// that a join which was under way when the socket closed does not link it
// again. The View of m keeps showing the rooms. Detaching twice is harmless.
func (s *Shard) Detach(m *Member, released func(*Room)) {
	if int(m.shard) != s.index || m.gone {
		return
	}
	m.gone = true
	for _, ms := range m.memberships {
		ms.room.partOn(s.index).unlink(ms.pos)
		released(ms.room)
	}
}

// unlink takes m out of the room of membership i, on both sides, and moves m's
// last membership into the gap.
func (s *Shard) unlink(m *Member, i int) {
	gap := m.memberships[i]
	gap.room.partOn(s.index).unlink(gap.pos)

	last := len(m.memberships) - 1
	if i != last {
		moved := m.memberships[last]
		m.memberships[i] = moved
		moved.room.partOn(s.index).entries[moved.pos].slot = uint32(i)
		if m.index != nil {
			m.index[moved.room] = uint32(i)
		}
	}
	m.memberships[last] = membership{}
	m.memberships = m.memberships[:last]

	if last <= indexBelow {
		m.index = nil
	} else if m.index != nil {
		delete(m.index, gap.room)
	}
}
