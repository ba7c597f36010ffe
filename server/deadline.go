package server

import (
	"time"

	"github.com/seed58c87869/siren/poller/wheel"
)

// SetDeadline has the handlers of OnDeadline called once d is over, in place of an earlier deadline of the socket. A d of 0
// or less takes the deadline away. The end of the socket does that too. Call it from middleware, a connect handler or at any
// time later: for the time at which what a client signed in with expires, for instance. An idle socket needs no goroutine
// and no timer of the runtime for it, but 16 bytes on its event loop.
func (s *Socket) SetDeadline(d time.Duration) { s.client.loop().Post(&postponement{s, d}) }

// OnDeadline adds a handler for the deadlines of sockets, see Socket.SetDeadline. It runs among the socket's handlers:
// behind the events that came before, and not beside another one of the same socket. Setting the next deadline is up to it.
func (r *registry) OnDeadline(fn func(s *Socket)) Registration {
	return r.change(func(h *hooks) { h.deadline = with(h.deadline, fn) })
}

// postponement is a SetDeadline on its way to the loop.
type postponement struct {
	s *Socket
	d time.Duration
}

// Run implements task.
func (p *postponement) Run(loop int) {
	defer p.s.client.sess.EndOnPanic()
	ds := p.s.ns.srv.deadlines[loop]
	if p.d <= 0 {
		ds.remove(p.s)
	} else if p.s.phase != phaseClosed {
		ds.set(p.s, wheel.Deadline(ds.loop.Now(), p.d))
	}
}

// expired is a Socket whose deadline has come, as the work of its handlers.
type expired Socket

// Do implements session.Job.
func (e *expired) Do() {
	s := (*Socket)(e)
	if s.closed.Load() {
		return
	}
	for _, fn := range s.ns.hooks.Load().deadline {
		_ = s.guard(eventDeadline, func() error { fn(s); return nil })
	}
}

// deadlines are the sockets of a loop that have a deadline: a heap, the earliest at the top, whose timer is in the loop's
// wheel. A timer for each socket would take three times as much. Loop-owned.
type deadlines struct {
	wheel.Timer
	loop EventLoop
	heap []deadline
}

// deadline is when a socket is due, by the loop's clock.
type deadline struct {
	at int64
	s  *Socket
}

func newDeadlines(loops []EventLoop) []*deadlines {
	all := make([]*deadlines, len(loops))
	for i, l := range loops {
		all[i] = &deadlines{loop: l}
		all[i].Init(all[i])
	}
	return all
}

// deadlineWork is what it takes to call the handlers of one socket, in nanoseconds of the turn's budget.
const deadlineWork = 2000

// Expire implements wheel.Expirer. What the turn has no time for is left to the next tick.
func (d *deadlines) Expire(now int64) {
	for len(d.heap) > 0 && d.heap[0].at <= now {
		s := d.heap[0].s
		d.remove(s)
		s.inbox.PutAlways((*expired)(s), &s.ns.srv.inbox)
		if d.loop.Spend(deadlineWork) {
			break
		}
	}
	d.schedule()
}

// schedule sets the timer for the earliest deadline.
func (d *deadlines) schedule() {
	switch {
	case len(d.heap) == 0:
		d.loop.Wheel().Cancel(&d.Timer)
	case !d.Scheduled() || d.When() != d.heap[0].at:
		d.loop.Wheel().Schedule(&d.Timer, d.heap[0].at)
	}
}

func (d *deadlines) set(s *Socket, at int64) {
	if s.due == 0 {
		d.heap = append(d.heap, deadline{s: s})
		s.due = int32(len(d.heap))
	}
	i := int(s.due) - 1
	d.heap[i].at = at
	d.fix(i)
	d.schedule()
}

// deadlinesKeep is how many deadlines a loop keeps memory for when it has fewer.
const deadlinesKeep = 1024

func (d *deadlines) remove(s *Socket) {
	if s.due == 0 {
		return
	}
	i, last := int(s.due)-1, len(d.heap)-1
	d.swap(i, last)
	s.due = 0
	d.heap[last] = deadline{}
	if d.heap = d.heap[:last]; i < last {
		d.fix(i)
	}
	if cap(d.heap) > deadlinesKeep && len(d.heap) < cap(d.heap)/4 {
		d.heap = append(make([]deadline, 0, cap(d.heap)/2), d.heap...)
	}
	d.schedule()
}

// fix moves an element to its place.
func (d *deadlines) fix(i int) {
	for up := (i - 1) / 2; i > 0 && d.heap[i].at < d.heap[up].at; up = (i - 1) / 2 {
		d.swap(i, up)
		i = up
	}
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(d.heap); child++ {
			if d.heap[child].at < d.heap[least].at {
				least = child
			}
		}
		if least == i {
			return
		}
		d.swap(i, least)
		i = least
	}
}

func (d *deadlines) swap(i, j int) {
	d.heap[i], d.heap[j] = d.heap[j], d.heap[i]
	d.heap[i].s.due, d.heap[j].s.due = int32(i+1), int32(j+1)
}
