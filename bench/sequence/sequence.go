// Package sequence tracks which of the numbered messages of a stream have arrived.
package sequence

import "slices"

// Verdict is the place of a message in the order of delivery.
type Verdict uint8

// The verdicts of Take.
const (
	// InOrder means that no later message has arrived; there may be a gap before this one.
	InOrder Verdict = iota
	// Reordered means that a later message arrived before.
	Reordered
	// Duplicated means that this message arrived before.
	Duplicated
)

// Sequence tracks the messages of one receiver. It is owned by one goroutine; the zero value expects message 0. It is a
// single counter as long as nothing is out of order.
type Sequence struct {
	next  int    // one above the highest number seen
	holes []hole // numbers below next that have not come, ascending
}

// hole is a range of messages [low, high) that have not arrived.
type hole struct{ low, high int }

// From returns a sequence that expects message n first.
func From(n int) Sequence { return Sequence{next: n} }

// Next returns one more than the highest number seen.
func (s *Sequence) Next() int { return s.next }

// Take notes message n and returns how it arrived: in order (perhaps after a gap), after a later one, or again.
func (s *Sequence) Take(n int) Verdict {
	if n >= s.next {
		if n > s.next {
			s.holes = append(s.holes, hole{s.next, n})
		}
		s.next = n + 1
		return InOrder
	}
	for i, h := range s.holes {
		if n < h.low || n >= h.high {
			continue
		}
		var rest []hole
		if h.low < n {
			rest = append(rest, hole{h.low, n})
		}
		if n+1 < h.high {
			rest = append(rest, hole{n + 1, h.high})
		}
		s.holes = slices.Replace(s.holes, i, i+1, rest...)
		return Reordered
	}
	return Duplicated
}

// Complete reports whether messages up to count-1 have all arrived.
func (s *Sequence) Complete(count int) bool { return s.next >= count && len(s.holes) == 0 }

// Absent returns the number of messages up to count-1 that have not arrived: those skipped, and those that may still be
// on their way.
func (s *Sequence) Absent(count int) (skipped, tail int) {
	for _, h := range s.holes {
		skipped += h.high - h.low
	}
	return skipped, max(0, count-s.next)
}

// Holes calls fn for each message below count that has not arrived, until fn returns false.
func (s *Sequence) Holes(count int, fn func(n int) bool) {
	for _, h := range append(s.holes[:len(s.holes):len(s.holes)], hole{s.next, count}) {
		for n := h.low; n < min(h.high, count); n++ {
			if !fn(n) {
				return
			}
		}
	}
}
