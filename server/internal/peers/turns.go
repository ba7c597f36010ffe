package peers

import (
	"context"
	"sync"
	"sync/atomic"
)

// Turns let the OnServerSide handlers of a namespace run one at a time. A handler that waits for other nodes gives its
// turn up meanwhile: those nodes may ask this one before they answer. Safe for concurrent use.
type Turns struct {
	running sync.Mutex // held by the handler whose turn it is
	paused  atomic.Int64
}

// turn is one handler's. Safe for concurrent use.
type turn struct {
	of *Turns
	// jobs counts handlers. The goroutine that waits for passed stands for this one until then.
	jobs *atomic.Int64
	max  int64 // immutable
	// passed is closed when the next handler may begin: at the end of this one, or when it waits for the first time.
	passed chan struct{}

	mu sync.Mutex // guards what follows
	// waiting is how many goroutines wait with the handler's context; the turn is given up while there are any.
	waiting      int
	ended, freed bool // freed: passed is closed, and the handler counts by itself
}

// turnKey finds the turn of a handler in its context.
type turnKey struct{}

// Take runs a handler when it is its turn, and returns when the next one may begin. While more than max handlers wait
// for other nodes, that is the end of the handler.
func (ts *Turns) Take(ctx context.Context, jobs *atomic.Int64, max int, fn func(ctx context.Context)) {
	t := &turn{of: ts, jobs: jobs, max: int64(max), passed: make(chan struct{})}
	ts.running.Lock()
	go func() {
		defer t.end()
		fn(context.WithValue(ctx, turnKey{}, t))
	}()
	<-t.passed
}

// Pause gives up the turn of the handler with that context, if there is one, until resume.
func Pause(ctx context.Context) (resume func()) {
	t, ok := ctx.Value(turnKey{}).(*turn)
	if !ok {
		return func() {}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting++; t.ended || t.waiting > 1 {
		return t.resume
	}
	t.of.running.Unlock()
	switch {
	case t.freed:
	case t.of.paused.Add(1) > t.max:
		t.of.paused.Add(-1)
	default:
		t.freed = true
		t.jobs.Add(1)
		close(t.passed)
	}
	return t.resume
}

// resume waits for the turn again when nobody waits with the handler's context any longer.
func (t *turn) resume() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting--; t.waiting == 0 && !t.ended {
		t.of.running.Lock()
	}
}

// end is the end of the handler, however it ends.
func (t *turn) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended = true; t.waiting == 0 {
		t.of.running.Unlock()
	}
	if t.freed {
		t.of.paused.Add(-1)
		t.jobs.Add(-1)
		return
	}
	close(t.passed)
}
