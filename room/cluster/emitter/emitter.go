// Package emitter publishes to the clients of a cluster from a program that is no server, through the adapter of the
// cluster's broker.
//
//	a, err := redis.New(redis.Config{URL: "redis://127.0.0.1:6379", PublishOnly: true})
//	if err != nil {
//		return err
//	}
//	e := emitter.New(a)
//	defer e.Close()
//	err = e.Of("/").To("news").Emit("headline", "It works")
//
// Methods only queue, within the adapter's bounds, and report what it reports; Flush of the adapter waits until the
// broker has everything. Nobody answers an emitter, so it has no acknowledgements and fetches nothing.
package emitter

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room/cluster"
)

// Emitter publishes through an adapter, which belongs to it. Safe for concurrent use.
type Emitter struct{ adapter cluster.Adapter }

// New returns an emitter. The adapter must not belong to a server.
func New(a cluster.Adapter) *Emitter { return &Emitter{a} }

// Close sends what was published before, in a bounded time, and closes the adapter.
func (e *Emitter) Close() error { return e.adapter.Close() }

// Of returns the operator for all sockets of a namespace, whose name gets a slash in front if it has none.
func (e *Emitter) Of(namespace string) Operator {
	if !strings.HasPrefix(namespace, "/") {
		namespace = "/" + namespace
	}
	return Operator{e: e, namespace: namespace}
}

// Operator selects sockets, with flags. An immutable value: each method returns a new one.
type Operator struct {
	e         *Emitter
	namespace string
	target    cluster.Target
}

// To selects the sockets in one of the rooms, beside those that were selected before. A socket's id is a room with that
// socket.
func (o Operator) To(rooms ...string) Operator {
	o.target.Rooms = slices.Concat(o.target.Rooms, rooms)
	return o
}

// Except leaves out the sockets in one of the rooms.
func (o Operator) Except(rooms ...string) Operator {
	o.target.Except = slices.Concat(o.target.Except, rooms)
	return o
}

// Users selects the sockets of users, in formats that have them.
func (o Operator) Users(users ...string) Operator {
	o.target.Users = slices.Concat(o.target.Users, users)
	return o
}

// Volatile drops events for sockets that cannot take them at once.
func (o Operator) Volatile() Operator {
	o.target.Volatile = true
	return o
}

// Compress allows or forbids compression of the event.
func (o Operator) Compress(on bool) Operator {
	o.target.NoCompress = !on
	return o
}

// Emit sends an event. Arguments are encoded as by a server, binary data included. Errors are the adapter's, and those
// of values that cannot be encoded.
func (o Operator) Emit(event string, args ...any) error {
	data, err := eventData(event, args)
	if err != nil {
		return err
	}
	return o.publish(&cluster.Message{Kind: cluster.Broadcast, Data: data})
}

// SocketsJoin puts the sockets into rooms.
func (o Operator) SocketsJoin(rooms ...string) error {
	return o.move(cluster.SocketsJoin, rooms)
}

// SocketsLeave takes the sockets out of rooms.
func (o Operator) SocketsLeave(rooms ...string) error {
	return o.move(cluster.SocketsLeave, rooms)
}

func (o Operator) move(kind cluster.Kind, rooms []string) error {
	if len(rooms) == 0 {
		return nil
	}
	return o.publish(&cluster.Message{Kind: kind, Rooms: slices.Clone(rooms)})
}

// DisconnectSockets disconnects the sockets, with their connections if closeConns is set.
func (o Operator) DisconnectSockets(closeConns bool) error {
	return o.publish(&cluster.Message{Kind: cluster.DisconnectSockets, Close: closeConns})
}

// ServerSideEmit sends an event to the servers themselves. The selection does not matter.
func (o Operator) ServerSideEmit(event string, args ...any) error {
	data, err := eventData(event, args)
	if err != nil {
		return err
	}
	o.target = cluster.Target{}
	return o.publish(&cluster.Message{Kind: cluster.ServerSideEmit, Data: data})
}

func eventData(event string, args []any) (sio.Raw, error) {
	text, attachments, err := sio.AppendEventPayload(nil, event, args)
	if err != nil {
		return sio.Raw{}, fmt.Errorf("emitter: %w", err)
	}
	for i, b := range attachments { // the caller may change them
		attachments[i] = slices.Clone(b)
	}
	return sio.Raw{JSON: text, Attachments: attachments}, nil
}

func (o Operator) publish(m *cluster.Message) error {
	m.Namespace, m.From, m.Target = o.namespace, o.e.adapter.Node(), o.target
	return o.e.adapter.Publish(m)
}
