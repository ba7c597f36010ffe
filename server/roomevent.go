package server

import (
	"iter"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/seed58c87869/siren/session"
)

// RoomEventKind is what happened to a room. Immutable.
type RoomEventKind uint8

// The kinds of room events.
const (
	// RoomCreated: there is a room of that name now, because a socket of this node is about to join it.
	RoomCreated RoomEventKind = iota
	// SocketJoined: a socket is in the room.
	SocketJoined
	// SocketLeft: the socket is out of it, or has ended.
	SocketLeft
	// RoomDeleted: no socket of this node is in the room any longer.
	RoomDeleted
)

// String is the reference's name of the event.
func (k RoomEventKind) String() string {
	switch k {
	case RoomCreated:
		return "create-room"
	case SocketJoined:
		return "join-room"
	case SocketLeft:
		return "leave-room"
	case RoomDeleted:
		return "delete-room"
	}
	return "unknown"
}

// RoomEvent is something that happened to a room on this node. Immutable.
type RoomEvent struct {
	Kind RoomEventKind
	// Room is the room's name.
	Room string
	// Socket is the id of the socket that joined or left; empty for rooms created and deleted.
	Socket string
}

// OnRoom adds a listener for what happens to the rooms of this node. It costs nothing as long as there is none.
//
// Events come in pairs: each RoomCreated is followed by one RoomDeleted of that name before the next, each SocketJoined
// by one SocketLeft of that socket, and in between. They come one at a time, in an order in which they happened; a room
// may be created and deleted without a socket in it, when the one that was about to join ended. Sockets' own ids are no
// rooms here: OnConnect and OnDisconnect tell of these. Listeners that are added while there are rooms get the rest of
// their story only, so add them before Listen.
//
// Listeners run on a goroutine of the namespace, after the fact: they may block and use any method. Events wait for them
// in a queue, none is left out. When Config.MaxRoomEvents events are waiting, or on their way to the queue, Join and
// SocketsJoin fail with ErrQueueFull. Events of sockets that leave are always queued. A panic is counted and logged.
func (ns *Namespace) OnRoom(fn func(e RoomEvent)) Registration {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	w := ns.watch.Load()
	if w == nil {
		w = &roomWatch{ns: ns}
		ns.watch.Store(w)
		ns.rooms.Watch(w.room)
	}
	return w.add(fn)
}

// add registers a listener. Its address is its identity.
func (w *roomWatch) add(fn func(e RoomEvent)) Registration {
	l := &fn
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listeners = with(w.listeners, l)
	return Registration{func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.listeners = slices.DeleteFunc(slices.Clone(w.listeners), func(x *func(e RoomEvent)) bool { return x == l })
	}}
}

// roomWatch are the listeners of room events and what waits for them. Safe for concurrent use; nil, as long as nobody
// listens, it has room for everything.
type roomWatch struct {
	ns    *Namespace
	inbox session.Inbox
	// expected are the operations on their way to the loops that will be events.
	expected atomic.Int64
	mu       sync.Mutex
	// listeners are guarded by mu; the slice is replaced, not changed.
	listeners []*func(e RoomEvent)
}

// full reports whether the listeners are too far behind for more to come.
func (w *roomWatch) full() bool {
	return w != nil && int64(w.inbox.Len())+w.expected.Load() >= int64(w.ns.srv.cfg.MaxRoomEvents)
}

// reserve expects n events, and owes arrived for them, unless the listeners are too far behind.
func (w *roomWatch) reserve(n int) bool {
	if w == nil || n == 0 {
		return true
	}
	if expected := w.expected.Add(int64(n)) - int64(n); int64(w.inbox.Len())+expected >= int64(w.ns.srv.cfg.MaxRoomEvents) {
		w.arrived(n)
		return false
	}
	return true
}

// coming expects n events that are never refused, and owes arrived for them.
func (w *roomWatch) coming(n int) { w.arrived(-n) }

// arrived tells that n events, which were expected, are in the queue, or will not come.
func (w *roomWatch) arrived(n int) {
	if w != nil {
		w.expected.Add(-int64(n))
	}
}

// put queues an event. It takes no lock for longer than that, and calls nobody.
func (w *roomWatch) put(e RoomEvent) { w.inbox.PutAlways(&roomReport{w, e}, &w.ns.srv.inbox) }

// room is what the directory tells.
func (w *roomWatch) room(name string, created bool) {
	kind := RoomDeleted
	if created {
		kind = RoomCreated
	}
	w.put(RoomEvent{Kind: kind, Room: name})
}

// roomReport is an event on its way to the listeners.
type roomReport struct {
	w *roomWatch
	e RoomEvent
}

// Do implements session.Job.
func (r *roomReport) Do() {
	r.w.mu.Lock()
	listeners := r.w.listeners
	r.w.mu.Unlock()
	for _, fn := range listeners {
		r.w.ns.guarded(r.e.Kind.String(), func() { (*fn)(r.e) })
	}
}

// Rooms yields the names of the rooms that sockets of this node are in, or about to be, in no order. Sockets' own ids
// are none of them. It may be used while rooms come and go: one that is there all the time is yielded once.
func (ns *Namespace) Rooms() iter.Seq[string] {
	return func(yield func(string) bool) {
		for r := range ns.rooms.All() {
			if !yield(r.Name()) {
				return
			}
		}
	}
}

// RoomNames are the names that Rooms yields, sorted.
func (ns *Namespace) RoomNames() []string { return slices.Sorted(ns.Rooms()) }
