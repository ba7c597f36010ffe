package server

import (
	"log/slog"

	"github.com/seed58c87869/siren/room"
)

// Join puts the socket into rooms. Those it is in already are no error. A broadcast that the same goroutine makes
// next reaches the socket. Errors: ErrClosed, ErrTooManyRooms,
// ErrRoomName; the rooms before the one that failed are joined.
func (s *Socket) Join(rooms ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range rooms {
		if s.closed.Load() {
			return ErrClosed
		}
		if name == s.id || s.rooms.Has(name) {
			continue
		}
		if len(name) > s.ns.srv.cfg.MaxRoomBytes {
			return ErrRoomName
		}
		if s.rooms.Len() >= s.settings().maxRooms {
			return ErrTooManyRooms
		}
		r, _ := s.ns.rooms.Acquire(name, s.shard())
		s.rooms.Add(r)
		s.client.loop().Post(&membership{s, r, true})
	}
	return nil
}

// Leave takes the socket out of rooms. Those it is not in are no error. A socket does not leave its own id.
func (s *Socket) Leave(rooms ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range rooms {
		s.leaveRoom(name)
	}
}

// LeaveAll takes the socket out of all rooms that it was put into.
func (s *Socket) LeaveAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range s.rooms.Names() {
		s.leaveRoom(name)
	}
}

// leaveRoom is called with the lock held. The rooms of a closed socket stay as they were.
func (s *Socket) leaveRoom(name string) {
	if s.closed.Load() {
		return
	}
	if r := s.rooms.Remove(name); r != nil {
		s.client.loop().Post(&membership{s, r, false})
	}
}

// Rooms are the rooms the socket is in: its own id, then the others in the order of their names. After its end they
// are those that it was in then.
func (s *Socket) Rooms() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{s.id}, s.rooms.Names()...)
}

// InRoom reports whether the room is one of Rooms.
func (s *Socket) InRoom(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return name == s.id || s.rooms.Has(name)
}

// membership is a Join or Leave on its way to the loop.
type membership struct {
	s    *Socket
	r    *room.Room
	join bool
}

// Run implements task. The reference that Acquire took is given back when the member is not linked, or no longer.
func (m *membership) Run(loop int) {
	ns := m.s.ns
	if m.join {
		if !ns.shards[loop].Join(&m.s.member, m.r) {
			ns.rooms.Release(m.r, loop)
		}
	} else if ns.shards[loop].Leave(&m.s.member, m.r) {
		ns.rooms.Release(m.r, loop)
	}
	if debugs(ns.srv.sio) {
		m.s.debugSocket("room", slog.String("room", m.r.Name()), slog.Bool("joins", m.join))
	}
}
