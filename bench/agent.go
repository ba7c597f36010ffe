package bench

import (
	"errors"
	"fmt"
)

// crew is a group of client loops that executes orders: an agent in this process, or one in another process. Orders
// come one at a time.
type crew interface {
	do(o order) (report, error)
	// cpu returns the processor time of the crew's process, or zero if that is this process.
	cpu() cpuTime
	// close ends all loops and sessions.
	close() error
}

// errOrder is returned for unknown orders.
var errOrder = errors.New("bench: unknown order")

// agent is a crew in this process; only one goroutine may use it.
type agent struct {
	cfg     Config
	clock   clock
	workers []*worker
	// publisher is a subscriber of workers[0], used on its loop only.
	publisher *subscriber
}

// newAgent starts the loops. notify must not block; it may be called from any
// of them.
func newAgent(cfg Config, d duty, t target, notify func()) (*agent, error) {
	a := &agent{cfg: cfg, clock: newClock()}
	plan := newTickPlan(cfg.Broadcasts, cfg.Size)
	for range cfg.Workers {
		w, err := newWorker(cfg, d, t, a.clock, plan, notify)
		if err != nil {
			return nil, errors.Join(err, a.close())
		}
		w.start()
		a.workers = append(a.workers, w)
	}
	return a, nil
}

func (a *agent) cpu() cpuTime { return cpuTime{} }

func (a *agent) close() error {
	for _, w := range a.workers {
		w.stop()
	}
	a.workers = nil
	return nil
}

// do executes an order on all loops, one after the other.
func (a *agent) do(o order) (report, error) {
	var r report
	var err error
	switch o.Do {
	case doOpen:
		a.open(o)
	case doProgress:
		for _, w := range a.workers {
			r.Progress = r.Progress.add(w.current())
		}
		return r, nil
	case doCount:
	case doCollect:
		r.Window, err = a.collect(o)
	case doPublish:
		a.workers[0].call(a.publisher.publish)
	case doBegin:
		r.Count = a.each(func(w *worker) int { return w.beginWindow(o.Window) })
	case doEcho:
		a.echo(*o.Echo)
	case doGame:
		a.each(func(w *worker) int { w.game.begin(*o.Game, w, w.clock.now()); return 0 })
	case doUpgrade:
		r.Count = a.each(func(w *worker) int { return w.upgrades.ask(w.subs, o.InFlight) })
	case doCut:
		r.Count = a.each((*worker).cut)
	case doFreeze, doThaw:
		r.Count = a.each(func(w *worker) int { return w.freeze(o.Do == doFreeze) })
	case doLeave:
		r.Count = a.each((*worker).leaveAll)
	default:
		return r, fmt.Errorf("%w %q", errOrder, o.Do)
	}
	a.count(&r)
	return r, err
}

// each runs fn on every loop and returns the sum of the results. The progress that is published afterwards includes its
// effect.
func (a *agent) each(fn func(*worker) int) (sum int) {
	for _, w := range a.workers {
		w.call(func() {
			sum += fn(w)
			w.publishProgress(w.clock.now())
		})
	}
	return sum
}

// count fills in the counts that every report carries.
func (a *agent) count(r *report) {
	for _, w := range a.workers {
		w.call(func() {
			r.add(report{
				Progress: w.current(),
				Lost:     w.counts.lost, Retried: w.counts.retried,
				Stray: w.counts.stray, Failures: w.counts.failures,
			})
		})
	}
}

// open starts sessions, every worker its part of them.
func (a *agent) open(o order) {
	for i, w := range a.workers {
		w.call(func() {
			var fresh []*subscriber
			if o.Publisher && i == 0 {
				a.publisher = &subscriber{w: w, publisher: true, upgradeAt: noUpgrade}
				fresh = append(fresh, a.publisher)
			}
			for j := i; j < o.Sessions; j += len(a.workers) {
				fresh = append(fresh, &subscriber{w: w, upgradeAt: a.cfg.upgradeTick(j), slow: j < o.Slow})
			}
			w.subs = append(w.subs, fresh...)
			w.dials = newDialQueue(w.cfg, fresh, w.clock.now())
			w.publishProgress(w.clock.now())
		})
	}
}

// echo starts a load, every worker its part of the requests.
func (a *agent) echo(p echoPlan) {
	for i, w := range a.workers {
		part := p
		part.Concurrency = share(p.Concurrency, len(a.workers), i)
		w.call(func() {
			// The workers of an open loop take turns.
			now := w.clock.now()
			w.echo.begin(part, w, now+int64(i)*p.Interval)
			w.echo.plan.Interval *= int64(len(a.workers))
			w.publishProgress(now)
		})
	}
}

// beginWindow prepares the worker's sessions for a measurement and returns the number of planned upgrades.
func (w *worker) beginWindow(kind windowKind) (upgrades int) {
	w.tally.begin(kind, w.blocked)
	c := &w.counts
	c.receivers, c.complete, c.lostReceivers, c.pings = 0, 0, 0, 0
	if kind != windowTicks {
		return 0
	}
	for _, s := range w.subs {
		if s.beginBurst() {
			c.receivers++
		}
		if s.phase == phaseReady && s.upgradePending() {
			upgrades++
		}
	}
	return upgrades
}

// leaveAll ends all sessions in order.
func (w *worker) leaveAll() (n int) {
	for _, s := range w.subs {
		s.leave()
	}
	return len(w.subs)
}

// collect ends the window and returns the workers' counts.
func (a *agent) collect(o order) (*window, error) {
	latency, lag := newHistogram(), newHistogram()
	sum := &window{}
	for _, w := range a.workers {
		w.call(func() {
			t := &w.tally
			t.active = false
			part := w.window(o.Since, o.Early)
			sum.add(&part)
			latency.Merge(t.latency)
			lag.Merge(t.lag)
		})
	}
	var errLatency, errLag error
	sum.Latency, errLatency = encodeHistogram(latency)
	sum.Lag, errLag = encodeHistogram(lag)
	return sum, errors.Join(errLatency, errLag)
}

// window returns the worker's counts, without the histograms.
func (w *worker) window(since int64, early bool) window {
	t := &w.tally
	v := window{
		Expected: t.expected, Delivered: t.delivered, OverPolling: t.overPolling,
		Duplicated: t.duplicated, Reordered: t.reordered, Malformed: t.malformed,
		Skewed: t.skewed, Example: t.example,
		InBurst: t.upgradedInBurst, Done: w.counts.upgraded, Failed: w.counts.upgradeFailed,
		LatencyMax: t.latencyMax, LagMax: t.lagMax, Last: t.lastReceived,
	}
	if t.kind == windowTicks {
		w.countTicks(&v, early)
	} else if t.expected > t.delivered {
		v.Missing = t.expected - t.delivered
		if early {
			v.Missing, v.Outstanding = 0, v.Missing
		}
	}
	if wall := t.lastReceived - since; t.lastReceived > 0 && wall > 0 {
		idle := float64(t.blockedAfter-t.blockedBefore) / float64(wall)
		v.Busy = min(1, max(0, 1-idle))
	}
	return v
}

// countTicks compares what every receiver has got with what it should have got.
func (w *worker) countTicks(v *window, early bool) {
	for _, s := range w.subs {
		if !s.receives {
			continue
		}
		v.Receivers++
		v.Expected += uint64(w.cfg.Broadcasts)
		skipped, tail := s.seq.Absent(w.cfg.Broadcasts)
		v.Missing += uint64(skipped)
		// Ticks that an interrupted burst has not delivered yet are not counted as lost.
		if early && s.phase != phaseEnded {
			v.Outstanding += uint64(tail)
		} else {
			v.Missing += uint64(tail)
		}
	}
}

// share returns the i-th of several nearly equal parts of n.
func share(n, parts, i int) int {
	part := n / parts
	if i < n%parts {
		part++
	}
	return part
}
