package poller

import (
	"context"
	"time"
)

const (
	// drainPoll is how often Drain looks whether connections are still busy.
	drainPoll = 2 * time.Millisecond
	// drainQuiet is how many looks in a row must find nothing to send. One look is not enough: a loop posts what it has
	// queued for connections of another loop at the end of its turn.
	drainQuiet = 3
	// drainCount bounds the wait for the loops' counts when ctx has ended.
	drainCount = time.Second
)

// Drain waits until no connection has anything left to send and all connections closed with CloseAfterFlush are gone,
// or until ctx ends. It returns the number of connections that then had bytes to send that the kernel had not taken. It
// closes nothing: call it when everything is queued, and Stop afterwards. Safe for concurrent use.
func (e *Engine) Drain(ctx context.Context) (left int) {
	for quiet := 0; quiet < drainQuiet; quiet++ {
		if e.sum(ctx, func(l *Loop) int {
			if l.Unfinished() {
				return 1
			}
			return 0
		}) > 0 {
			quiet = -1
		}
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.Background(), drainCount)
			defer cancel()
			return e.Waiting(last)
		case <-e.done:
			return 0
		case <-time.After(drainPoll):
		}
	}
	return 0
}

// Waiting returns the number of connections with bytes to send that the kernel has not taken. A loop that does not
// answer before ctx ends is not counted. Safe for concurrent use.
func (e *Engine) Waiting(ctx context.Context) int {
	return e.sum(ctx, func(l *Loop) int { return l.Waiting() })
}

// sum runs count on each loop and returns the sum. A loop that does not answer before ctx ends counts as 0.
func (e *Engine) sum(ctx context.Context, count func(l *Loop) int) int {
	counts := make(chan int, len(e.loops))
	for _, l := range e.loops {
		l.PostFunc(func() { counts <- count(l) })
	}
	sum := 0
	for range e.loops {
		select {
		case n := <-counts:
			sum += n
		case <-ctx.Done():
			return sum
		case <-e.done:
			return sum
		}
	}
	return sum
}
