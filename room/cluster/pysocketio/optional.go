package pysocketio

import (
	"context"
	"time"

	"github.com/seed58c87869/siren/room/cluster"
)

// optional passes the optional interfaces of adapters on to the other adapter, if it has them. Immutable.
type optional struct {
	inner cluster.Adapter // nil if there is none
}

var (
	_ cluster.RoomWatcher   = optional{}
	_ cluster.SocketWatcher = optional{}
	_ cluster.Log           = optional{}
)

// WatchesRooms implements cluster.RoomWatcher.
func (o optional) WatchesRooms() bool {
	w, ok := o.inner.(cluster.RoomWatcher)
	return ok && w.WatchesRooms()
}

// RoomCreated implements cluster.RoomWatcher.
func (o optional) RoomCreated(namespace, room string) {
	o.inner.(cluster.RoomWatcher).RoomCreated(namespace, room)
}

// RoomDeleted implements cluster.RoomWatcher.
func (o optional) RoomDeleted(namespace, room string) {
	o.inner.(cluster.RoomWatcher).RoomDeleted(namespace, room)
}

// WatchesSockets implements cluster.SocketWatcher.
func (o optional) WatchesSockets() bool {
	w, ok := o.inner.(cluster.SocketWatcher)
	return ok && w.WatchesSockets()
}

// SocketConnected implements cluster.SocketWatcher.
func (o optional) SocketConnected(ctx context.Context, namespace, id string) {
	o.inner.(cluster.SocketWatcher).SocketConnected(ctx, namespace, id)
}

// SocketDisconnected implements cluster.SocketWatcher.
func (o optional) SocketDisconnected(namespace, id string) {
	o.inner.(cluster.SocketWatcher).SocketDisconnected(namespace, id)
}

// HasLog implements cluster.Log.
func (o optional) HasLog() bool {
	l, ok := o.inner.(cluster.Log)
	return ok && l.HasLog()
}

// SubscribeLog implements cluster.Log.
func (o optional) SubscribeLog(namespace string, receive func(m *cluster.Message)) error {
	return o.inner.(cluster.Log).SubscribeLog(namespace, receive)
}

// InOrder implements cluster.Log.
func (o optional) InOrder(namespace string, fn func()) bool {
	return o.inner.(cluster.Log).InOrder(namespace, fn)
}

// SaveSession implements cluster.Log.
func (o optional) SaveSession(s *cluster.Session, ttl time.Duration) error {
	return o.inner.(cluster.Log).SaveSession(s, ttl)
}

// TakeSession implements cluster.Log.
func (o optional) TakeSession(ctx context.Context, pid string) (*cluster.Session, error) {
	return o.inner.(cluster.Log).TakeSession(ctx, pid)
}

// ReadLog implements cluster.Log.
func (o optional) ReadLog(
	ctx context.Context, namespace string, after, until cluster.Offset, each func(m *cluster.Message) bool,
) error {
	return o.inner.(cluster.Log).ReadLog(ctx, namespace, after, until, each)
}

// Health implements cluster.HealthReporter: that of the other adapter.
func (o optional) Health() cluster.Health {
	if r, ok := o.inner.(cluster.HealthReporter); ok {
		return r.Health()
	}
	return cluster.Health{State: cluster.Up}
}

// Stats implements cluster.HealthReporter.
func (o optional) Stats() cluster.Stats {
	if r, ok := o.inner.(cluster.HealthReporter); ok {
		return r.Stats()
	}
	return cluster.Stats{}
}
