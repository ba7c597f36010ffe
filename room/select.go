package room

import "slices"

const (
	// exceptScanFactor is how many times larger than the target the excepted
	// rooms may be before each target member's rooms are looked through instead
	// of marking each excepted member: one such look costs about as much as
	// this many marks. A message to one socket except a room of 50,000 is then
	// one look at that socket.
	exceptScanFactor = 4

	// A scratch stack that holds more than scratchKeep members gives its memory
	// back after scratchIdle walks in a row that used less than an eighth of it.
	scratchKeep = 1024
	scratchIdle = 256
)

// Walk calls visit once for each member of this shard that the target selects,
// in no order, and returns how many it called it for. A member that several of
// the target's rooms hold is visited once.
//
// The members are fixed before the first visit. The visitor may join, leave,
// detach and broadcast: a member that joins is not visited, one that leaves
// still is, as it was in the room when the broadcast came, and one that was
// detached before its turn is not.
//
// Walk does not allocate, but for the growth of the shard's scratch memory: one
// pointer per member of the largest selection.
func (s *Shard) Walk(t *Target, visit func(m *Member)) int {
	base, selected := s.push(t)
	// Deferred, so that a panic in the visitor, which the loop recovers, does
	// not leave the selection on the stack.
	defer s.scratch.drop(base)

	visited := 0
	for _, m := range selected {
		if !m.gone {
			visit(m)
			visited++
		}
	}
	return visited
}

// Selection is the members that a target selected, fixed at one moment. A
// loop-owned value of the Shard's loop. It may stay open while the loop does other
// work, but the selections of a shard end in the reverse order of their beginning.
type Selection struct {
	shard   *Shard
	base    int
	members []*Member
}

// Select is Walk in the caller's steps: it fixes the members that Walk would
// visit. The caller must call End on the result.
//
// Compared to Walk it saves a call per member, and lets the caller read a field
// of the next few dozen members before it writes to them. Where members do not
// fit the processor's caches, overlapping the misses in this way about halves
// the cost of a walk.
func (s *Shard) Select(t *Target) Selection {
	base, selected := s.push(t)
	return Selection{shard: s, base: base, members: selected}
}

// Members returns the selected members, in no order. The slice is valid until End, and the caller may overwrite it. It
// does not include members that join later, and keeps members that leave. Check [Member.Detached] if members may have
// been detached meanwhile.
func (l *Selection) Members() []*Member { return l.members }

// End gives the memory of the selection back to its shard.
func (l *Selection) End() { l.shard.scratch.drop(l.base) }

// push puts a selection on the scratch stack; the caller must call drop with base. The slice's capacity is its length,
// so that an append of the visitor does not reach into the stack.
func (s *Shard) push(t *Target) (base int, selected []*Member) {
	base = len(s.scratch.members)
	all := s.collect(t, s.scratch.members)
	s.scratch.members = all
	return base, all[base:len(all):len(all)]
}

// collect appends the selected members to out.
func (s *Shard) collect(t *Target, out []*Member) []*Member {
	if len(t.Rooms) == 1 && t.simple() {
		return s.collectOne(t, out)
	}
	s.epoch++
	epoch := s.epoch
	if m := t.ExceptMember; m != nil && int(m.shard) == s.index {
		m.mark = epoch
	}
	// Of another shard's member only the index of its shard may be read.
	for _, m := range t.ExceptMembers {
		if int(m.shard) == s.index {
			m.mark = epoch
		}
	}
	scan := s.exceptByScan(t)
	if !scan {
		s.markRooms(t.Except, epoch)
	}

	for _, r := range t.Rooms {
		p := r.partOn(s.index)
		if p == nil {
			continue
		}
		for i := range p.entries {
			m := p.entries[i].member
			if m.mark == epoch {
				continue
			}
			m.mark = epoch
			if !scan || !m.inAny(t.Except) {
				out = append(out, m)
			}
		}
	}
	for _, m := range t.Members {
		if int(m.shard) != s.index || m.gone || m.mark == epoch {
			continue
		}
		m.mark = epoch
		if !scan || !m.inAny(t.Except) {
			out = append(out, m)
		}
	}
	return out
}

// collectOne is the fast path: one room, at most one member left out, no marks,
// and so no access to the members' memory.
func (s *Shard) collectOne(t *Target, out []*Member) []*Member {
	p := t.Rooms[0].partOn(s.index)
	if p == nil {
		return out
	}
	out = slices.Grow(out, len(p.entries))
	for i := range p.entries {
		if m := p.entries[i].member; m != t.ExceptMember {
			out = append(out, m)
		}
	}
	return out
}

func (s *Shard) markRooms(rooms []*Room, epoch uint64) {
	for _, r := range rooms {
		p := r.partOn(s.index)
		if p == nil {
			continue
		}
		for i := range p.entries {
			p.entries[i].member.mark = epoch
		}
	}
}

// exceptByScan reports whether to look for each selected member in the excepted
// rooms, rather than to mark their members: see exceptScanFactor.
func (s *Shard) exceptByScan(t *Target) bool {
	if len(t.Except) == 0 {
		return false
	}
	return s.membersOf(t.Except) > exceptScanFactor*(s.membersOf(t.Rooms)+len(t.Members))
}

// membersOf sums up the members of the rooms on this shard.
func (s *Shard) membersOf(rooms []*Room) int {
	n := 0
	for _, r := range rooms {
		if p := r.partOn(s.index); p != nil {
			n += len(p.entries)
		}
	}
	return n
}

// inAny reports whether m is linked in one of the rooms.
func (m *Member) inAny(rooms []*Room) bool {
	for _, r := range rooms {
		if r != nil && m.find(r) >= 0 {
			return true
		}
	}
	return false
}

// scratch is the memory of a shard's selections. It is loop-owned.
type scratch struct {
	members []*Member
	idle    int // walks in a row that used little of it
}

// drop pops the selections from base on.
func (c *scratch) drop(base int) {
	used := len(c.members)
	clear(c.members[base:]) // or the stack would keep dead sockets alive
	c.members = c.members[:base]
	if base > 0 || cap(c.members) <= scratchKeep {
		return
	}
	if used > cap(c.members)/8 {
		c.idle = 0
		return
	}
	if c.idle++; c.idle >= scratchIdle {
		*c = scratch{}
	}
}
