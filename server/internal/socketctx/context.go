package socketctx

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/seed58c87869/siren/session"
)

// Context is a socket's own context: it ends when the socket does, with the session.Reason as its cause. It is part of
// the socket, so that handing it to a handler allocates nothing. Safe for concurrent use.
type Context struct {
	// State is nil while the socket is connected and nobody has needed a context of the standard library: to wait, to
	// derive contexts, or to read the cause. Most sockets never need one.
	State atomic.Pointer[standardContext]
}

type standardContext struct {
	context.Context
	stop   context.CancelCauseFunc
	reason atomic.Uint32 // a session.Reason; 0 while the socket is there
}

func newStandardContext() *standardContext {
	c := new(standardContext)
	c.Context, c.stop = context.WithCancelCause(context.Background())
	return c
}

func (c *standardContext) cancel(r session.Reason) {
	if c.reason.CompareAndSwap(0, uint32(r)) {
		c.stop(r)
	}
}

// ended has the contexts of sockets that ended before anybody needed one, by reason.
var endedContexts = func() (ended [session.ReasonCount]*standardContext) {
	for r := range ended {
		ended[r] = newStandardContext()
		ended[r].cancel(session.Reason(r))
	}
	return ended
}()

func (c *Context) standard() *standardContext {
	if s := c.State.Load(); s != nil {
		return s
	}
	c.State.CompareAndSwap(nil, newStandardContext())
	return c.State.Load()
}

// Deadline implements context.Context: there is none.
func (c *Context) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done implements context.Context.
func (c *Context) Done() <-chan struct{} { return c.standard().Done() }

// Err implements context.Context.
func (c *Context) Err() error {
	if s := c.State.Load(); s != nil && s.reason.Load() != 0 {
		return context.Canceled
	}
	return nil
}

// Value implements context.Context. It carries no values of its own, but this is how context.Cause, and derived
// contexts, find the standard context inside.
func (c *Context) Value(key any) any { return c.standard().Value(key) }

// Cancel ends the context. r is a reason, not 0.
func (c *Context) Cancel(r session.Reason) {
	if !c.State.CompareAndSwap(nil, endedContexts[r]) {
		c.State.Load().cancel(r)
	}
}
