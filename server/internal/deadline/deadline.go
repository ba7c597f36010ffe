// Package deadline keeps the deadlines of the sockets of one event loop.
package deadline

import (
	"github.com/seed58c87869/siren/poller/wheel"
	"github.com/seed58c87869/siren/session"
)

// Queue has the sockets of a loop with a deadline, as a heap with the earliest at the top. One timer in the loop's
// wheel serves them all; a timer for each socket would take three times the memory. Loop-owned.
type Queue[S any] struct {
	wheel.Timer
	loop session.Loop
	// place returns where a socket keeps its place in the heap, from 1; 0 without a deadline.
	place func(s *S) *int32
	// due is called when a socket's deadline has come.
	due  func(s *S)
	heap []item[S]
}

// item is the time at which a socket is due, by the loop's clock.
type item[S any] struct {
	at int64
	s  *S
}

// New returns the empty queue of a loop. place returns where a socket stores its place in the queue; only the queue
// writes there. due is called on the loop when the deadline of a socket has come and is removed.
func New[S any](loop session.Loop, place func(s *S) *int32, due func(s *S)) *Queue[S] {
	q := &Queue[S]{loop: loop, place: place, due: due}
	q.Init(q)
	return q
}

// Now returns the loop's time.
func (q *Queue[S]) Now() int64 { return q.loop.Now() }

// work estimates the time to call the handlers of one socket, in nanoseconds of the turn's budget.
const work = 2000

// Expire implements wheel.Expirer. If the turn's budget is used up, the next tick continues.
func (q *Queue[S]) Expire(now int64) {
	for len(q.heap) > 0 && q.heap[0].at <= now {
		s := q.heap[0].s
		q.Remove(s)
		q.due(s)
		if q.loop.Spend(work) {
			break
		}
	}
	q.schedule()
}

// schedule sets the timer for the earliest deadline.
func (q *Queue[S]) schedule() {
	switch {
	case len(q.heap) == 0:
		q.loop.Wheel().Cancel(&q.Timer)
	case !q.Scheduled() || q.When() != q.heap[0].at:
		q.loop.Wheel().Schedule(&q.Timer, q.heap[0].at)
	}
}

// Set gives a socket its deadline, by the loop's clock, and replaces an earlier one.
func (q *Queue[S]) Set(s *S, at int64) {
	place := q.place(s)
	if *place == 0 {
		q.heap = append(q.heap, item[S]{s: s})
		*place = int32(len(q.heap))
	}
	i := int(*place) - 1
	q.heap[i].at = at
	q.fix(i)
	q.schedule()
}

// keep is the greatest capacity that a loop keeps when it has fewer deadlines.
const keep = 1024

// Remove removes the deadline of a socket, if it has one.
func (q *Queue[S]) Remove(s *S) {
	place := q.place(s)
	if *place == 0 {
		return
	}
	i, last := int(*place)-1, len(q.heap)-1
	q.swap(i, last)
	*place = 0
	q.heap[last] = item[S]{}
	if q.heap = q.heap[:last]; i < last {
		q.fix(i)
	}
	if cap(q.heap) > keep && len(q.heap) < cap(q.heap)/4 {
		q.heap = append(make([]item[S], 0, cap(q.heap)/2), q.heap...)
	}
	q.schedule()
}

// fix moves an element to its place.
func (q *Queue[S]) fix(i int) {
	for up := (i - 1) / 2; i > 0 && q.heap[i].at < q.heap[up].at; up = (i - 1) / 2 {
		q.swap(i, up)
		i = up
	}
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(q.heap); child++ {
			if q.heap[child].at < q.heap[least].at {
				least = child
			}
		}
		if least == i {
			return
		}
		q.swap(i, least)
		i = least
	}
}

func (q *Queue[S]) swap(i, j int) {
	q.heap[i], q.heap[j] = q.heap[j], q.heap[i]
	*q.place(q.heap[i].s), *q.place(q.heap[j].s) = int32(i+1), int32(j+1)
}
