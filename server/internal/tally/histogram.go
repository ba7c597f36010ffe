package tally

import (
	"sync/atomic"
	"time"
)

// Histogram is the distribution of some observations since the start. Immutable.
type Histogram struct {
	// Bounds are the upper bounds of the buckets, inclusive, in ascending order. The last bucket has none. They are
	// those of all histograms of the same thing: do not change them.
	Bounds []float64
	// Counts has the number of observations in each bucket, one more than there are bounds. It is nil before the first
	// observation was copied.
	Counts []uint64
	// Sum is the sum of all observations.
	Sum float64
}

// Count returns the number of observations.
func (h *Histogram) Count() (n uint64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// bounds is the number of bounds that a scale has.
const bounds = 16

// scale has the bounds of a kind of histogram. Immutable.
type scale struct {
	at     [bounds]int64 // in the unit of the observations
	shown  []float64     // in that of the Histogram
	factor float64       // from the former to the latter
}

// times returns a scale of durations, shown in seconds.
func times(at ...time.Duration) *scale {
	s := &scale{factor: 1 / float64(time.Second)}
	for i, d := range at {
		s.at[i] = int64(d)
		s.shown = append(s.shown, d.Seconds())
	}
	return s
}

func numbers(at ...int64) *scale {
	s := &scale{factor: 1}
	for i, n := range at {
		s.at[i] = n
		s.shown = append(s.shown, float64(n))
	}
	return s
}

const (
	µs = time.Microsecond
	ms = time.Millisecond
)

// The scales. Recipients are dense where rooms are small. The lag of an idle loop is some microseconds, and one of
// seconds has clients time out.
var (
	recipientScale = numbers(1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 100_000, 1_000_000)
	lagScale       = times(100*µs, 250*µs, 500*µs, ms, 2500*µs, 5*ms, 10*ms, 25*ms, 50*ms, 100*ms, 250*ms, 500*ms,
		time.Second, 2500*ms, 5*time.Second, 10*time.Second)
	handlerScale = times(10*µs, 50*µs, 100*µs, 250*µs, 500*µs, ms, 2500*µs, 5*ms, 10*ms, 25*ms, 50*ms, 100*ms, 250*ms,
		time.Second, 2500*ms, 10*time.Second)
)

// find returns the index of the bucket of an observation.
func (s *scale) find(v int64) int {
	i := 0
	for i < bounds && v > s.at[i] {
		i++
	}
	return i
}

// buckets is a histogram that one event loop owns.
type buckets struct {
	counts [bounds + 1]uint64
	sum    int64
}

func (b *buckets) observe(s *scale, v int64) {
	b.counts[s.find(v)]++
	b.sum += v
}

func (b *buckets) histogram(s *scale) Histogram {
	return Histogram{Bounds: s.shown, Counts: append([]uint64(nil), b.counts[:]...), Sum: float64(b.sum) * s.factor}
}

// sharedBuckets is a histogram for several goroutines. Safe for concurrent use.
type sharedBuckets struct {
	counts [bounds + 1]atomic.Uint64
	sum    atomic.Int64
}

func (b *sharedBuckets) observe(s *scale, v int64) {
	b.counts[s.find(v)].Add(1)
	b.sum.Add(v)
}

// addTo adds the observations to a Histogram of the scale.
func (b *sharedBuckets) addTo(h *Histogram, s *scale) {
	if h.Counts == nil {
		h.Bounds, h.Counts = s.shown, make([]uint64, bounds+1)
	}
	h.Sum += float64(b.sum.Load()) * s.factor
	for i := range b.counts {
		h.Counts[i] += b.counts[i].Load()
	}
}
