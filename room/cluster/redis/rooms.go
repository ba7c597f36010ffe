package redis

import (
	"context"
)

// WatchesRooms implements cluster.RoomWatcher.
func (a *Adapter) WatchesRooms() bool { return a.cfg.Rooms == RoomsOneByOne || a.WatchesSockets() }

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
	if sp := a.space(namespace); sp != nil {
		if c, to, ok := a.format.room(sp, room); ok {
			a.subs.Want(map[channel]route{c: to})
		}
	}
}

// RoomDeleted implements cluster.RoomWatcher.
func (a *Adapter) RoomDeleted(namespace, room string) {
	if sp := a.space(namespace); sp != nil {
		if c, _, ok := a.format.room(sp, room); ok {
			a.subs.Drop(c)
		}
	}
}

// RoomReady waits until this node gets what other nodes emit to a room that one of its sockets has joined. With
// RoomsByPattern that is at once. It returns an error when ctx ends, and when the broker is not up.
func (a *Adapter) RoomReady(ctx context.Context, namespace, room string) error {
	sp := a.space(namespace)
	if sp == nil || !a.WatchesRooms() {
		return nil
	}
	c, _, ok := a.format.room(sp, room)
	if !ok {
		return nil
	}
	ctx, cancel := a.status.WhileUp(ctx)
	defer cancel(nil)
	return a.subs.Await(ctx, c)
}
