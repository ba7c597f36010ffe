// Package listeners keeps listeners for events, and the events that wait for them.
package listeners

import (
	"sync/atomic"

	"github.com/seed58c87869/siren/session"
)

// Queue has the listeners for events of one kind, which run on a goroutine of its own, and what waits for them. Safe
// for concurrent use. A nil Queue, as long as nobody listens, has room for everything.
type Queue[E any] struct {
	// Max bounds the events that wait, or are on their way. Limits are those of the goroutine. Call calls a listener.
	// Immutable.
	Max    int
	Limits *session.InboxLimits
	Call   func(e E, listener func(e E))

	inbox session.Inbox
	// expected events are on their way to the queue.
	expected  atomic.Int64
	listeners Table[func(e E)]
}

// Add adds a listener, and returns what removes it.
func (q *Queue[E]) Add(fn func(e E)) (remove func()) { return q.listeners.Add("", fn) }

// Full reports whether the listeners are too far behind for more to come.
func (q *Queue[E]) Full() bool {
	return q != nil && int64(q.inbox.Len())+q.expected.Load() >= int64(q.Max)
}

// Reserve expects n events, and owes Arrived for them, unless the listeners are too far behind.
func (q *Queue[E]) Reserve(n int) bool {
	if q == nil || n == 0 {
		return true
	}
	if expected := q.expected.Add(int64(n)) - int64(n); int64(q.inbox.Len())+expected >= int64(q.Max) {
		q.Arrived(n)
		return false
	}
	return true
}

// Coming expects n events that are never refused, and owes Arrived for them.
func (q *Queue[E]) Coming(n int) { q.Arrived(-n) }

// Arrived tells that n events, which were expected, are in the queue, or will not come.
func (q *Queue[E]) Arrived(n int) {
	if q != nil {
		q.expected.Add(-int64(n))
	}
}

// Put queues an event. It takes no lock for longer than that, and calls nobody.
func (q *Queue[E]) Put(e E) { q.inbox.PutAlways(&report[E]{q, e}, q.Limits) }

// report is an event on its way to the listeners.
type report[E any] struct {
	q *Queue[E]
	e E
}

// Do implements session.Job.
func (r *report[E]) Do() {
	for _, fn := range r.q.listeners.Of("") {
		r.q.Call(r.e, *fn)
	}
}
