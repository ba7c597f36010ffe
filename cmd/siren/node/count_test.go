package node

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// told records what a liveCount publishes, and when.
type told struct {
	mu     sync.Mutex
	counts []int
	times  []time.Time
}

func (r *told) publish(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts = append(r.counts, n)
	r.times = append(r.times, time.Now())
}

// all is what was published so far.
func (r *told) all() ([]int, []time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts, r.times
}

func TestLiveCount(t *testing.T) {
	for name, c := range map[string]struct {
		changes []int // each 10 ms after the one before
		want    []int
	}{
		"one":                 {[]int{1}, []int{1}},
		"several at once":     {[]int{1, 1, 1, 1}, []int{4}},
		"come and gone again": {[]int{1, -1}, []int{0}},
		"some left":           {[]int{1, 1, -1}, []int{1}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var r told
				live := &liveCount{publish: r.publish}
				for _, delta := range c.changes {
					live.add(delta, true)
					time.Sleep(10 * time.Millisecond)
				}
				time.Sleep(time.Hour)
				if got, _ := r.all(); !slices.Equal(got, c.want) {
					t.Errorf("published %v, want %v", got, c.want)
				}
			})
		})
	}
}

// However fast the count changes, it is told five times a second at most, less
// often when many are connected, and the last value is always told.
func TestLiveCountIsBounded(t *testing.T) {
	for _, connected := range []int{0, 10_000} {
		synctest.Test(t, func(t *testing.T) {
			var r told
			live := &liveCount{publish: r.publish}
			live.add(connected, true)
			for range 5000 {
				live.add(1, true)
				time.Sleep(time.Millisecond)
			}
			time.Sleep(time.Minute)
			least := countInterval + time.Duration(connected)*countCost
			counts, times := r.all()
			for i := 1; i < len(times); i++ {
				if d := times[i].Sub(times[i-1]); d < least {
					t.Errorf("%d connected: told twice within %v, want %v at least", connected, d, least)
				}
			}
			if n := len(counts); n < 2 || counts[n-1] != connected+5000 {
				t.Errorf("%d connected: told %v", connected, counts)
			}
		})
	}
}

// While nothing changes no timer runs.
func TestLiveCountRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r told
		live := &liveCount{publish: r.publish}
		live.add(1, true)
		time.Sleep(time.Hour)
		live.mu.Lock()
		pending := live.pending
		live.mu.Unlock()
		if counts, _ := r.all(); pending || len(counts) != 1 {
			t.Errorf("pending %v after %v", pending, counts)
		}
	})
}
