package bench

import (
	"time"

	"golang.org/x/sys/unix"
)

// retryAfter is how long a client of a storm waits after a failed attempt.
const retryAfter = 200 * time.Millisecond

// retryQueue holds sessions that are to be opened again; loop-owned, the zero value retries nothing.
type retryQueue struct {
	enabled bool
	list    []*subscriber
	at      []int64 // ascending: every wait is the same
}

// due returns the time until the next retry.
func (q *retryQueue) due(now int64) (wait time.Duration, ok bool) {
	if len(q.at) == 0 {
		return 0, false
	}
	return time.Duration(max(0, q.at[0]-now)), true
}

// release passes sessions whose pause is over to the dial queue.
func (q *retryQueue) release(dials *dialQueue, now int64) {
	for len(q.at) > 0 && q.at[0] <= now {
		dials.queue = append(dials.queue, q.list[0])
		q.list, q.at = q.list[1:], q.at[1:]
	}
}

// retry schedules another attempt where failures are expected. It returns false if the failure is final.
func (w *worker) retry(s *subscriber, err error) bool {
	if !w.retries.enabled || w.stopping || s.publisher {
		return false
	}
	w.counts.retried++
	w.counts.failure(err)
	s.reset()
	w.retries.list = append(w.retries.list, s)
	w.retries.at = append(w.retries.at, w.clock.now()+int64(retryAfter))
	return true
}

// cut ends all sessions at once with a reset, like a failing network, and opens all of them again. Their times count
// from the cut. It returns the number of sessions.
func (w *worker) cut() (n int) {
	now := w.clock.now()
	var back []*subscriber
	for _, s := range w.subs {
		if s.phase != phaseReady || s.publisher {
			continue
		}
		s.link.reset()
		s.started = now
		s.reset()
		back = append(back, s)
	}
	w.counts.ready -= len(back)
	w.retries.enabled = true
	cfg := w.cfg
	cfg.InFlight, cfg.ConnectRate = max(1, len(back)), 0
	w.dials = newDialQueue(cfg, back, now)
	return len(back)
}

// reset closes the connection so that the peer gets a RST.
func (c *conn) reset() {
	if c.fd < 0 {
		return
	}
	// Without the option it is a close like any other.
	_ = unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	c.close()
}

// reset cuts the session's connection off.
func (l *wsLink) reset() {
	l.conn.reset()
	l.reader.Reset()
}

// reset cuts the session's connection off.
func (l *pollLink) reset() { l.conn.reset() }
