package redis

import (
	"fmt"
	"slices"
	"sync"

	"github.com/seed58c87869/siren/room/cluster"
)

// outgoing is a message that waits for the broker. Immutable.
type outgoing struct {
	m *cluster.Message
	// node is the one that an answer is for; empty for all.
	node string
	size int
}

// outbox is the bounded queue in front of the broker. Safe for concurrent use.
type outbox struct {
	messagesMax, bytesMax int // immutable

	mu    sync.Mutex // guards what follows
	queue []outgoing
	bytes int
	// wake has room for one: there is something to send.
	wake chan struct{}
	// idle is closed when nothing waits and nothing is being sent; nil while nobody wants to know.
	idle chan struct{}
	// sending is how many messages the sender has taken and not reported yet.
	sending int
}

// keptMax is the largest capacity of a queue that is kept when it is empty, in messages.
const keptMax = 4096

func newOutbox(messages, bytes int) *outbox {
	return &outbox{messagesMax: messages, bytesMax: bytes, wake: make(chan struct{}, 1)}
}

// put queues a message, or fails with ErrFull.
func (o *outbox) put(out outgoing) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue)+o.sending >= o.messagesMax || len(o.queue) > 0 && o.bytes+out.size > o.bytesMax {
		return fmt.Errorf("%w: %d messages wait for the broker", cluster.ErrFull, len(o.queue))
	}
	o.queue = append(o.queue, out)
	o.bytes += out.size
	if len(o.queue) == 1 {
		select {
		case o.wake <- struct{}{}:
		default:
		}
	}
	return nil
}

// take moves up to n messages of the front to the sender, which calls sent for them.
func (o *outbox) take(batch []outgoing, n, bytes int) []outgoing {
	o.mu.Lock()
	defer o.mu.Unlock()
	count := 0
	for ; count < len(o.queue) && count < n; count++ {
		if bytes -= o.queue[count].size; bytes < 0 && count > 0 {
			break
		}
		o.bytes -= o.queue[count].size
	}
	batch = append(batch, o.queue[:count]...)
	o.sending += count
	if count == len(o.queue) {
		clear(o.queue)
		o.queue = o.queue[:0]
		if cap(o.queue) > keptMax {
			o.queue = nil
		}
		return batch
	}
	clear(o.queue[:count])
	o.queue = o.queue[count:]
	return batch
}

// sent notes that the sender is done with n messages.
func (o *outbox) sent(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sending -= n
	if len(o.queue)+o.sending == 0 && o.idle != nil {
		close(o.idle)
		o.idle = nil
	}
}

// drop removes the messages that are not kept, and returns how many there were.
func (o *outbox) drop(keeps func(m *cluster.Message) bool) int {
	o.mu.Lock()
	before := len(o.queue)
	o.queue = slices.DeleteFunc(o.queue, func(x outgoing) bool {
		if keeps(x.m) {
			return false
		}
		o.bytes -= x.size
		return true
	})
	n := before - len(o.queue)
	o.mu.Unlock()
	o.sent(0)
	return n
}

// empty returns a channel that is closed when nothing waits and nothing is being sent.
func (o *outbox) empty() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	ch := make(chan struct{})
	if len(o.queue)+o.sending == 0 {
		close(ch)
		return ch
	}
	if o.idle == nil {
		o.idle = ch
	}
	return o.idle
}

// size returns how much waits.
func (o *outbox) size() (messages, bytes int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.queue) + o.sending, o.bytes
}
