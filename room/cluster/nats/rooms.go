package nats

import "context"

// WatchesRooms implements cluster.RoomWatcher.
func (a *Adapter) WatchesRooms() bool { return a.cfg.Rooms != RoomsByPattern }

// WatchesSockets implements cluster.SocketWatcher.
func (a *Adapter) WatchesSockets() bool { return a.cfg.Rooms == RoomsPrivate }

// SocketConnected implements cluster.SocketWatcher: a socket's id is a room with that socket. It returns when the node
// gets the room's messages, or at once while the broker is not up.
func (a *Adapter) SocketConnected(ctx context.Context, namespace, id string) {
	a.RoomCreated(namespace, id)
	_ = a.RoomReady(ctx, namespace, id) // without the broker there is nobody to send anything
}

// SocketDisconnected implements cluster.SocketWatcher.
func (a *Adapter) SocketDisconnected(namespace, id string) { a.RoomDeleted(namespace, id) }

// RoomCreated implements cluster.RoomWatcher.
func (a *Adapter) RoomCreated(namespace, room string) {
	if sp, subject := a.room(namespace, room); sp != nil {
		a.subs.Want(map[string]*space{subject: sp})
	}
}

// RoomDeleted implements cluster.RoomWatcher.
func (a *Adapter) RoomDeleted(namespace, room string) {
	if sp, subject := a.room(namespace, room); sp != nil {
		a.subs.Drop(subject)
	}
}

// room returns the subject of a room, or nil if the node gets the room's messages anyway.
func (a *Adapter) room(namespace, room string) (*space, string) {
	sp := a.space(namespace)
	if sp == nil || !a.WatchesRooms() || !hasSubject(room, a.WatchesSockets()) {
		return nil, ""
	}
	return sp, sp.subjects.room + token(room)
}

// RoomReady waits until this node gets what other nodes emit to a room that one of its sockets has joined. With
// RoomsByPattern that is at once. It returns an error when ctx ends, and when the broker is not up.
func (a *Adapter) RoomReady(ctx context.Context, namespace, room string) error {
	sp, subject := a.room(namespace, room)
	if sp == nil {
		return nil
	}
	ctx, cancel := a.status.WhileUp(ctx)
	defer cancel(nil)
	return a.subs.Await(ctx, subject)
}
