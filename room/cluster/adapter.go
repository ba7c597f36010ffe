package cluster

import (
	"context"
	"errors"
)

// The errors of adapters; compare with errors.Is.
var (
	// ErrFull: what waits for the broker, or for a node, is at its limit. The message was dropped for it.
	ErrFull = errors.New("cluster: queue full")
	// ErrClosed: the adapter was closed.
	ErrClosed = errors.New("cluster: closed")
)

// Adapter carries messages to the other nodes of a cluster and brings theirs. Safe for concurrent use. One server has
// it, calls Subscribe for each of its namespaces, and closes it at its own end.
type Adapter interface {
	// Node is the id of this node, which no other node has. It does not change.
	Node() string
	// Subscribe has receive called with the messages of other nodes for that namespace, those that are for all and
	// those that are for this node, from now on until Unsubscribe or Close. The messages of one node come in the order in
	// which it published them, one at a time; receive may take a while when this server is behind. Connecting to a
	// broker goes on in the background: Subscribe does not block.
	Subscribe(namespace string, receive func(m *Message)) error
	// Unsubscribe is the end of a namespace. What is under way may still come.
	Unsubscribe(namespace string)
	// Publish sends a message to all other nodes that have its namespace. It does not block: it queues, within bounds, or
	// fails. nil means that the message is on its way, not that it has arrived.
	Publish(m *Message) error
	// Send is Publish to one node: for answers.
	Send(node string, m *Message) error
	// Peers are the other nodes that have the namespace, as far as is known. It may block until ctx ends.
	Peers(ctx context.Context, namespace string) (Peers, error)
	// Close leaves the cluster, after what was published before, in a bounded time.
	Close() error
}

// Peers are the other nodes of a cluster. Immutable.
type Peers struct {
	// Count is how many there are.
	Count int
	// Nodes are their ids, or nil when only their number can be known.
	Nodes []string
}

// RoomWatcher is what an Adapter also implements that subscribes to rooms one by one: it is told the rooms that this
// node has members in. The calls come in order, off the event loops; a room is created, and later deleted, again
// and again. They may take a while, but then joins are refused at a limit.
type RoomWatcher interface {
	RoomCreated(namespace, room string)
	RoomDeleted(namespace, room string)
}
