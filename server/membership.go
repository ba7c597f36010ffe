package server

import (
	"log/slog"

	"github.com/seed58c87869/siren/room"
)

// Join puts the socket into rooms. Those it is in already are no error. A broadcast that the same goroutine makes
// next reaches the socket. Errors: ErrClosed, ErrTooManyRooms, ErrRoomName, and ErrQueueFull when the listeners of OnRoom
// are far behind; the rooms before the one that failed are joined.
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
		if err := s.mayJoin(name); err != nil {
			return err
		}
		r, _ := s.ns.rooms.Acquire(name, s.shard())
		s.rooms.Add(r)
		s.client.loop().Post(&membership{s, r, true})
	}
	return nil
}

// mayJoin tells why the socket cannot join one more room of that name. Called with the lock held.
func (s *Socket) mayJoin(name string) error {
	if len(name) > s.ns.srv.cfg.MaxRoomBytes {
		return ErrRoomName
	}
	if s.rooms.Len() >= s.settings().maxRooms {
		return ErrTooManyRooms
	}
	if w := s.ns.watch.Load(); w != nil && w.full() {
		s.ns.srv.stats.queueFull.Add(1)
		return ErrQueueFull
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

// Run implements task.
func (m *membership) Run(loop int) {
	ns := m.s.ns
	if m.join {
		ns.link(m.s, m.r, loop)
	} else {
		ns.unlink(m.s, m.r, loop)
	}
	if debugs(ns.srv.sio) {
		m.s.debugSocket("room", slog.String("room", m.r.Name()), slog.Bool("joins", m.join))
	}
}

// link makes the socket a member of a room that was acquired for it. The reference is given back when it is one already,
// or has ended. Loop-only.
func (ns *Namespace) link(s *Socket, r *room.Room, loop int) {
	if !ns.shards[loop].Join(&s.member, r) {
		ns.rooms.Release(r, loop)
		return
	}
	if w := ns.watch.Load(); w != nil {
		w.put(RoomEvent{Kind: SocketJoined, Room: r.Name(), Socket: s.id})
	}
}

// unlink is the opposite of link; there may be nothing to do. Loop-only.
func (ns *Namespace) unlink(s *Socket, r *room.Room, loop int) {
	if ns.shards[loop].Leave(&s.member, r) {
		ns.unlinked(s, r, loop)
	}
}

// unlinked gives back the reference of a member that is one no longer. Loop-only.
func (ns *Namespace) unlinked(s *Socket, r *room.Room, loop int) {
	if w := ns.watch.Load(); w != nil && r != ns.rooms.Everyone() {
		w.put(RoomEvent{Kind: SocketLeft, Room: r.Name(), Socket: s.id})
	}
	ns.rooms.Release(r, loop)
}
