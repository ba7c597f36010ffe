package profile

import (
	"time"

	"github.com/seed58c87869/siren/bench"
)

// timeline has the course of a run, second by second. Owned by the goroutine of Run.
type timeline struct {
	delivery, answer spread // of the whole run
	had              int64
	last             time.Duration
	users            [][2]float64
	rate             [][2]float64
	p99              [][2]float64
}

func newTimeline() timeline { return timeline{delivery: newSpread(), answer: newSpread()} }

// second ends a second: what the users saw in it goes into the curves and into the sums.
func (r *run) second(now time.Duration) {
	t := &r.times
	delivery, answer := newSpread(), newSpread()
	var delivered int64
	for _, s := range r.shards {
		s.mu.Lock()
		delivery.merge(&s.delivery)
		answer.merge(&s.answer)
		s.delivery.reset()
		s.answer.reset()
		delivered += int64(s.delivered)
		s.mu.Unlock()
	}
	t.delivery.merge(&delivery)
	t.answer.merge(&answer)
	at := now.Seconds()
	t.users = append(t.users, [2]float64{at, float64(r.ready.Load())})
	if span := now - t.last; span > 0 && r.p.Expect != nil {
		t.rate = append(t.rate, [2]float64{at, float64(delivered-t.had) / span.Seconds()})
	}
	t.had, t.last = delivered, now
	shown := &delivery
	if r.p.Expect == nil {
		shown = &answer
	}
	if shown.count() > 0 {
		t.p99 = append(t.p99, [2]float64{at, shown.at(99)})
	}
}

// curves returns the curves of the run.
func (r *run) curves() (list []bench.Curve) {
	add := func(name, y, unit string, points [][2]float64) {
		if len(points) > 1 {
			list = append(list, bench.Curve{Name: name, X: "time", XUnit: "s", Y: y, YUnit: unit, Points: points})
		}
	}
	what := "latency"
	if r.p.Expect == nil {
		what = "answer"
	}
	distribution := &r.times.delivery
	if r.p.Expect == nil {
		distribution = &r.times.answer
	}
	if distribution.count() > 0 {
		c := bench.Curve{Name: what + " by percentile", X: "percentile", XUnit: "%", Y: what, YUnit: "us"}
		for _, p := range []float64{0, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100} {
			c.Points = append(c.Points, [2]float64{p, distribution.at(p)})
		}
		list = append(list, c)
	}
	add(what+" p99 in the course of the run", what+" p99", "us", r.times.p99)
	add("deliveries per second in the course of the run", "deliveries per second", "1/s", r.times.rate)
	add("users in the course of the run", "users", "", r.times.users)
	return list
}
