package room

import (
	"iter"
	"slices"
)

// Set is the rooms of one socket as its user sees them: a join shows in it at
// once, before the loop has linked the member. It is not safe for concurrent
// use: the socket's mutex guards it, and the same mutex must be held while the
// join or leave is posted to the loop, so that the loop sees them in the order
// of the Set. The zero value is empty and holds no memory.
type Set struct {
	one  *Room    // the first one; most sockets are in one room, which takes no memory of its own
	more *setRest // nil when there are no others
}

// setRest are the rooms of a Set beside the first.
type setRest struct {
	few  []*Room          // up to indexAbove rooms, nil when many is in use
	many map[string]*Room // above that, nil when few is in use
}

// Add adds a room. It reports false, and adds nothing, if a room of that name
// is there.
func (s *Set) Add(r *Room) bool {
	if s.Has(r.name) {
		return false
	}
	if s.one == nil {
		s.one = r
		return true
	}
	if s.more == nil {
		s.more = new(setRest)
	}
	s.more.add(r)
	return true
}

func (s *setRest) add(r *Room) {
	if s.many == nil && len(s.few) < indexAbove {
		s.few = append(s.few, r)
		return
	}
	if s.many == nil {
		s.many = make(map[string]*Room, indexAbove+1)
		for _, f := range s.few {
			s.many[f.name] = f
		}
		s.few = nil
	}
	s.many[r.name] = r
}

// Remove takes the room of that name out and returns it, or nil if there is
// none.
func (s *Set) Remove(name string) *Room {
	if r := s.one; r != nil && r.name == name {
		s.one = nil
		return r
	}
	if s.more == nil {
		return nil
	}
	r := s.more.remove(name)
	if s.more.len() == 0 {
		s.more = nil
	}
	return r
}

func (s *setRest) remove(name string) *Room {
	if s.many == nil {
		i := s.indexOf(name)
		if i < 0 {
			return nil
		}
		r := s.few[i]
		last := len(s.few) - 1
		s.few[i], s.few[last] = s.few[last], nil
		s.few = s.few[:last]
		return r
	}
	r, ok := s.many[name]
	if !ok {
		return nil
	}
	delete(s.many, name)
	if len(s.many) <= indexBelow {
		s.few = make([]*Room, 0, indexAbove)
		for _, m := range s.many {
			s.few = append(s.few, m)
		}
		s.many = nil
	}
	return r
}

// Get returns the room of that name, or nil if there is none.
func (s *Set) Get(name string) *Room {
	switch {
	case s.one != nil && s.one.name == name:
		return s.one
	case s.more == nil:
		return nil
	case s.more.many != nil:
		return s.more.many[name]
	}
	if i := s.more.indexOf(name); i >= 0 {
		return s.more.few[i]
	}
	return nil
}

// Has reports whether a room of that name is in the set.
func (s *Set) Has(name string) bool { return s.Get(name) != nil }

// Len returns the number of rooms.
func (s *Set) Len() int {
	n := 0
	if s.one != nil {
		n = 1
	}
	if s.more != nil {
		n += s.more.len()
	}
	return n
}

func (s *setRest) len() int { return len(s.few) + len(s.many) }

// Names returns the names of the rooms, sorted, or nil if there are none. The
// slice is the caller's.
func (s *Set) Names() []string {
	if s.Len() == 0 {
		return nil
	}
	names := make([]string, 0, s.Len())
	for r := range s.All() {
		names = append(names, r.name)
	}
	slices.Sort(names)
	return names
}

// All yields the rooms in no order. The loop body must not change the set.
func (s *Set) All() iter.Seq[*Room] {
	return func(yield func(*Room) bool) {
		if s.one != nil && !yield(s.one) || s.more == nil {
			return
		}
		for _, r := range s.more.few {
			if !yield(r) {
				return
			}
		}
		for _, r := range s.more.many {
			if !yield(r) {
				return
			}
		}
	}
}

// Clear empties the set and gives its memory back.
func (s *Set) Clear() { *s = Set{} }

func (s *setRest) indexOf(name string) int {
	return slices.IndexFunc(s.few, func(r *Room) bool { return r.name == name })
}
