// Package echo keeps what a node has published to a broker's log until the log returns it: a node delivers its own
// broadcasts in the log's order, but does not wait for the broker for longer than a bound.
package echo

import (
	"sync"
	"time"

	"github.com/seed58c87869/siren/room/cluster"
)

// Queue has the messages of one namespace that were published and have not come back, with what is to be done behind
// them. Safe for concurrent use; one goroutine takes.
type Queue struct {
	after   time.Duration // immutable, as overdue is
	overdue func()

	mu sync.Mutex // guards what follows
	// items are in the order in which they were published.
	items []item
	// last is the number of the message published last. early is the last one that was handed over without an offset, and
	// known the last one of which the log has told whether it has it.
	last, early, known uint64
	// timer calls overdue when the first message waits for too long; armed is set while it runs.
	timer  *time.Timer
	armed  bool
	closed bool
}

// item is a message with its number, or something to do behind the messages in front.
type item struct {
	n  uint64
	m  *cluster.Message
	fn func()
	at time.Time
}

// New returns an empty queue, whose numbers begin behind last. What another queue of the namespace has published may
// still come back, so last must not be less than its numbers. overdue is called, on a goroutine of its own, when a
// message has waited for that time: its caller lets the taker call Overdue.
func New(last uint64, after time.Duration, overdue func()) *Queue {
	return &Queue{after: after, overdue: overdue, last: last}
}

// Publish calls send with the number of a message and, unless that fails, adds the message. Calls exclude each other,
// so numbers are in the order in which messages are sent.
func (q *Queue) Publish(m *cluster.Message, send func(n uint64) error) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := send(q.last + 1); err != nil {
		return err
	}
	q.last++
	q.items = append(q.items, item{n: q.last, m: m, at: time.Now()})
	q.arm(q.after)
	return nil
}

// arm starts the timer. Called with the lock held.
func (q *Queue) arm(d time.Duration) {
	switch {
	case q.armed || q.closed:
		return
	case q.timer == nil:
		q.timer = time.AfterFunc(d, func() {
			q.mu.Lock()
			q.armed = false
			q.mu.Unlock()
			q.overdue()
		})
	default:
		q.timer.Reset(d)
	}
	q.armed = true
}

// InOrder has fn called behind the messages that wait. It returns false if none does: the caller calls it then.
func (q *Queue) InOrder(fn func()) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 || q.closed {
		return false
	}
	q.items = append(q.items, item{fn: fn})
	return true
}

// Returned notes that the log has the message with that number, and calls take for each message before, which it has
// not, and for this one; own is set for this one alone. found reports whether it was there: if not, it was handed over
// before.
func (q *Queue) Returned(n uint64, take func(m *cluster.Message, own bool)) (found bool) {
	q.drain(n-1, take)
	q.mu.Lock()
	q.known = max(q.known, n)
	found = len(q.items) > 0 && q.items[0].n == n
	q.mu.Unlock()
	if found {
		q.next(func(m *cluster.Message) { take(m, true) })
		q.drain(n, take) // what is to be done behind it
	}
	return found
}

// Lost notes that the log does not have, and will not get, the messages up to that number.
func (q *Queue) Lost(n uint64, take func(m *cluster.Message, own bool)) {
	q.drain(n, take)
	q.mu.Lock()
	q.known = max(q.known, n)
	q.mu.Unlock()
}

// Known notes that the log has told of all messages up to that number that it may have.
func (q *Queue) Known(n uint64) {
	q.mu.Lock()
	q.known = max(q.known, min(n, q.last))
	q.mu.Unlock()
}

// Overdue calls take for the messages that have waited for too long; for all of them if nobody should wait, because
// the broker is down, or one was handed over without an offset before and the log has not told of it since.
func (q *Queue) Overdue(all bool, take func(m *cluster.Message, own bool)) {
	now := time.Now()
	q.mu.Lock()
	all = all || q.early > q.known
	until := uint64(0)
	for i := range q.items {
		x := &q.items[i]
		if x.m == nil {
			continue
		}
		if wait := q.after - now.Sub(x.at); !all && wait > 0 {
			q.arm(wait)
			break
		}
		until = x.n
	}
	q.mu.Unlock()
	q.drain(until, take)
}

// drain takes what is in front of the messages after that number, without an offset.
func (q *Queue) drain(until uint64, take func(m *cluster.Message, own bool)) {
	for {
		q.mu.Lock()
		if len(q.items) == 0 || q.items[0].m != nil && q.items[0].n > until {
			q.mu.Unlock()
			return
		}
		q.early = max(q.early, q.items[0].n)
		q.mu.Unlock()
		q.next(func(m *cluster.Message) { take(m, false) })
	}
}

// next takes the first item. It is in the queue until that is done, so that InOrder waits for it.
func (q *Queue) next(take func(m *cluster.Message)) {
	q.mu.Lock()
	if len(q.items) == 0 { // closed
		q.mu.Unlock()
		return
	}
	x := q.items[0]
	q.items[0].fn = nil
	q.mu.Unlock()
	if x.m != nil {
		take(x.m)
	} else {
		x.fn()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 {
		return
	}
	q.items[0] = item{}
	if q.items = q.items[1:]; len(q.items) == 0 {
		q.items = nil
	}
}

// Unsettled reports whether a message was handed over without an offset of which the log may still tell.
func (q *Queue) Unsettled() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.early > q.known
}

// Close ends the timer. What waits is taken no more; what is to be done behind it, the caller does.
func (q *Queue) Close() (owed []func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	if q.timer != nil {
		q.timer.Stop()
	}
	for _, x := range q.items {
		if x.fn != nil {
			owed = append(owed, x.fn)
		}
	}
	q.items = nil
	return owed
}
