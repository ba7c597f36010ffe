package cluster

import (
	"context"
	"errors"
)

// Errors of adapters; compare with errors.Is.
var (
	// ErrFull means that the queue for the broker or for a node is full. The message was dropped for it.
	ErrFull = errors.New("cluster: queue full")
	// ErrClosed means that the adapter was closed.
	ErrClosed = errors.New("cluster: closed")
	// ErrDown means that the broker cannot be reached or does not answer. Nothing was sent.
	ErrDown = errors.New("cluster: broker is down")
	// ErrTooLong means that the message is longer than the adapter or the broker takes. Nothing was sent.
	ErrTooLong = errors.New("cluster: message too long")
	// ErrUnsupported means that the broker's format has no place for the message. Nothing was sent.
	ErrUnsupported = errors.New("cluster: not in the broker's format")
	// ErrGone means that the broker's log no longer has what was asked for.
	ErrGone = errors.New("cluster: no longer in the log")
)

// Adapter carries messages between the nodes of a cluster. Safe for concurrent use. It belongs to one server, which
// calls Subscribe for each of its namespaces and closes the adapter when the server closes.
type Adapter interface {
	// Node returns the id of this node. It is unique in the cluster and does not change.
	Node() string
	// Subscribe makes the adapter call receive with other nodes' messages for that namespace, to all nodes or to this
	// node, until Unsubscribe or Close. The messages of one node arrive in the order in which it published them, one at
	// a time; receive may take a while if this server is behind. Subscribe does not block: the adapter connects to its
	// broker in the background.
	Subscribe(namespace string, receive func(m *Message)) error
	// Unsubscribe ends the subscription of a namespace. Messages on their way may still arrive.
	Unsubscribe(namespace string)
	// Publish sends a message to all other nodes that have its namespace. It does not block: it queues, within bounds,
	// or fails. nil means that the message is queued, not that it has arrived.
	Publish(m *Message) error
	// Send is Publish to one node, for answers.
	Send(node string, m *Message) error
	// Peers returns the known other nodes that have the namespace. It may block until ctx ends.
	Peers(ctx context.Context, namespace string) (Peers, error)
	// Close leaves the cluster after sending what was published before, in a bounded time.
	Close() error
}

// Peers describes the other nodes of a cluster. Immutable.
type Peers struct {
	// Count is the number of nodes.
	Count int
	// Nodes are their ids, or nil if only their number is known.
	Nodes []string
}

// RoomWatcher is an optional interface of an Adapter that subscribes to rooms one by one. RoomCreated and RoomDeleted
// report the rooms in which this node has members. The calls come in order, off the event loops; a room may be created
// and deleted many times. They may take a while, but joins are refused when too many events wait.
type RoomWatcher interface {
	// WatchesRooms reports whether the adapter wants the calls. It is asked before Subscribe, and does not change.
	WatchesRooms() bool
	RoomCreated(namespace, room string)
	RoomDeleted(namespace, room string)
}

// SocketWatcher is an optional interface of an Adapter that subscribes to sockets one by one: other nodes send to a
// socket by its id, which is a room with that socket.
type SocketWatcher interface {
	// WatchesSockets reports whether the adapter wants the calls. It is asked before Subscribe, and does not change.
	WatchesSockets() bool
	// SocketConnected reports a socket before its client knows its id. It may block, for a bounded time, and ctx ends
	// with the socket. SocketDisconnected reports its end.
	SocketConnected(ctx context.Context, namespace, id string)
	SocketDisconnected(namespace, id string)
}
