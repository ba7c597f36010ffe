package collect

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/seed58c87869/siren/server/internal/clock"
)

// Waits are the waits of a server that are not over. There is a list for each event loop, so that goroutines that ask
// sockets of different loops do not meet. Safe for concurrent use.
type Waits struct {
	lists []list
	loops clock.Loops
	ctx   context.Context
	stop  context.CancelFunc
	// Elsewhere is the number of handlers that wait for an adapter.
	Elsewhere atomic.Int64
	// Counting means that handlers that wait are counted, because the server is on loops of others, who want to know.
	Counting atomic.Bool
}

// list holds the waits of one loop.
type list struct {
	mu     sync.Mutex
	first  *Wait    // guarded by mu
	closed bool     // guarded by mu
	_      [40]byte // a cache line of its own
}

// New returns the waits of a server with n loops.
func New(loops clock.Loops, n int) *Waits {
	w := &Waits{lists: make([]list, n), loops: loops}
	w.ctx, w.stop = context.WithCancel(context.Background())
	return w
}

// Context returns a context that ends with End.
func (ws *Waits) Context() context.Context { return ws.ctx }

// add notes a wait. It is false when the server is closing. A wait that is over already is not noted.
func (ws *Waits) add(w *Wait) bool {
	l := &ws.lists[w.home]
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	if w.Over() {
		return true
	}
	if w.next = l.first; w.next != nil {
		w.next.prev = w
	}
	l.first = w
	return true
}

// remove forgets a wait, if it is there.
func (ws *Waits) remove(w *Wait) {
	l := &ws.lists[w.home]
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case w.prev != nil:
		w.prev.next = w.next
	case l.first == w:
		l.first = w.next
	default:
		return
	}
	if w.next != nil {
		w.next.prev = w.prev
	}
	w.prev, w.next = nil, nil
}

// all returns the waits of a list.
func (l *list) all(closed bool) (all []*Wait) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = l.closed || closed
	for w := l.first; w != nil; w = w.next {
		all = append(all, w)
	}
	return all
}

// Len returns the number of waits that are not over.
func (ws *Waits) Len() (n int) {
	for i := range ws.lists {
		n += len(ws.lists[i].all(false))
	}
	return n
}

// Parked returns the number of handlers that block until a wait is over. One whose context has ended is about to go on.
func (ws *Waits) Parked() (n int) {
	for i := range ws.lists {
		for _, w := range ws.lists[i].all(false) {
			w.Lock()
			if w.parked != nil && (*w.parked).Err() == nil {
				n++
			}
			w.Unlock()
		}
	}
	return n + int(ws.Elsewhere.Load())
}

// End ends all waits with ErrClosed. What begins later fails with ErrClosed at once. It does not wait for the event
// loops, which may have failed. It may be called again.
func (ws *Waits) End() {
	ws.stop()
	for i := range ws.lists {
		for _, w := range ws.lists[i].all(true) {
			w.Finish(ErrClosed, OffLoop)
		}
	}
}
