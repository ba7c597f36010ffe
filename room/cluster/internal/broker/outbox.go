package broker

import (
	"fmt"
	"slices"
	"sync"

	"github.com/seed58c87869/siren/room/cluster"
)

// Outgoing is a message that waits for the broker. Immutable.
type Outgoing struct {
	// Message is nil if something else waits, which Other is.
	Message *cluster.Message
	Other   any
	// Node is the one that an answer is for; empty for all.
	Node string
	// Size is what the message counts in the bounds of the queue, in bytes.
	Size int
	// Number is that of a message that the broker's log has to return, in its namespace; 0 for others.
	Number uint64
}

// Outbox is the bounded queue in front of the broker. Safe for concurrent use.
type Outbox struct {
	messagesMax, bytesMax int // immutable
	// Wake has room for one: there is something to send.
	Wake chan struct{}

	mu    sync.Mutex // guards what follows
	queue []Outgoing
	bytes int
	// idle is closed when nothing waits and nothing is being sent; nil while nobody wants to know.
	idle chan struct{}
	// sending is how many messages the sender has taken and not reported yet.
	sending int
}

// keptMax is the largest capacity of a queue that is kept when it is empty, in messages.
const keptMax = 4096

// NewOutbox returns a queue for that many messages, of that many bytes.
func NewOutbox(messages, bytes int) *Outbox {
	return &Outbox{messagesMax: messages, bytesMax: bytes, Wake: make(chan struct{}, 1)}
}

// Put queues a message, or fails with ErrFull.
func (o *Outbox) Put(out Outgoing) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue)+o.sending >= o.messagesMax || len(o.queue) > 0 && o.bytes+out.Size > o.bytesMax {
		return fmt.Errorf("%w: %d messages wait for the broker", cluster.ErrFull, len(o.queue))
	}
	o.queue = append(o.queue, out)
	o.bytes += out.Size
	if len(o.queue) == 1 {
		select {
		case o.Wake <- struct{}{}:
		default:
		}
	}
	return nil
}

// Take moves up to n messages of the front to the sender, which calls Sent for them.
func (o *Outbox) Take(batch []Outgoing, n, bytes int) []Outgoing {
	o.mu.Lock()
	defer o.mu.Unlock()
	count := 0
	for ; count < len(o.queue) && count < n; count++ {
		if bytes -= o.queue[count].Size; bytes < 0 && count > 0 {
			break
		}
		o.bytes -= o.queue[count].Size
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

// Sent notes that the sender is done with n messages.
func (o *Outbox) Sent(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sending -= n
	if len(o.queue)+o.sending == 0 && o.idle != nil {
		close(o.idle)
		o.idle = nil
	}
}

// Drop removes the messages that are not kept, and returns how many there were.
func (o *Outbox) Drop(keeps func(m *cluster.Message) bool) int {
	o.mu.Lock()
	before := len(o.queue)
	o.queue = slices.DeleteFunc(o.queue, func(x Outgoing) bool {
		if x.Message == nil || keeps(x.Message) {
			return false
		}
		o.bytes -= x.Size
		return true
	})
	n := before - len(o.queue)
	o.mu.Unlock()
	o.Sent(0)
	return n
}

// Empty returns a channel that is closed when nothing waits and nothing is being sent.
func (o *Outbox) Empty() <-chan struct{} {
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

// Size returns how much waits.
func (o *Outbox) Size() (messages, bytes int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.queue) + o.sending, o.bytes
}
