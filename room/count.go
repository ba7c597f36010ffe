package room

// Count returns the number of members that Select would select. For a single room it takes O(1) and reads no member.
func (s *Shard) Count(t *Target) int {
	if len(t.Rooms) == 1 && t.simple() && t.ExceptMember == nil {
		p := t.Rooms[0].partOn(s.index)
		if p == nil {
			return 0
		}
		return len(p.entries)
	}
	base, selected := s.push(t)
	s.scratch.drop(base)
	return len(selected)
}

// HasAny reports whether the socket of m is in one of the rooms, as Has does. It looks at the socket's rooms, which are
// few, and not at the others.
func (v *View) HasAny(m *Member, rooms map[*Room]struct{}) bool {
	for i := range m.memberships {
		r := m.memberships[i].room
		if _, wanted := rooms[r]; !wanted {
			continue
		}
		if in, decided := v.decides(r); in || !decided {
			return true
		}
	}
	if p := v.pending; p != nil {
		for op := range p.all {
			if _, wanted := rooms[op.room]; wanted && op.join {
				return true
			}
		}
	}
	return false
}
