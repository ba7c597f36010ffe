package room

import (
	"iter"
	"sync/atomic"
)

// Room is a set of members spread over the shards of one namespace.
//
// It is safe for concurrent use, except for its parts: each is loop-owned by
// one shard and reached only through that shard's [Shard]. A Room stays the
// one that its name maps to for as long as anybody holds a reference; after
// the last one is released it is dead, and the next Acquire of the name makes
// another Room.
type Room struct {
	name  string
	parts []atomic.Pointer[part] // one per shard, nil until its first reference

	// refs counts the references of all shards. It decides when the room ends:
	// only a holder of the stripe's write lock who sees zero may remove it, and
	// only a holder of the read lock may lift it from zero.
	refs atomic.Int64

	// home is the stripe that maps the name to this room, nil for a room that
	// is in no map and never ends (see Directory.Everyone).
	home *stripe
}

func newRoom(name string, shards int, home *stripe) *Room {
	return &Room{name: name, parts: make([]atomic.Pointer[part], shards), home: home}
}

// Name returns the room's name. It is empty for the room of
// [Directory.Everyone], and may be empty for a room that a user named so.
func (r *Room) Name() string { return r.name }

// Count returns the number of references over all shards: the members, plus
// those whose joining or leaving is still on its way to a loop.
func (r *Room) Count() int { return int(r.refs.Load()) }

// CountOn returns the number of references of one shard, 0 for a shard that
// does not exist.
func (r *Room) CountOn(shard int) int {
	p := r.partOn(shard)
	if p == nil {
		return 0
	}
	return int(p.refs.Load())
}

// Shards yields, in ascending order, each shard that holds a reference. A
// broadcast to the room needs one post to each of them.
func (r *Room) Shards() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range r.parts {
			if r.CountOn(i) > 0 && !yield(i) {
				return
			}
		}
	}
}

// isEveryone reports whether r is the permanent room of a directory.
func (r *Room) isEveryone() bool { return r.home == nil }

// partOn returns the part of a shard, nil if it never had a reference there. A
// nil room, which is what Lookup returns for an unknown name, has no parts.
func (r *Room) partOn(shard int) *part {
	if r == nil || uint(shard) >= uint(len(r.parts)) {
		return nil
	}
	return r.parts[shard].Load()
}

// acquire counts one reference. The caller makes sure that the room is alive.
func (r *Room) acquire(shard int) {
	r.refs.Add(1)
	r.acquirePart(shard)
}

// acquirePart counts a reference that refs has counted.
func (r *Room) acquirePart(shard int) {
	p := r.parts[shard].Load()
	if p == nil {
		p = new(part)
		if !r.parts[shard].CompareAndSwap(nil, p) {
			p = r.parts[shard].Load() // somebody else was first
		}
	}
	p.refs.Add(1)
}

// part is what a room has on one shard. Its count is safe for concurrent use;
// its member list is loop-owned.
//
// An entry and the membership it belongs to point at each other by index:
// entries[e].slot is the index of the membership in the member, and that
// membership's pos is e. Whoever moves one of the two fixes the other, so both
// lists are unordered, without gaps, and any removal is O(1).
type part struct {
	entries []entry
	refs    atomic.Int32
}

// entry is one member of a part.
type entry struct {
	member *Member
	slot   uint32
}

// link appends a member whose membership has the index slot and returns the
// position of its entry.
func (p *part) link(m *Member, slot uint32) uint32 {
	pos := uint32(len(p.entries))
	p.entries = append(p.entries, entry{member: m, slot: slot})
	return pos
}

// unlink removes the entry at pos and closes the gap with the last one.
func (p *part) unlink(pos uint32) {
	last := len(p.entries) - 1
	if int(pos) != last {
		moved := p.entries[last]
		p.entries[pos] = moved
		moved.member.memberships[moved.slot].pos = pos
	}
	p.entries[last] = entry{}
	p.entries = shrink(p.entries[:last])
}

// shrinkAbove is the capacity up to which an emptied list keeps its memory:
// small enough not to matter, large enough that a room with a few members which
// come and go does not allocate each time.
const shrinkAbove = 8

// shrink gives memory back when three quarters of a list are unused, leaving it
// half full so that neither the next removals nor the next additions reallocate:
// the cost stays O(1) per operation.
func shrink[E any](list []E) []E {
	if cap(list) <= shrinkAbove || len(list) > cap(list)/4 {
		return list
	}
	if len(list) == 0 {
		return nil
	}
	return append(make([]E, 0, 2*len(list)), list...)
}
