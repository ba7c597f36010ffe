package bench

import "time"

// dialQueue paces the start of subscribers; loop-owned. It bounds both the handshakes in flight and the starts per
// second.
type dialQueue struct {
	queue    []*subscriber
	inFlight int           // bound of unfinished handshakes
	interval time.Duration // between two starts, 0 for none
	next     int64         // clock time of the next start
}

// newDialQueue returns the queue of one worker out of several, each of which
// takes its share of the rate.
func newDialQueue(cfg Config, subs []*subscriber, now int64) dialQueue {
	q := dialQueue{queue: subs, inFlight: cfg.InFlight, next: now}
	if cfg.ConnectRate > 0 {
		q.interval = time.Second * time.Duration(cfg.loops()) / time.Duration(cfg.ConnectRate)
	}
	return q
}

// due returns the time until a start is allowed; ok is false when the queue is
// empty or waits for a handshake to finish.
func (q *dialQueue) due(now int64, pending int) (wait time.Duration, ok bool) {
	if len(q.queue) == 0 || pending >= q.inFlight {
		return 0, false
	}
	if q.interval == 0 {
		return 0, true
	}
	return time.Duration(max(0, q.next-now)), true
}

// pop returns the next subscriber if it may start now, else nil. It catches up on late starts, so that the rate holds
// on average.
func (q *dialQueue) pop(now int64, pending int) *subscriber {
	if wait, ok := q.due(now, pending); !ok || wait > 0 {
		return nil
	}
	s := q.queue[0]
	q.queue = q.queue[1:]
	q.next += int64(q.interval)
	return s
}

// startDials starts the subscribers that are due. It starts a bounded number per round of the loop, so that handshakes
// under way do not wait.
func (w *worker) startDials() {
	const perRound = 64
	for range perRound {
		s := w.dials.pop(w.clock.now(), len(w.pending))
		if s == nil {
			return
		}
		s.start()
	}
}
