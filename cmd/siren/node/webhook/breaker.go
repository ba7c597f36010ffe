package webhook

import "time"

// The rules of the circuit breaker: it opens when half of the latest breakerWindow requests have failed, once there are
// so many, or breakerRow in a row.
const (
	breakerWindow = 20
	breakerRow    = 10
)

// breaker is a circuit breaker. While it is closed, all requests are made. While it is open, none is. After openFor it
// is half open: one request is made, whose result closes it or opens it again. Guarded by its Sender's mutex.
type breaker struct {
	openFor time.Duration
	// until is when the breaker is half open; the zero Time while it is closed.
	until time.Time
	// probe is the request that is made while it is half open; nil when none is.
	probe *hook
	// failed are the results of the latest requests: a ring of count, the next one at position next.
	failed          [breakerWindow]bool
	next, count     int
	failures, inRow int
	// opened counts how often it has opened, half-open times that failed not included.
	opened uint64
}

func (b *breaker) open() bool { return !b.until.IsZero() }

// admits reports whether a request may be made now. While the breaker is half open the caller must make that one at
// once, and nothing else: it is the probe.
func (b *breaker) admits(now time.Time) bool {
	return !b.open() || b.probe == nil && !now.Before(b.until)
}

// begins notes that a request is made.
func (b *breaker) begins(h *hook) {
	if b.open() {
		b.probe = h
	}
}

// ends notes the result of a request that was made, and returns whether it has opened or closed the breaker. Requests
// that were made before it opened say nothing about the backend now.
func (b *breaker) ends(h *hook, ok bool, now time.Time) (changed bool) {
	switch {
	case !b.open():
		return b.record(!ok, now)
	case b.probe != h:
		return false
	case ok:
		*b = breaker{openFor: b.openFor, opened: b.opened}
		return true
	}
	b.probe, b.until = nil, now.Add(b.openFor)
	return false
}

func (b *breaker) record(failed bool, now time.Time) (opened bool) {
	if b.count == breakerWindow && b.failed[b.next] {
		b.failures--
	}
	b.failed[b.next] = failed
	b.next = (b.next + 1) % breakerWindow
	b.count = min(b.count+1, breakerWindow)
	if !failed {
		b.inRow = 0
		return false
	}
	b.failures++
	b.inRow++
	if b.inRow < breakerRow && (b.count < breakerWindow || b.failures < breakerWindow/2) {
		return false
	}
	b.until = now.Add(b.openFor)
	b.opened++
	return true
}
