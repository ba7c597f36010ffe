package history

import (
	"math"
	"math/bits"
)

// index finds the stored events that name a receiver, without a look at the others: a client that comes back is served
// on an event loop, with the lock of all who emit. The events that share a name are a chain, from the latest one
// backwards; its links are in the events. Guarded by the history's lock. The zero value is empty.
type index struct {
	// all is the latest event of the whole namespace, and the others are the latest events by name.
	all                  place
	rooms, users, except map[string]place
	// near has the links of the events, each at the index of its event in History.events.
	near []near
	// marked is the working memory of missed: one bit for each event.
	marked []uint64
}

// place is where an event names a receiver: the event's offset, and the number of the name among all names of the
// event. The zero value is no place.
type place struct {
	offset uint64
	slot   uint32
	some   bool
}

// link leads from a place to the previous one with the same name: gap is the difference of the offsets, 0 at the end of
// the chain.
type link struct{ gap, slot uint32 }

// near has the links of an event's first two names: nearly all events have no more, such as a room and the sender, who
// is left out. They are apart from the events, so that a walk over a long chain takes few cache misses.
type near [2]link

// add enters an event. Its offset must be greater than those of all others. It returns the links of further names.
func (x *index) add(offset uint64, to *Audience) (further []link) {
	var two near
	n := uint32(0)
	follow := func(before place) place {
		k := link{}
		if gap := offset - before.offset; before.some && gap <= math.MaxUint32 {
			k = link{uint32(gap), before.slot}
		}
		if int(n) < len(two) {
			two[n] = k
		} else {
			further = append(further, k)
		}
		n++
		return place{offset, n - 1, true}
	}
	if to.whole() {
		x.all = follow(x.all)
	}
	for i, names := range to.lists() {
		table := x.table(i)
		if len(names) > 0 && *table == nil {
			*table = make(map[string]place)
		}
		for _, name := range names {
			before := (*table)[name]
			next := follow(before)
			if !before.some || before.offset != offset { // it may be named twice
				(*table)[name] = next
			}
		}
	}
	x.near = append(x.near, two)
	return further
}

// remove takes out the oldest event.
func (x *index) remove(offset uint64, to *Audience) {
	if x.all.some && x.all.offset == offset {
		x.all = place{}
	}
	for i, names := range to.lists() {
		table := *x.table(i)
		for _, name := range names {
			if p := table[name]; p.some && p.offset == offset {
				delete(table, name)
			}
		}
	}
}

// table returns the table of the names in the list with that number, see Audience.lists.
func (x *index) table(list int) *map[string]place {
	return [...]*map[string]place{&x.rooms, &x.users, &x.except}[list]
}

// reset forgets all events.
func (x *index) reset() { *x = index{} }

// enterAll makes the index anew. It takes 10 ms for 100,000 events, and is only for those that are put in front of
// others, which happens once after a node has begun.
func (h *History) enterAll() {
	h.index.reset()
	h.index.near = make([]near, h.head, len(h.events))
	for i := range h.events[h.head:] {
		e := &h.events[h.head+i]
		e.further = h.index.add(h.first+uint64(i), e.to)
	}
}

// missed calls yield with the offsets of the events from an offset on that were for the socket, in order, until it
// returns false.
func (h *History) missed(a *Away, from uint64, yield func(e *keptEvent) bool) {
	x := &h.index
	words := int(h.next()-from+63) / 64
	if cap(x.marked) < words {
		x.marked = make([]uint64, words)
	}
	x.marked = x.marked[:words]
	clear(x.marked)
	h.mark(x.all, from, true)
	h.mark(x.rooms[a.ID], from, true)
	for _, name := range a.Rooms {
		h.mark(x.rooms[name], from, true)
	}
	if a.User != "" {
		h.mark(x.users[a.User], from, true)
	}
	h.mark(x.except[a.ID], from, false)
	for _, name := range a.Rooms {
		h.mark(x.except[name], from, false)
	}
	for i, word := range x.marked {
		for ; word != 0; word &= word - 1 {
			if !yield(h.event(from + uint64(i*64+bits.TrailingZeros64(word)))) {
				return
			}
		}
	}
}

// mark sets or clears the bits of the events of a chain, from an offset on.
func (h *History) mark(p place, from uint64, on bool) {
	for p.some && int64(p.offset-from) >= 0 { // an offset may have passed zero
		i := p.offset - from
		if bit := uint64(1) << (i % 64); on {
			h.index.marked[i/64] |= bit
		} else {
			h.index.marked[i/64] &^= bit
		}
		k := h.link(p)
		if k.gap == 0 {
			return
		}
		p = place{p.offset - uint64(k.gap), k.slot, true}
	}
}

// link returns the link of a place.
func (h *History) link(p place) link {
	i := h.at(p.offset)
	if two := &h.index.near[i]; int(p.slot) < len(two) {
		return two[p.slot]
	}
	return h.events[i].further[int(p.slot)-len(near{})]
}

// event returns the stored event with that offset, which is in events at the index that at returns.
func (h *History) event(offset uint64) *keptEvent { return &h.events[h.at(offset)] }

func (h *History) at(offset uint64) int { return h.head + int(offset-h.first) }
