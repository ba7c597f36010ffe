package poller

import (
	"context"
	"time"
)

const (
	// drainPoll is how often Drain looks whether connections are still busy.
	drainPoll = 2 * time.Millisecond
	// drainQuiet is how many looks in a row must find nothing: what one loop has queued for a connection of another one is
	// posted at the end of its turn, and may arrive behind the first look.
	drainQuiet = 3
)

// Drain waits until no connection has anything left to send, and those that were closed with CloseAfterFlush are gone, or
// until ctx ends. It returns how many connections still had something then. Nothing is closed: call it when all that is
// to be said is queued, and Stop afterwards. Safe for concurrent use.
func (e *Engine) Drain(ctx context.Context) (left int) {
	for quiet := 0; quiet < drainQuiet; quiet++ {
		if left = e.unfinished(ctx); left > 0 {
			quiet = -1
		}
		select {
		case <-ctx.Done():
			return left
		case <-e.done:
			return 0
		case <-time.After(drainPoll):
		}
	}
	return 0
}

// unfinished counts the connections that have something to send, or to wait for at their end. A loop that does not answer
// before ctx ends counts for nothing.
func (e *Engine) unfinished(ctx context.Context) int {
	counts := make(chan int, len(e.loops))
	for _, l := range e.loops {
		l.PostFunc(func() { counts <- l.Unfinished() })
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
