package broker

import "sync"

// Bounds are those of an inbox. Immutable.
type Bounds struct{ Messages, Bytes int }

// Inbox has the messages of one namespace that came from the broker and wait for the server. Its goroutine delivers
// them one at a time, in their order. Safe for concurrent use.
type Inbox[M any] struct {
	bounds  Bounds // immutable, as the following fields are
	deliver func(m *M)
	size    func(m *M) int

	mu sync.Mutex // guards what follows
	// queue has what waits, except for what run has taken. waiting and bytes count both.
	queue          []M
	waiting, bytes int
	// running is set while a goroutine delivers the queue; there is one only while there are messages.
	running, closed bool
}

// NewInbox returns an inbox. deliver is called on the inbox's goroutine, size tells how much memory a message holds.
func NewInbox[M any](b Bounds, size func(m *M) int, deliver func(m *M)) *Inbox[M] {
	return &Inbox[M]{bounds: b, deliver: deliver, size: size}
}

// Put queues a message. It returns false if too many wait: the broker and other namespaces must not wait. A closed
// inbox takes messages and forgets them.
func (in *Inbox[M]) Put(m M) bool { return in.put(m, false) }

// PutAlways queues a message that no bound holds up: one of the adapter itself, of which there are few.
func (in *Inbox[M]) PutAlways(m M) { in.put(m, true) }

func (in *Inbox[M]) put(m M, always bool) bool {
	size := in.size(&m)
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return true
	}
	if !always && (in.waiting >= in.bounds.Messages || in.waiting > 0 && in.bytes+size > in.bounds.Bytes) {
		return false
	}
	in.queue = append(in.queue, m)
	in.waiting++
	in.bytes += size
	if !in.running {
		in.running = true
		go in.run()
	}
	return true
}

// run delivers the messages until there are none.
func (in *Inbox[M]) run() {
	var batch []M
	for {
		in.mu.Lock()
		if len(in.queue) == 0 || in.closed {
			in.running, in.queue = false, nil
			in.mu.Unlock()
			return
		}
		batch, in.queue = in.queue, batch[:0]
		in.mu.Unlock()
		for i := range batch {
			if in.begin(&batch[i]) {
				in.deliver(&batch[i])
			}
		}
		if cap(batch) > keptMax {
			batch = nil
		}
		clear(batch)
	}
}

// begin notes that a message does not wait any longer. It returns false if nobody wants it.
func (in *Inbox[M]) begin(m *M) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.waiting--
	in.bytes -= in.size(m)
	return !in.closed
}

// Close ends the delivery.
func (in *Inbox[M]) Close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.closed, in.queue, in.waiting, in.bytes = true, nil, 0, 0
}
