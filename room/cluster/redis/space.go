package redis

import (
	"sync"
	"sync/atomic"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/broker"
	"github.com/seed58c87869/siren/room/cluster/internal/echo"
)

// delivery is a message from the broker that was not decoded yet. Immutable.
type delivery struct {
	role    role
	channel string
	payload string
	// entry is set for an entry of a stream, or a position in it.
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
	// log has what this node has published to the stream, until it comes back; nil unless clients recover.
	log *echo.Queue
	// sent is the number of the latest message in log that was sent.
	sent atomic.Uint64
	// hurried is set while the inbox has been told to look at log.
	hurried atomic.Bool

	mu sync.Mutex // guards what follows
	// others is how many other nodes had the namespace when they were last counted.
	others int
	// missed is the last entry that was dropped since the server was told a position; zero if none was.
	missed cluster.Offset
}

func newSpace(a *Adapter, name string, receive func(m *cluster.Message)) *space {
	sp := &space{a: a, name: name, receive: receive}
	bounds := broker.Bounds{Messages: a.cfg.InboxMessages, Bytes: a.cfg.InboxBytes}
	sp.inbox = broker.NewInbox(bounds, func(d *delivery) int { return len(d.payload) + deliveryOverhead }, sp.deliver)
	return sp
}

// put queues a message. If too many wait, it is dropped and counted.
func (sp *space) put(d delivery) {
	if d.entry != nil && sp.log != nil {
		sp.putEntry(d)
		return
	}
	if !sp.inbox.Put(d) {
		sp.a.status.DroppedBehind.Add(1)
	}
}

// deliver decodes a message and hands it to the server.
func (sp *space) deliver(d *delivery) {
	if d.entry != nil && sp.log != nil && sp.followed(d) {
		return
	}
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
