package server

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed58c87869/siren/poller/wheel"
	"github.com/seed58c87869/siren/server/internal/peers"
	"github.com/seed58c87869/siren/server/internal/stack"
)

// collector is one wait for answers: from the client of a socket, the clients of a broadcast, the event loops, or other
// nodes. Those that it waits for are its parties. A party answers or leaves. The wait ends once: when every party has
// answered or left, at its time-out, with its context, or with ErrClosed when the server begins to close. A collector
// is embedded in its inquiry, which knows what the answers are. Safe for concurrent use, except the timer.
type collector struct {
	inquiry inquiry    // immutable once the wait has begun, as ns, id, home and partial
	ns      *Namespace // the namespace that it is about
	id      uint32     // the packet id of the clients' acknowledgements
	home    int32      // the index of the loop that has the timer

	// prev and next are neighbours in the list of waits. Guarded by the list's mutex.
	prev, next *collector
	// timer is owned by the loop home. It runs while the wait has a time-out.
	timer   wheel.Timer
	timeout time.Duration // 0 for none; immutable once timed is set

	mu sync.Mutex // guards what follows, and the answers that an inquiry keeps
	// loops is the number of event loops that have not finished, plus one until their number is known.
	loops int32
	// expected is the number of clients of this node that were asked, answered and lost the numbers of those that
	// answered, or left before.
	expected, answered, lost int32
	others                   *peers.Others // nil when no other node is asked
	// partial means that some answers are useful without the others; the error is then a MissingError.
	partial, over, timed bool
	err                  error       // why answers are missing, once the wait is over
	stop                 func() bool // ends what watches the context; nil when nothing does
	// ready is signalled when there is something new; nil if nobody blocks on it. Its buffer holds one signal.
	ready chan struct{}
	// parked is the context of the handler that blocks on ready, if a server on loops of others counts it.
	parked *context.Context
}

// inquiry is the question of a collector. Its methods are called with no lock held.
type inquiry interface {
	// answered handles the acknowledgement of a socket. Loop-only, on the socket's loop.
	answered(r Reply, loop int)
	// left handles the end of a socket that has not answered. Loop-only, on the socket's loop.
	left(loop int)
	// release releases what the inquiry holds. It is called once, before anybody learns of the end.
	release(cause error)
	// collected reports the end of the wait to the caller. It is called once, unless the wait was revoked.
	collected()
}

// offLoop stands for the index of a loop where the caller is on none.
const offLoop = -1

// errAbandoned ends a wait whose answers are no longer wanted.
var errAbandoned = errors.New("siren: abandoned")

// begin notes the wait, so that the server can end it. It returns ErrClosed when the server is closing. A wait whose
// socket has ended meanwhile may be over already.
func (c *collector) begin() error {
	if !c.ns.srv.waits.add(c) {
		return ErrClosed
	}
	return nil
}

// isOver reports whether the wait has ended.
func (c *collector) isOver() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over
}

// finish ends the wait, with a cause or because it is complete. It returns false if the wait was over. loop is the
// index of the caller's loop, or offLoop.
func (c *collector) finish(cause error, loop int) bool {
	c.mu.Lock()
	return c.end(cause, loop)
}

// end is finish for callers that hold the lock, which it releases.
func (c *collector) end(cause error, loop int) bool {
	if !c.close(cause, loop) {
		return false
	}
	c.inquiry.release(cause)
	c.signal()
	c.inquiry.collected()
	return true
}

// revoke ends the wait for a question that was not asked after all, and reports it to nobody. It returns false if the
// wait was over.
func (c *collector) revoke() bool {
	c.mu.Lock()
	if !c.close(nil, offLoop) {
		return false
	}
	c.inquiry.release(nil)
	return true
}

// close marks the wait as over. Called with the lock held, which it releases. It returns false if the wait was over.
func (c *collector) close(cause error, loop int) bool {
	if c.over {
		c.mu.Unlock()
		return false
	}
	c.over, c.parked = true, nil
	c.err = c.outcome(cause)
	stop, timed := c.stop, c.timed
	c.stop = nil
	c.mu.Unlock()
	c.ns.srv.waits.remove(c)
	if stop != nil {
		stop()
	}
	switch {
	case !timed:
	case loop == int(c.home):
		c.ns.srv.host.Loop(loop).Wheel().Cancel(&c.timer)
	default:
		c.ns.srv.host.Loop(int(c.home)).Post((*timing)(c))
	}
	return true
}

// outcome returns the error of a wait that ends. Called with the lock held.
func (c *collector) outcome(cause error) error {
	if !c.partial {
		return cause
	}
	clients, nodes, ids := int(c.expected-c.answered), 0, []string(nil)
	var trouble error
	if o := c.others; o != nil {
		clients += max(o.Expected-o.Answered, 0)
		nodes, ids = o.Missing()
		trouble = o.Trouble
		if cause == nil && o.Refusals > 0 {
			cause = ErrNodeRefused
		}
	}
	switch {
	case clients+nodes > 0:
		if cause == nil {
			cause = ErrClosed // whoever could still answer has left
		}
		return join(&MissingError{Clients: clients, Nodes: nodes, NodeIDs: ids, Cause: cause}, trouble)
	case c.loops == 0 && (c.others == nil || c.others.Known):
		return trouble
	}
	return join(cause, trouble) // it is not even known who was asked
}

// join is errors.Join, but returns a single error unchanged.
func join(err, other error) error {
	switch {
	case err == nil:
		return other
	case other == nil:
		return err
	}
	return errors.Join(err, other)
}

// settle ends the wait when no party is left. Called with the lock held, which it releases.
func (c *collector) settle(loop int) {
	if c.loops > 0 || c.answered+c.lost < c.expected || c.others != nil && !c.others.Complete() {
		c.mu.Unlock()
		return
	}
	c.end(nil, loop)
}

// lose notes that a client has left.
func (c *collector) lose(loop int) {
	c.mu.Lock()
	c.lost++
	c.settle(loop)
}

// watch ends the wait when ctx ends. A caller that blocks in await needs no watch.
func (c *collector) watch(ctx context.Context) {
	if ctx.Done() == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.stop = both(c.stop, context.AfterFunc(ctx, func() { c.finish(ended(ctx), offLoop) }))
	}
}

// both calls two functions that stop something; the first may be nil.
func both(a, b func() bool) func() bool {
	if a == nil {
		return b
	}
	return func() bool { a(); return b() }
}

// ended returns the cause of a context's end; a deadline is ErrTimeout.
func ended(ctx context.Context) error {
	err := context.Cause(ctx)
	if ctx.Err() == context.DeadlineExceeded {
		return fmt.Errorf("%w: %w", ErrTimeout, err)
	}
	return err
}

// isTimeout reports whether a wait has ended at its time.
func isTimeout(cause error) bool { return errors.Is(cause, ErrTimeout) }

// someLoop returns a loop for the timer of a question that belongs to none.
func (srv *Server) someLoop() int32 { return int32(srv.turns.Add(1) % uint32(srv.nloops)) }

// limit starts the time-out, if d is not 0. It runs on the wheel of a loop, like every other timer, or, if the loops do
// not run yet, on the runtime's timers.
func (c *collector) limit(d time.Duration) {
	if d <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	c.timeout = d
	if _, engine := c.ns.srv.host.Running(); engine == nil {
		c.stop = both(c.stop, time.AfterFunc(d, func() { c.finish(ErrTimeout, offLoop) }).Stop)
		return
	}
	c.timed = true
	c.ns.srv.host.Loop(int(c.home)).Post((*timing)(c))
}

// timing is the task that starts or stops a time-out on its loop.
type timing collector

// Run implements task.
func (t *timing) Run(int) { (*collector)(t).time() }

// time starts the timer, or stops it when the wait is over. Loop-only, on the loop home.
func (c *collector) time() {
	loop := c.ns.srv.host.Loop(int(c.home))
	if c.isOver() {
		loop.Wheel().Cancel(&c.timer)
		return
	}
	c.timer.Init(c)
	loop.Wheel().Schedule(&c.timer, wheel.Deadline(loop.Now(), c.timeout))
}

// Expire implements wheel.Expirer.
func (c *collector) Expire(int64) { c.finish(ErrTimeout, int(c.home)) }

// await blocks until the wait is over; when ctx ends before, it ends the wait. It returns the outcome.
func (c *collector) await(ctx context.Context) error {
	c.park(ctx)
	select {
	case <-c.ready:
	case <-ctx.Done():
		c.finish(ended(ctx), offLoop)
		<-c.ready
	}
	return c.err
}

// park notes that the calling goroutine is about to block on ready. It does so only in handlers, on a server on loops
// of others, where the driver of the loops must know when there is nothing left to do.
func (c *collector) park(ctx context.Context) {
	if !c.ns.srv.waits.counting.Load() || !stack.OnHandler() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over && len(c.ready) == 0 {
		parked := ctx
		c.parked = &parked
	}
}

// signal wakes whoever blocks on ready.
func (c *collector) signal() {
	if c.ready == nil {
		return
	}
	select {
	case c.ready <- struct{}{}:
	default:
	}
}
