package server

import (
	"log/slog"
	"slices"
	"sync"

	"github.com/seed58c87869/siren/room"
)

// Join puts the socket into rooms; rooms that it is in already are no error. A broadcast that the same goroutine makes
// next reaches the socket. If there is an error, the rooms before the failed one are joined. Errors: ErrClosed,
// ErrTooManyRooms, ErrRoomName, ErrRoomTaken, and ErrQueueFull when the event loop or the listeners of OnRoom are far
// behind.
func (s *Socket) Join(rooms ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range rooms {
		if s.closed.Load() {
			return ErrClosed
		}
		if name == s.id {
			continue
		}
		if err := s.join(name); err != nil {
			return err
		}
	}
	return nil
}

// join posts the operation that joins a room. It posts nothing if the socket is in the room already and no operation on
// its way can change that. Called with the lock held.
func (s *Socket) join(name string) error {
	ns := s.ns
	r, in := s.rooms.Find(&s.member, ns.rooms, name)
	if in && ns.still() {
		return nil
	}
	if !in {
		if err := s.mayJoin(name); err != nil {
			if err == ErrTooManyRooms {
				ns.srv.stats.joinsRefused.Add(1)
			}
			return err
		}
	}
	w := ns.watch.Load()
	if !w.Reserve(1) {
		ns.srv.stats.queueFull.Add(1)
		return ErrQueueFull
	}
	if r == nil || !ns.rooms.Retain(r, s.shard()) {
		if r, _ = ns.rooms.Acquire(name, s.shard()); r == nil {
			w.Arrived(1)
			return ErrRoomTaken
		}
	}
	m := s.operation(r, true, w)
	if !s.client.loop().TryPost(m) {
		m.release()
		w.Arrived(1)
		ns.rooms.Release(r, s.shard())
		return ns.srv.refused()
	}
	s.rooms.Join(r, in)
	return nil
}

// mayJoin returns an error if the socket cannot join one more room of that name. Called with the lock held.
func (s *Socket) mayJoin(name string) error {
	switch {
	case len(name) > s.ns.srv.cfg.MaxRoomBytes:
		return ErrRoomName
	case s.rooms.Len() >= s.settings().maxRooms:
		return ErrTooManyRooms
	}
	return nil
}

// Leave takes the socket out of rooms. Rooms that it is not in are no error, and a socket never leaves its own id. A
// broadcast that the same goroutine makes next does not reach the socket. The only error is ErrQueueFull, when the
// event loop is far behind: the socket has left the rooms before the failed one.
func (s *Socket) Leave(rooms ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range rooms {
		if s.closed.Load() {
			return nil
		}
		r, in := s.rooms.Find(&s.member, s.ns.rooms, name)
		if !in {
			if s.ns.still() {
				continue
			}
			// A room that the socket is about to be moved into exists already.
			if r = s.ns.rooms.Lookup(name); r == nil {
				continue
			}
		}
		if err := s.leaveRooms(r, in); err != nil {
			return err
		}
	}
	return nil
}

// LeaveAll takes the socket out of all rooms except its own id, including those of earlier calls of SocketsJoin. The
// only error is ErrQueueFull, when the event loop is far behind: nothing is done then.
func (s *Socket) LeaveAll() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() || s.rooms.Len() == 0 && s.rooms.Settled() && s.ns.still() {
		return nil
	}
	return s.leaveRooms(nil, true)
}

// leaveRooms posts the operation that leaves a room, or all rooms if r is nil; in reports whether the socket is in it.
// Called with the lock held.
func (s *Socket) leaveRooms(r *room.Room, in bool) error {
	w := s.ns.watch.Load()
	m := s.operation(r, false, w)
	if !s.client.loop().TryPost(m) {
		m.release()
		return s.ns.srv.refused()
	}
	w.Coming(1)
	if r == nil {
		s.rooms.LeaveAll()
	} else {
		s.rooms.Leave(r, in)
	}
	return nil
}

// Rooms returns the rooms of the socket: its own id, then the others in the order of their names. After the socket's
// end they are the rooms at the end. Changes by SocketsJoin and SocketsLeave show when the event loop has done them.
func (s *Socket) Rooms() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{s.id}, s.rooms.Names(&s.member)...)
}

// InRoom reports whether the room is one of Rooms.
func (s *Socket) InRoom(name string) bool {
	if name == s.id {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() { // its rooms may be gone
		return slices.Contains(s.rooms.Names(&s.member), name)
	}
	_, in := s.rooms.Find(&s.member, s.ns.rooms, name)
	return in
}

// membership is an operation of a socket on its rooms (Join, Leave or LeaveAll) on its way to the loop.
type membership struct {
	s      *Socket
	room   *room.Room // nil for LeaveAll
	join   bool
	number uint64
	watch  *roomWatch // which expects its events; nil while nobody listens
}

// memberships has used values for reuse.
var memberships = sync.Pool{New: func() any { return new(membership) }}

// operation returns the next operation of the socket. Called with the lock held.
func (s *Socket) operation(r *room.Room, join bool, w *roomWatch) *membership {
	m := memberships.Get().(*membership)
	*m = membership{s: s, room: r, join: join, number: s.rooms.Next(), watch: w}
	return m
}

// release returns an operation to the pool.
func (m *membership) release() {
	*m = membership{}
	memberships.Put(m)
}

// Run implements task.
func (m *membership) Run(loop int) {
	s, r := m.s, m.room
	defer s.client.sess.EndOnPanic()
	m.apply(loop)
	m.watch.Arrived(1)
	if debugs(s.ns.srv.sio) {
		name := "" // of all rooms
		if r != nil {
			name = r.Name()
		}
		s.debugSocket("room", slog.String("room", name), slog.Bool("joins", m.join))
	}
	m.release()
}

// apply changes the rooms of the socket. If the socket has ended, apply only releases what Join acquired. Loop-only.
func (m *membership) apply(loop int) {
	s, r, ns := m.s, m.room, m.s.ns
	s.mu.Lock()
	defer s.mu.Unlock() // also in a panic: the end of the session takes the lock
	switch {
	case m.join:
		ns.link(s, r, loop)
	case r != nil:
		ns.unlink(s, r, loop)
	default:
		ns.shards[loop].LeaveAll(&s.member, func(left *room.Room) { ns.unlinked(s, left, loop) })
	}
	if !s.closed.Load() {
		s.rooms.Done(r, m.number)
	}
}

// link makes the socket a member of a room that was acquired for it. It releases the reference if the socket is a
// member already or has ended. Loop-only, with the socket's lock held.
func (ns *Namespace) link(s *Socket, r *room.Room, loop int) {
	if !ns.shards[loop].Join(&s.member, r) {
		ns.rooms.Release(r, loop)
		return
	}
	if w := ns.watch.Load(); w != nil {
		w.Put(RoomEvent{Kind: SocketJoined, Room: r.Name(), Socket: s.id})
	}
}

// unlink is the opposite of link. It does nothing if the socket is not a member. Loop-only, with the socket's lock
// held.
func (ns *Namespace) unlink(s *Socket, r *room.Room, loop int) {
	if ns.shards[loop].Leave(&s.member, r) {
		ns.unlinked(s, r, loop)
	}
}

// unlinked releases the reference of a former member. Loop-only.
func (ns *Namespace) unlinked(s *Socket, r *room.Room, loop int) {
	if w := ns.watch.Load(); w != nil && r != ns.rooms.Everyone() {
		w.Put(RoomEvent{Kind: SocketLeft, Room: r.Name(), Socket: s.id})
	}
	ns.rooms.Release(r, loop)
}

// still reports whether no move is on its way to a loop, so that a socket's rooms are what its own operations make
// of them.
func (ns *Namespace) still() bool { return ns.moves.Load() == 0 }
