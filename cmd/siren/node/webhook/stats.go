package webhook

import (
	"errors"
	"sync/atomic"
)

// Result is how a hook ended.
type Result uint8

// The results of hooks.
const (
	OK       Result = iota
	Denied          // the backend does not allow a client to connect
	Failed          // the request or its answer was wrong
	TimedOut        // no answer in time
	Open            // no request was made: the circuit breaker is open
	results
)

// String returns the value of the label "result" in metrics.
func (r Result) String() string { return [...]string{"ok", "denied", "failed", "timeout", "open"}[r] }

func resultOf(kind Kind, a *Answer, err error) Result {
	switch {
	case errors.Is(err, ErrTimeout):
		return TimedOut
	case err != nil:
		return Failed
	case kind == Connect && !a.Allow:
		return Denied
	}
	return OK
}

// counters count since the start.
type counters struct {
	requests                   [kinds][results]atomic.Uint64
	full, retries, lost, wrong atomic.Uint64
}

func (c *counters) count(k Kind, r Result) { c.requests[k][r].Add(1) }

// Stats are a Sender's numbers: those of now, and counters since its start. Immutable.
type Stats struct {
	// Requests counts by kind and result. Those of Open were not made.
	Requests [3][5]uint64
	// Full counts hooks that were dropped because too many waited, or because they had waited for too long.
	Full uint64
	// Retries counts attempts of Disconnect behind the first, and Lost those whose last attempt failed.
	Retries, Lost uint64
	// Wrong counts parts of answers that were left out.
	Wrong uint64
	// InFlight are requests that are made now. Waiting are hooks that wait for their turn, and Retrying those that wait
	// for another attempt.
	InFlight, Waiting, Retrying int
	// CircuitOpen tells whether the circuit breaker is open or half open. Opened counts how often it has opened.
	CircuitOpen bool
	Opened      uint64
}

// Stats returns the numbers.
func (s *Sender) Stats() Stats {
	var st Stats
	for k := range s.stats.requests {
		for r := range s.stats.requests[k] {
			st.Requests[k][r] = s.stats.requests[k][r].Load()
		}
	}
	st.Full, st.Retries = s.stats.full.Load(), s.stats.retries.Load()
	st.Lost, st.Wrong = s.stats.lost.Load(), s.stats.wrong.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	st.InFlight, st.Waiting, st.Retrying = s.running, s.queue.asked.Len()+s.queue.told.Len(), len(s.retries)
	st.CircuitOpen, st.Opened = s.breaker.open(), s.breaker.opened
	return st
}
