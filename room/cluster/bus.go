package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// The bounds of the queue of one node of a Bus. A node whose queue is full loses messages, and their senders get
// ErrFull.
const (
	busMessagesMax = 1 << 16
	busBytesMax    = 64 << 20
)

// Bus is a cluster within one process: its nodes are servers that share nothing else. Safe for concurrent use. Messages
// from one node reach another one in their order. The queue of each node is bounded.
type Bus struct {
	mu sync.RWMutex
	// nodes are guarded by mu.
	nodes map[string]*busNode
}

// NewBus returns a bus without nodes.
func NewBus() *Bus { return &Bus{nodes: map[string]*busNode{}} }

// Node adds a node with that id and returns its adapter, for one server. If another node that is not closed has the id,
// all methods of the adapter fail.
func (b *Bus) Node(id string) Adapter {
	n := &busNode{bus: b, id: id, receivers: map[string]func(*Message){}}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.nodes[id] != nil {
		n.closed = true
		return n
	}
	b.nodes[id] = n
	return n
}

// peers returns the other nodes with that namespace, sorted by id.
func (b *Bus) peers(of *busNode, namespace string) []*busNode {
	b.mu.RLock()
	defer b.mu.RUnlock()
	var out []*busNode
	for _, n := range b.nodes {
		if n != of && n.has(namespace) {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, func(a, b *busNode) int {
		if a.id < b.id {
			return -1
		}
		return 1
	})
	return out
}

func (b *Bus) node(id string) *busNode {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.nodes[id]
}

// busNode is one node's end of a Bus. Safe for concurrent use.
type busNode struct {
	bus *Bus
	id  string

	mu sync.Mutex // guards what follows
	// receivers has the subscribed namespaces.
	receivers map[string]func(*Message)
	queue     []*Message
	bytes     int
	// running is set while a goroutine delivers the queue; there is one only while there are messages.
	running bool
	closed  bool
}

// Node implements Adapter.
func (n *busNode) Node() string { return n.id }

func (n *busNode) has(namespace string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.receivers[namespace] != nil
}

// Subscribe implements Adapter.
func (n *busNode) Subscribe(namespace string, receive func(m *Message)) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return ErrClosed
	}
	n.receivers[namespace] = receive
	return nil
}

// Unsubscribe implements Adapter.
func (n *busNode) Unsubscribe(namespace string) {
	n.mu.Lock()
	_, there := n.receivers[namespace]
	delete(n.receivers, namespace)
	n.mu.Unlock()
	if there {
		n.farewell(namespace)
	}
}

// Publish implements Adapter. If the queues of some nodes are full, the others get the message, and the error names
// those nodes.
func (n *busNode) Publish(m *Message) error {
	if err := n.usable(); err != nil {
		return err
	}
	var errs []error
	for _, peer := range n.bus.peers(n, m.Namespace) {
		errs = append(errs, peer.put(m))
	}
	return errors.Join(errs...)
}

// Send implements Adapter.
func (n *busNode) Send(node string, m *Message) error {
	if err := n.usable(); err != nil {
		return err
	}
	peer := n.bus.node(node)
	if peer == nil || peer == n {
		return fmt.Errorf("cluster: no node %q", node)
	}
	return peer.put(m)
}

func (n *busNode) usable() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return ErrClosed
	}
	return nil
}

// Peers implements Adapter.
func (n *busNode) Peers(_ context.Context, namespace string) (Peers, error) {
	if err := n.usable(); err != nil {
		return Peers{}, err
	}
	nodes := []string{}
	for _, peer := range n.bus.peers(n, namespace) {
		nodes = append(nodes, peer.id)
	}
	return Peers{Count: len(nodes), Nodes: nodes}, nil
}

// Close implements Adapter.
func (n *busNode) Close() error {
	n.bus.mu.Lock()
	if n.bus.nodes[n.id] == n {
		delete(n.bus.nodes, n.id)
	}
	n.bus.mu.Unlock()
	n.mu.Lock()
	n.closed = true
	namespaces := n.receivers
	n.receivers, n.queue, n.bytes = map[string]func(*Message){}, nil, 0
	n.mu.Unlock()
	for namespace := range namespaces {
		n.farewell(namespace)
	}
	return nil
}

// farewell tells the other nodes that this one has left a namespace. A node whose queue is full is not told.
func (n *busNode) farewell(namespace string) {
	for _, peer := range n.bus.peers(n, namespace) {
		_ = peer.put(&Message{Kind: NodeLeft, Namespace: namespace, From: n.id})
	}
}

// put queues a message for this node.
func (n *busNode) put(m *Message) error {
	size := m.Size()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil // the node has left meanwhile and is no peer any more
	}
	if len(n.queue) >= busMessagesMax || len(n.queue) > 0 && n.bytes+size > busBytesMax {
		return fmt.Errorf("%w: node %q", ErrFull, n.id)
	}
	n.queue = append(n.queue, m)
	n.bytes += size
	if !n.running {
		n.running = true
		go n.run()
	}
	return nil
}

// run delivers the messages until there are none.
func (n *busNode) run() {
	for {
		n.mu.Lock()
		batch := n.queue
		n.queue, n.bytes = nil, 0
		if len(batch) == 0 {
			n.running = false
			n.mu.Unlock()
			return
		}
		n.mu.Unlock()
		for _, m := range batch {
			n.mu.Lock()
			receive := n.receivers[m.Namespace]
			n.mu.Unlock()
			if receive != nil {
				receive(m)
			}
		}
	}
}
