package bench

import "slices"

// verdict is the place of a tick in the order of delivery.
type verdict uint8

const (
	tickInOrder verdict = iota
	tickReordered
	tickDuplicated
)

// sequence tracks the ticks of one subscriber; loop-owned, the zero value expects tick 0. It is a single counter as
// long as nothing is out of order.
type sequence struct {
	next  int    // one above the highest number seen
	holes []hole // numbers below next that have not come, ascending
}

// hole is a range of ticks [low, high) that have not arrived.
type hole struct{ low, high int }

// take notes tick n and returns how it arrived: in order (perhaps after a gap), after a later one, or again.
func (s *sequence) take(n int) verdict {
	if n >= s.next {
		if n > s.next {
			s.holes = append(s.holes, hole{s.next, n})
		}
		s.next = n + 1
		return tickInOrder
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
		return tickReordered
	}
	return tickDuplicated
}

// complete reports whether ticks 0 to count-1 have all arrived.
func (s *sequence) complete(count int) bool {
	return s.next >= count && len(s.holes) == 0
}

// absent returns the number of the count ticks that have not arrived: those skipped, and those that may still be on
// their way.
func (s *sequence) absent(count int) (skipped, tail int) {
	for _, h := range s.holes {
		skipped += h.high - h.low
	}
	return skipped, max(0, count-s.next)
}
