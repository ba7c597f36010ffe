package redis

import (
	"sync"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/broker"
)

// delivery is a message from the broker that was not decoded yet. Immutable.
type delivery struct {
	role    role
	channel string
	payload string
	// entry is set for an entry of a stream.
	entry *entry
}

// deliveryOverhead is the size of a delivery besides its payload, in bytes.
const deliveryOverhead = 96

// space is a namespace of the server with the messages that wait for it. Safe for concurrent use.
type space struct {
	a       *Adapter // immutable, as the following fields are
	name    string
	receive func(m *cluster.Message)
	inbox   *broker.Inbox[delivery]

	mu sync.Mutex // guards others
	// others is how many other nodes had the namespace when they were last counted.
	others int
}

func newSpace(a *Adapter, name string, receive func(m *cluster.Message)) *space {
	sp := &space{a: a, name: name, receive: receive}
	bounds := broker.Bounds{Messages: a.cfg.InboxMessages, Bytes: a.cfg.InboxBytes}
	sp.inbox = broker.NewInbox(bounds, func(d *delivery) int { return len(d.payload) + deliveryOverhead }, sp.deliver)
	return sp
}

// put queues a message. If too many wait, it is dropped and counted.
func (sp *space) put(d delivery) {
	if !sp.inbox.Put(d) {
		sp.a.status.DroppedBehind.Add(1)
	}
}

// deliver decodes a message and hands it to the server.
func (sp *space) deliver(d *delivery) {
	if len(d.payload) > sp.a.cfg.MaxMessage {
		sp.a.status.Malformed.Add(1)
		return
	}
	switch err := sp.a.format.decode(sp, d); err {
	case nil:
		sp.a.status.Received.Add(1)
		sp.a.status.ReceivedBytes.Add(uint64(len(d.payload)))
	case errOwn:
	default:
		sp.a.status.Malformed.Add(1)
	}
}

// counted notes how many other nodes have the namespace.
func (sp *space) counted(others int) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	sp.others = others
}

// lastCount is how many other nodes had it.
func (sp *space) lastCount() int {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	return sp.others
}
