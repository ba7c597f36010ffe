package room

import "iter"

const (
	// indexAbove is the number of rooms above which a member, or a View, keeps a
	// map: below, scanning a short slice is faster and costs no memory.
	indexAbove = 16

	// indexBelow is the number of rooms at which the map is dropped again. The
	// distance to indexAbove keeps a member at the border from building it over
	// and over.
	indexBelow = indexAbove / 2
)

// Member is a socket's place in the rooms of its namespace. It is loop-owned by
// the shard given to Init; Shard and Owner do not change after Init and may be
// called by anybody. Embed it in the socket or point to it; do not copy it once
// it has joined a room.
//
// The fields that a walk reads come first: together they are half a cache line.
type Member struct {
	owner any
	mark  uint64 // the epoch of the last selection that marked the member
	shard int32
	gone  bool // after Detach

	// memberships are written with the mutex of the member's View held, if it has one; other goroutines hold it to read
	// the rooms. After Detach they are the former rooms, which are not linked.
	memberships []membership
	// index finds a room in memberships. It is nil unless there were more than indexAbove rooms recently.
	index map[*Room]uint32
}

// membership is the member's side of one link, see part.
type membership struct {
	room *Room
	pos  uint32 // of the entry in the room's part
}

// Init makes m a member on a shard, in no room. owner is the result of [Member.Owner], for
// visitors of Walk: usually a pointer to the socket that embeds m, which costs no
// allocation. Init must be called before anything else.
func (m *Member) Init(shard int, owner any) {
	*m = Member{shard: int32(shard), owner: owner}
}

// Owner returns the value given to Init.
func (m *Member) Owner() any { return m.owner }

// Shard returns the index of the shard on which the member lives.
func (m *Member) Shard() int { return int(m.shard) }

// Len returns the number of rooms that m is linked in, Everyone included.
func (m *Member) Len() int {
	if m.gone {
		return 0
	}
	return len(m.memberships)
}

// In reports whether m is linked in r.
func (m *Member) In(r *Room) bool { return !m.gone && m.find(r) >= 0 }

// Rooms yields the rooms that m is linked in, in no particular order. The loop body must not
// link or unlink m.
func (m *Member) Rooms() iter.Seq[*Room] {
	return func(yield func(*Room) bool) {
		for i := range m.Len() {
			if !yield(m.memberships[i].room) {
				return
			}
		}
	}
}

// Detached reports whether [Shard.Detach] was called for m.
func (m *Member) Detached() bool { return m.gone }

// find returns the index of the membership in r, or -1. After Detach it finds former memberships.
func (m *Member) find(r *Room) int {
	if m.index != nil {
		if i, ok := m.index[r]; ok {
			return int(i)
		}
		return -1
	}
	for i := range m.memberships {
		if m.memberships[i].room == r {
			return i
		}
	}
	return -1
}

// add appends a membership that is linked.
func (m *Member) add(ms membership) {
	m.memberships = append(m.memberships, ms)
	if m.index == nil && len(m.memberships) > indexAbove {
		m.index = make(map[*Room]uint32, len(m.memberships)+1)
		for i := range m.memberships {
			m.index[m.memberships[i].room] = uint32(i)
		}
		return
	}
	if m.index != nil {
		m.index[ms.room] = uint32(len(m.memberships) - 1)
	}
}
