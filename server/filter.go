package server

import "github.com/seed58c87869/siren/room"

// socketFilter tells, off the event loops, whether an operator selects a socket: by the rooms that the socket is in as
// of now. Immutable.
type socketFilter struct {
	from            *Socket
	everyone        bool
	rooms, except   roomSet
	members, others memberSet // the others are left out
}

type (
	roomSet   map[*room.Room]struct{}
	memberSet map[*room.Member]struct{}
)

// newSocketFilter makes the filter of an operator, whose names are resolved in t.
func newSocketFilter(o Operator, t *room.Target) *socketFilter {
	f := &socketFilter{
		from: o.from, rooms: roomSet{}, except: roomSet{}, members: memberSet{}, others: memberSet{},
	}
	for _, r := range t.Rooms {
		f.everyone = f.everyone || r == o.ns.rooms.Everyone()
		f.rooms[r] = struct{}{}
	}
	for _, r := range t.Except {
		f.except[r] = struct{}{}
	}
	for _, m := range t.Members {
		f.members[m] = struct{}{}
	}
	for _, m := range t.ExceptMembers {
		f.others[m] = struct{}{}
	}
	return f
}

// selects reports whether the socket is one of those selected.
func (f *socketFilter) selects(s *Socket) bool {
	if _, out := f.others[&s.member]; out || s == f.from || s.closed.Load() {
		return false
	}
	_, in := f.members[&s.member]
	in = in || f.everyone
	if in && len(f.except) == 0 {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return (in || s.rooms.HasAny(&s.member, f.rooms)) && !s.rooms.HasAny(&s.member, f.except)
}
