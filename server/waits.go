package server

import (
	"context"
	"sync"
	"sync/atomic"
)

// waits are the waits of a server that are not over. There is a list for each event loop, so that goroutines that ask
// sockets of different loops do not meet. Safe for concurrent use.
type waits struct {
	lists []waitList
	// ctx ends when the server begins to close, by stop.
	ctx  context.Context
	stop context.CancelFunc
	// elsewhere are the handlers that wait for an adapter.
	elsewhere atomic.Int64
	// counting tells that the server is on loops of others, who want to know how many handlers wait.
	counting atomic.Bool
}

// waitList holds the waits of one loop.
type waitList struct {
	mu     sync.Mutex
	first  *collector // guarded by mu
	closed bool       // guarded by mu
	_      [40]byte   // a cache line of its own
}

func newWaits(loops int) *waits {
	w := &waits{lists: make([]waitList, loops)}
	w.ctx, w.stop = context.WithCancel(context.Background())
	return w
}

// add notes a wait. It is false when the server is closing. A wait that is over already is not noted.
func (w *waits) add(c *collector) bool {
	l := &w.lists[c.home]
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	if c.isOver() {
		return true
	}
	if c.next = l.first; c.next != nil {
		c.next.prev = c
	}
	l.first = c
	return true
}

// remove forgets a wait, if it is there.
func (w *waits) remove(c *collector) {
	l := &w.lists[c.home]
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case c.prev != nil:
		c.prev.next = c.next
	case l.first == c:
		l.first = c.next
	default:
		return
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
}

// all returns the waits of a list.
func (l *waitList) all(closed bool) (all []*collector) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = l.closed || closed
	for c := l.first; c != nil; c = c.next {
		all = append(all, c)
	}
	return all
}

// parked is the number of handlers that block until a wait is over. One whose context has ended is about to go on.
func (w *waits) parked() (n int) {
	for i := range w.lists {
		for _, c := range w.lists[i].all(false) {
			c.mu.Lock()
			if c.parked != nil && (*c.parked).Err() == nil {
				n++
			}
			c.mu.Unlock()
		}
	}
	return n + int(w.elsewhere.Load())
}

// endWaits ends all that is waited for with ErrClosed: acknowledgements of single sockets and of broadcasts, counts,
// fetches and questions to other nodes. What begins later fails with ErrClosed at once. It does not wait for the event
// loops, which may have failed. The functions given to EmitAck run on goroutines that Server.jobs counts. It may be
// called again, and is safe for concurrent use.
func (srv *Server) endWaits() {
	srv.waits.stop()
	for i := range srv.waits.lists {
		for _, c := range srv.waits.lists[i].all(true) {
			c.finish(ErrClosed, offLoop)
		}
	}
}
