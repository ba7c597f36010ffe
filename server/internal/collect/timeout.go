package collect

import (
	"context"
	"errors"
	"time"

	"github.com/seed58c87869/siren/poller/wheel"
	"github.com/seed58c87869/siren/server/internal/stack"
)

// Limit starts the time-out, if d is not 0. It runs on the wheel of a loop, like every other timer, or, if the loops do
// not run yet, on the runtime's timers.
func (w *Wait) Limit(d time.Duration) {
	if d <= 0 {
		return
	}
	w.Lock()
	defer w.Unlock()
	if w.over {
		return
	}
	w.timeout = d
	if !w.waits.loops.Started() {
		w.stop = both(w.stop, time.AfterFunc(d, func() { w.Finish(ErrTimeout, OffLoop) }).Stop)
		return
	}
	w.timed = true
	w.waits.loops.Loop(int(w.home)).Post((*timing)(w))
}

// SetLimit sets the time-out of a wait that has not begun; 0 is none. Start starts it.
func (w *Wait) SetLimit(d time.Duration) { w.timeout, w.timed = d, d > 0 }

// Start starts the time-out of SetLimit, if there is one. Loop-only, on the loop home.
func (w *Wait) Start() {
	if w.timed {
		w.time()
	}
}

// timing is the task that starts or stops a time-out on its loop.
type timing Wait

// Run starts or stops the timer.
func (t *timing) Run(int) { (*Wait)(t).time() }

// time starts the timer, or stops it when the wait is over. Loop-only, on the loop home.
func (w *Wait) time() {
	loop := w.waits.loops.Loop(int(w.home))
	if w.Over() {
		loop.Wheel().Cancel(&w.timer)
		return
	}
	w.timer.Init(w)
	loop.Wheel().Schedule(&w.timer, wheel.Deadline(loop.Now(), w.timeout))
}

// Expire implements wheel.Expirer.
func (w *Wait) Expire(int64) { w.Finish(ErrTimeout, int(w.home)) }

// Await blocks until the wait is over; when ctx ends before, it ends the wait. It returns the outcome.
func (w *Wait) Await(ctx context.Context) error {
	w.park(ctx)
	select {
	case <-w.ready:
	case <-ctx.Done():
		w.Finish(ended(ctx), OffLoop)
		<-w.ready
	}
	return w.err
}

// Next blocks until Signal was called, or the wait is over. ctx is what ends the wait, see Watch.
func (w *Wait) Next(ctx context.Context) {
	w.park(ctx)
	<-w.ready
}

// park notes that the calling goroutine is about to block on ready, if it is a handler and the server counts these.
func (w *Wait) park(ctx context.Context) {
	if !w.waits.Counting.Load() || !stack.OnHandler() {
		return
	}
	w.Lock()
	defer w.Unlock()
	if !w.over && len(w.ready) == 0 {
		parked := ctx
		w.parked = &parked
	}
}

// Signal wakes whoever blocks on ready.
func (w *Wait) Signal() {
	if w.ready == nil {
		return
	}
	select {
	case w.ready <- struct{}{}:
	default:
	}
}

// Resume is Signal for callers that hold the lock and have an answer: the handler that blocks goes on, and is not
// counted any more.
func (w *Wait) Resume() {
	w.parked = nil
	w.Signal()
}

// The pauses between attempts of Patiently.
const (
	pauseMin = 50 * time.Microsecond
	pauseMax = 5 * time.Millisecond
)

// Patiently calls post again and again while it fails with busy, for a while.
func Patiently(post func() error, busy error, while time.Duration) error {
	pause := pauseMin
	for waited := time.Duration(0); ; waited += pause {
		err := post()
		if !errors.Is(err, busy) || waited >= while {
			return err
		}
		pause = min(2*pause, pauseMax)
		time.Sleep(pause)
	}
}
