package redis

import (
	"sync"

	"github.com/seed58c87869/siren/room/cluster"
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
	a       *Adapter // immutable, as name and receive are
	name    string
	receive func(m *cluster.Message)

	mu sync.Mutex // guards what follows
	// queue has what waits.
	queue []delivery
	bytes int
	// running is set while a goroutine delivers the queue; there is one only while there are messages.
	running, closed bool
	// others is how many other nodes had the namespace when they were last counted.
	others int
}

// put queues a message. If too many wait, it is dropped and counted: the broker and other namespaces must not wait.
func (sp *space) put(d delivery) {
	size := len(d.payload) + deliveryOverhead
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if sp.closed {
		return
	}
	if len(sp.queue) >= sp.a.cfg.InboxMessages || len(sp.queue) > 0 && sp.bytes+size > sp.a.cfg.InboxBytes {
		sp.a.status.droppedBehind.Add(1)
		return
	}
	sp.queue = append(sp.queue, d)
	sp.bytes += size
	if !sp.running {
		sp.running = true
		go sp.run()
	}
}

// run delivers the messages until there are none.
func (sp *space) run() {
	var batch []delivery
	for {
		sp.mu.Lock()
		if len(sp.queue) == 0 || sp.closed {
			sp.running, sp.queue = false, nil
			sp.mu.Unlock()
			return
		}
		batch, sp.queue = sp.queue, batch[:0]
		sp.mu.Unlock()
		for i := range batch {
			sp.deliver(&batch[i])
		}
		if cap(batch) > keptMax {
			batch = nil
		}
		clear(batch)
	}
}

// deliver decodes a message and hands it to the server.
func (sp *space) deliver(d *delivery) {
	sp.mu.Lock()
	closed := sp.closed
	sp.bytes -= len(d.payload) + deliveryOverhead
	sp.mu.Unlock()
	if closed {
		return
	}
	if len(d.payload) > sp.a.cfg.MaxMessage {
		sp.a.status.malformed.Add(1)
		return
	}
	switch err := sp.a.format.decode(sp, d); err {
	case nil:
		sp.a.status.received.Add(1)
		sp.a.status.receivedBytes.Add(uint64(len(d.payload)))
	case errOwn:
	default:
		sp.a.status.malformed.Add(1)
	}
}

// close ends the delivery.
func (sp *space) close() {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	sp.closed, sp.queue, sp.bytes = true, nil, 0
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
