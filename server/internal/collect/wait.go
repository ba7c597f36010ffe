package collect

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed58c87869/siren/poller/wheel"
	"github.com/seed58c87869/siren/server/internal/packets"
	"github.com/seed58c87869/siren/server/internal/peers"
)

var (
	// ErrClosed ends a wait when its server begins to close, or when everybody who could still answer has left.
	ErrClosed = errors.New("siren: closed")
	// ErrTimeout ends a wait at its time-out, or at the deadline of its context.
	ErrTimeout = errors.New("siren: timed out")
	// ErrNodeRefused is the cause of missing answers if another node could not take the question.
	ErrNodeRefused = errors.New("siren: a node could not take the question")
	// ErrAbandoned ends a wait whose answers are no longer wanted.
	ErrAbandoned = errors.New("siren: abandoned")
)

// Answer is the acknowledgement of a client. Immutable.
type Answer struct {
	Args packets.Arguments
	// Lib decodes the arguments; nil is the built-in library.
	Lib packets.Library
	// Socket is the id of the socket whose client answered; "" if it is unknown.
	Socket string
}

// Inquiry is the question of a Wait: it knows what the answers are. Its methods are called with no lock held.
type Inquiry interface {
	// Answered handles the acknowledgement of a socket. Loop-only, on the socket's loop.
	Answered(a Answer, loop int)
	// Left handles the end of a socket that has not answered. Loop-only, on the socket's loop.
	Left(loop int)
	// Release releases what the inquiry holds. It is called once, before anybody learns of the end.
	Release(cause error)
	// Collected reports the end of the wait to the caller. It is called once, unless the wait was revoked.
	Collected()
}

// OffLoop stands for the index of a loop where the caller is on none.
const OffLoop = -1

// Wait is one wait for answers: from the client of a socket, the clients of a broadcast, the event loops, or other
// nodes. Those that it waits for are its parties. A party answers or leaves. The wait ends once: when every party has
// answered or left, at its time-out, with its context, or with ErrClosed when the server begins to close. A Wait is
// embedded in its Inquiry. Safe for concurrent use, except the timer.
type Wait struct {
	inquiry Inquiry // immutable once the wait has begun, as waits, ID, home and Partial are
	waits   *Waits
	// ID is the packet id of the clients' acknowledgements.
	ID   uint32
	home int32 // the index of the loop that has the timer

	// prev and next are neighbours in the list of waits. Guarded by the list's mutex.
	prev, next *Wait
	// timer is owned by the loop home. It runs while the wait has a time-out.
	timer   wheel.Timer
	timeout time.Duration // 0 for none; immutable once timed is set

	sync.Mutex // guards what follows, and the answers that an Inquiry keeps
	// Loops is the number of event loops that have not finished, plus one until their number is known.
	Loops int32
	// Expected is the number of clients of this node that were asked, Answers and Lost the numbers of those that
	// answered, or left before.
	Expected, Answers, Lost int32
	Others                  *peers.Others // nil when no other node is asked
	// Partial means that some answers are useful without the others; the error then tells which ones are missing.
	Partial, over, timed bool
	err                  error       // why answers are missing, once the wait is over
	stop                 func() bool // ends what watches the context; nil when nothing does
	// ready is signalled when there is something new; nil if nobody blocks on it. Its buffer holds one signal.
	ready chan struct{}
	// parked is the context of the handler that blocks on ready, if the server counts it.
	parked *context.Context
}

// Init prepares a wait of a server. q is the Inquiry that embeds it, home the index of the loop that gets the timer.
func (w *Wait) Init(of *Waits, q Inquiry, home int) { w.waits, w.inquiry, w.home = of, q, int32(home) }

// Blocks prepares the wait for a caller that blocks in Await or Next.
func (w *Wait) Blocks() { w.ready = make(chan struct{}, 1) }

// Begin notes the wait, so that the server can end it. It returns ErrClosed when the server is closing. A wait whose
// socket has ended meanwhile may be over already.
func (w *Wait) Begin() error {
	if !w.waits.add(w) {
		return ErrClosed
	}
	return nil
}

// Home returns the index of the loop that has the timer.
func (w *Wait) Home() int { return int(w.home) }

// Inquiry returns the question of the wait.
func (w *Wait) Inquiry() Inquiry { return w.inquiry }

// Over reports whether the wait has ended.
func (w *Wait) Over() bool {
	w.Lock()
	defer w.Unlock()
	return w.over
}

// Ended is Over for callers that hold the lock.
func (w *Wait) Ended() bool { return w.over }

// Err returns why answers are missing. The wait must be over, or the lock held.
func (w *Wait) Err() error { return w.err }

// Finish ends the wait, with a cause or because it is complete. It returns false if the wait was over. loop is the
// index of the caller's loop, or OffLoop.
func (w *Wait) Finish(cause error, loop int) bool {
	w.Lock()
	return w.End(cause, loop)
}

// End is Finish for callers that hold the lock, which it releases.
func (w *Wait) End(cause error, loop int) bool {
	if !w.close(cause, loop) {
		return false
	}
	w.inquiry.Release(cause)
	w.Signal()
	w.inquiry.Collected()
	return true
}

// Revoke ends the wait for a question that was not asked after all, and reports it to nobody. It returns false if the
// wait was over.
func (w *Wait) Revoke() bool {
	w.Lock()
	if !w.close(nil, OffLoop) {
		return false
	}
	w.inquiry.Release(nil)
	return true
}

// close marks the wait as over. Called with the lock held, which it releases. It returns false if the wait was over.
func (w *Wait) close(cause error, loop int) bool {
	if w.over {
		w.Unlock()
		return false
	}
	w.over, w.parked = true, nil
	w.err = w.outcome(cause)
	stop, timed := w.stop, w.timed
	w.stop = nil
	w.Unlock()
	w.waits.remove(w)
	if stop != nil {
		stop()
	}
	switch {
	case !timed:
	case loop == int(w.home):
		w.waits.loops.Loop(loop).Wheel().Cancel(&w.timer)
	default:
		w.waits.loops.Loop(int(w.home)).Post((*timing)(w))
	}
	return true
}

// outcome returns the error of a wait that ends. Called with the lock held.
func (w *Wait) outcome(cause error) error {
	if !w.Partial {
		return cause
	}
	clients, nodes, ids := int(w.Expected-w.Answers), 0, []string(nil)
	var trouble error
	if o := w.Others; o != nil {
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
	case w.Loops == 0 && (w.Others == nil || w.Others.Known):
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

// Settle ends the wait when no party is left. Called with the lock held, which it releases.
func (w *Wait) Settle(loop int) {
	if w.Loops > 0 || w.Answers+w.Lost < w.Expected || w.Others != nil && !w.Others.Complete() {
		w.Unlock()
		return
	}
	w.End(nil, loop)
}

// Lose notes that a client has left.
func (w *Wait) Lose(loop int) {
	w.Lock()
	w.Lost++
	w.Settle(loop)
}

// NodeGone notes that another node has left.
func (w *Wait) NodeGone(node string) {
	w.Lock()
	w.Others.Gone(node)
	w.Settle(OffLoop)
}

// NodeRefused notes that another node could not take the question.
func (w *Wait) NodeRefused(node string) {
	w.Lock()
	w.Others.Refused(node)
	w.Settle(OffLoop)
}

// Watch ends the wait when ctx ends. A caller that blocks in Await needs no Watch.
func (w *Wait) Watch(ctx context.Context) {
	if ctx.Done() == nil {
		return
	}
	w.Lock()
	defer w.Unlock()
	if !w.over {
		w.stop = both(w.stop, context.AfterFunc(ctx, func() { w.Finish(ended(ctx), OffLoop) }))
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
