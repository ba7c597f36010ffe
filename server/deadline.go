package server

import (
	"time"

	"github.com/seed58c87869/siren/poller/wheel"
	"github.com/seed58c87869/siren/server/internal/deadline"
)

// SetDeadline calls the handlers of OnDeadline when d is over. It replaces an earlier deadline of the socket. A d of 0
// or less removes the deadline, and so does the end of the socket. Call it in middleware, in a connect handler or at
// any time later, for instance with the time until a client's token expires. An idle socket needs no goroutine and no
// timer of the runtime for it, but 16 bytes on its event loop.
func (s *Socket) SetDeadline(d time.Duration) { s.client.loop().Post(&postponement{s, d}) }

// OnDeadline adds a handler for the deadlines of sockets, see Socket.SetDeadline. It runs among the socket's handlers:
// after earlier events, and not concurrently with another handler of the same socket. It may set the next deadline.
func (r *registry) OnDeadline(fn func(s *Socket)) Registration {
	need(fn != nil, "OnDeadline")
	return r.change(func(h *hooks) { h.deadline = with(h.deadline, fn) })
}

// postponement is the task of SetDeadline on the loop.
type postponement struct {
	s *Socket
	d time.Duration
}

// Run implements task.
func (p *postponement) Run(loop int) {
	defer p.s.client.sess.EndOnPanic()
	ds := p.s.ns.srv.deadlines[loop]
	if p.d <= 0 {
		ds.Remove(p.s)
	} else if p.s.phase != phaseClosed {
		ds.Set(p.s, wheel.Deadline(ds.Now(), p.d))
	}
}

// expired is the job of the deadline handlers of a socket.
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

// deadlines are the sockets of a loop that have a deadline. Loop-owned.
type deadlines = deadline.Queue[Socket]

func (srv *Server) newDeadlines(loops []eventLoop) []*deadlines {
	all := make([]*deadlines, len(loops))
	for i, l := range loops {
		all[i] = deadline.New(l, func(s *Socket) *int32 { return &s.due }, func(s *Socket) {
			s.inbox.PutAlways((*expired)(s), &srv.inbox)
		})
	}
	return all
}
