package server

import (
	"iter"
	"slices"

	"github.com/seed58c87869/siren/server/internal/listeners"
)

// RoomEventKind is the kind of a RoomEvent. Immutable.
type RoomEventKind uint8

// The kinds of room events.
const (
	// RoomCreated: the room exists now, because a socket of this node is about to join it.
	RoomCreated RoomEventKind = iota
	// SocketJoined: a socket is in the room.
	SocketJoined
	// SocketLeft: the socket is out of it, or has ended.
	SocketLeft
	// RoomDeleted: no socket of this node is in the room any longer.
	RoomDeleted
)

// String returns the reference's name of the event.
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

// MarshalText returns the reference's name of the event, for JSON and for logs.
func (k RoomEventKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// RoomEvent is something that happened to a room on this node. Immutable.
type RoomEvent struct {
	Kind RoomEventKind `json:"kind"`
	// Room is the room's name.
	Room string `json:"room"`
	// Socket is the id of the socket that joined or left; empty for rooms created and deleted.
	Socket string `json:"socket,omitempty"`
}

// OnRoom adds a listener for the events of this node's rooms. It costs nothing while there is none.
//
// Events come in pairs: each RoomCreated is followed by one RoomDeleted of that name before the next RoomCreated; each
// SocketJoined is followed by one SocketLeft of that socket, both within that time. Events come one at a time, in an
// order in which they happened. A room may be created and deleted without a socket in it, if the joining socket ended.
// Sockets' own ids are no rooms here; OnConnect and OnDisconnect report these. A listener that is added while rooms
// exist gets only their later events, so add listeners before Listen.
//
// Listeners run on a goroutine of the namespace, after the event: they may block and use any method. Events wait in a
// queue, and none is left out. When Config.MaxRoomEvents events are waiting, or on their way to the queue, Join and
// SocketsJoin fail with ErrQueueFull. Events of sockets that leave are always queued. A panic is counted and logged.
func (ns *Namespace) OnRoom(fn func(e RoomEvent)) Registration {
	need(fn != nil, "OnRoom")
	ns.mu.Lock()
	defer ns.mu.Unlock()
	w := ns.watch.Load()
	if w == nil {
		w = ns.newRoomWatch()
		ns.watch.Store(w)
		ns.rooms.Watch(func(name string, created bool) {
			kind := RoomDeleted
			if created {
				kind = RoomCreated
			}
			w.Put(RoomEvent{Kind: kind, Room: name})
		})
	}
	return Registration{w.Add(fn)}
}

// roomWatch are the listeners of room events, and the events that wait for them.
type roomWatch = listeners.Queue[RoomEvent]

func (ns *Namespace) newRoomWatch() *roomWatch {
	return &roomWatch{Max: ns.srv.cfg.MaxRoomEvents, Limits: &ns.srv.inbox, Call: func(e RoomEvent, fn func(e RoomEvent)) {
		ns.guarded(e.Kind.String(), func() { fn(e) })
	}}
}

// Rooms yields the names of the rooms that sockets of this node are in, or are joining, in no order. Sockets' own ids
// are not included. It may be used while rooms come and go: a room that exists all the time is yielded once.
func (ns *Namespace) Rooms() iter.Seq[string] {
	return func(yield func(string) bool) {
		for r := range ns.rooms.All() {
			if !yield(r.Name()) {
				return
			}
		}
	}
}

// RoomNames returns the names that Rooms yields, sorted.
func (ns *Namespace) RoomNames() []string { return slices.Sorted(ns.Rooms()) }
