package tally

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// lagEvery is the time between two measurements of a loop's lag.
	lagEvery = 100 * time.Millisecond
	// lagsMax bounds the measurements of one loop that wait, and those that are made up for after a pause of the whole
	// process: more than the last bound of the histogram, in time.
	lagsMax = 128
)

// Late is called on a loop with each lag that was measured there. It must not block.
type Late = func(loop int, lag time.Duration)

// lagState is what the measuring of a loop's lag needs. Safe for concurrent use.
type lagState struct {
	waiting atomic.Int32
}

// lagProbe measures the lag of a loop: the time from when it was due to when it runs. Immutable.
type lagProbe struct {
	t    *Tally
	due  time.Time
	late Late
}

// Run implements Task.
func (p *lagProbe) Run(loop int) {
	l, lag := &p.t.loops[loop], time.Since(p.due)
	l.lag.waiting.Add(-1)
	l.lags.observe(lagScale, int64(lag))
	if p.late != nil {
		p.late(loop, lag)
	}
}

// WatchLag measures the lag of all loops ten times a second, until ctx ends or done is closed. A probe is posted at
// each measurement whether or not those before have run, so a loop that stood still for a second has ten lags, up to a
// second; those that were due while the whole process stood still are posted afterwards. late, if set, is called on the
// loop with each lag.
func (t *Tally) WatchLag(
	ctx context.Context, post func(loop int, t Task), late Late, done <-chan struct{},
) {
	ticker := time.NewTicker(lagEvery)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-done:
			return
		case <-ticker.C:
		}
		now := time.Now()
		for _, due := range missed(last, now) {
			t.measure(&lagProbe{t, due, late}, post)
		}
		t.measure(&lagProbe{t, now, late}, post)
		last = now
	}
}

// missed returns the times at which measurements were due between the last one and now, where the process stood still.
func missed(last, now time.Time) (due []time.Time) {
	n := min(int(now.Sub(last)/lagEvery)-1, lagsMax-1)
	for i := n; i > 0; i-- {
		due = append(due, now.Add(-time.Duration(i)*lagEvery))
	}
	return due
}

// measure posts a probe to each loop that does not have too many of them.
func (t *Tally) measure(p *lagProbe, post func(loop int, t Task)) {
	for i := range t.loops {
		if w := &t.loops[i].lag.waiting; w.Load() < lagsMax {
			w.Add(1)
			post(i, p)
		}
	}
}
