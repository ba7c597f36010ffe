package server

import (
	"context"
	"sync"
	"time"
)

// socketContext is a socket's own context: it ends when the socket does, with the Reason as its cause. It is part of
// the socket, so that handing it to a handler allocates nothing. Safe for concurrent use.
type socketContext struct {
	mu sync.Mutex
	// inner is the standard library's, made when somebody asks for what only that can do: wait, carry derived
	// contexts, tell its cause. Most sockets never need it.
	inner  *standardContext
	reason Reason // 0 while the socket is there
}

type standardContext struct {
	context.Context
	stop context.CancelCauseFunc
}

func (c *socketContext) standard() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inner == nil {
		c.inner = new(standardContext)
		c.inner.Context, c.inner.stop = context.WithCancelCause(context.Background())
		if c.reason != 0 {
			c.inner.stop(c.reason)
		}
	}
	return c.inner.Context
}

// Deadline implements context.Context: there is none.
func (c *socketContext) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done implements context.Context.
func (c *socketContext) Done() <-chan struct{} { return c.standard().Done() }

// Err implements context.Context.
func (c *socketContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reason != 0 {
		return context.Canceled
	}
	return nil
}

// Value implements context.Context. It carries no values of its own, but this is how context.Cause, and derived
// contexts, find the standard context inside.
func (c *socketContext) Value(key any) any { return c.standard().Value(key) }

func (c *socketContext) cancel(r Reason) {
	c.mu.Lock()
	inner := c.inner
	if c.reason != 0 {
		inner = nil
	} else {
		c.reason = r
	}
	c.mu.Unlock()
	if inner != nil {
		inner.stop(r)
	}
}
