package profile

import (
	"math"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// ceiling is the longest time that is told apart, in microseconds.
const ceiling = int64(10 * time.Minute / time.Microsecond)

// spread is a distribution of times. Owned by one goroutine, or guarded by the owner's lock.
type spread struct {
	histogram *hdrhistogram.Histogram
	longest   time.Duration
	sum       time.Duration
}

func newSpread() spread { return spread{histogram: hdrhistogram.New(1, ceiling, 3)} }

// add notes a time.
func (s *spread) add(d time.Duration) {
	d = max(d, 0)
	s.longest = max(s.longest, d)
	s.sum += d
	// The bounds keep RecordValue from failing.
	_ = s.histogram.RecordValue(min(max(d.Microseconds(), 1), ceiling))
}

// merge adds another distribution.
func (s *spread) merge(o *spread) {
	s.histogram.Merge(o.histogram)
	s.longest = max(s.longest, o.longest)
	s.sum += o.sum
}

// reset empties it.
func (s *spread) reset() {
	s.histogram.Reset()
	s.longest, s.sum = 0, 0
}

// count returns the number of times.
func (s *spread) count() int64 { return s.histogram.TotalCount() }

// at returns a percentile in microseconds. The histogram rounds; the maximum is exact.
func (s *spread) at(p float64) float64 {
	longest := float64(s.longest) / 1e3
	if p >= 100 {
		return longest
	}
	return math.Min(float64(s.histogram.ValueAtPercentile(p)), longest)
}

// avg returns the mean in microseconds.
func (s *spread) avg() float64 { return float64(s.sum) / 1e3 / math.Max(float64(s.count()), 1) }

// shard counts what some of the users see. Safe for concurrent use.
type shard struct {
	mu        sync.Mutex
	delivery  spread // of the present second
	answer    spread // of the present second
	delivered uint64
	duplicate uint64
	reordered uint64
	malformed uint64
	example   string // the first malformed event
}

func newShard() *shard { return &shard{delivery: newSpread(), answer: newSpread()} }

// exampleMax is how much of a malformed event is kept.
const exampleMax = 120

// faulty notes an event that is not what the profile expects.
func (s *shard) faulty(args []byte) {
	s.malformed++
	if s.example == "" {
		s.example = string(args[:min(len(args), exampleMax)])
	}
}
