package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	// busyBottleneck is the part of a burst from which on a busy loop is
	// taken for what limits the rate.
	busyBottleneck = 0.9
	// coarseCPU is the processor time below which the 10 ms steps of
	// /proc/PID/stat make up more than some percent.
	coarseCPU = 300 * time.Millisecond
	// othersNoted is the part of the machine that others may use before it
	// is worth a remark.
	othersNoted = 0.1
)

// burst publishes once, waits for the deliveries, and adds a Burst to the
// result. stop tells that another one makes no sense.
func (r *run) burst(ctx context.Context) (stop bool) {
	for _, w := range r.workers {
		w.call(w.beginBurst)
	}
	planned, settled := r.upgradesPlanned()
	before := r.readClocks()
	var published int64
	r.workers[0].call(func() {
		published = r.clock.now()
		r.publisher.publish()
	})
	err := r.await(ctx, r.cfg.Stall+r.cfg.Gap, func(p progress) bool {
		return !p.delivering() && p.upgraded+p.upgradeFailed >= settled
	})
	after := r.readClocks()
	pause(ctx, settleAfter)

	var b Burst
	if r.cfg.Transport == TransportUpgrade {
		b.Upgrades = &Upgrades{Planned: planned}
	}
	early := err != nil && !errors.Is(err, errStalled)
	r.collect(&b, published, early)
	r.charge(&b, before, after)
	r.remark(&b, err)
	r.result.Bursts = append(r.result.Bursts, b)
	return err != nil
}

// remark adds the notes that a burst calls for.
func (r *run) remark(b *Burst, err error) {
	if errors.Is(err, errStalled) {
		r.result.note(fmt.Sprintf("a burst stood still for %v and was given up", r.cfg.Stall+r.cfg.Gap))
	}
	if r.cfg.Gap > 0 {
		r.result.note("the bursts are paced by the gap: the rate is what was asked for, not a limit")
	}
	if u := b.Upgrades; u != nil && u.Done > 0 && u.InBurst == 0 {
		r.result.note("no upgrade met a message: give the burst a gap")
	}
	if b.Others > othersNoted {
		r.result.note("other processes used much of this machine: times and rates are theirs as well")
	}
	if s := b.Server; s != nil && s.User+s.System < coarseCPU.Seconds() {
		r.result.note("the server used so little CPU time that its 10 ms steps show: make the bursts longer")
	}
}

// beginBurst readies the worker's subscribers.
func (w *worker) beginBurst() {
	w.tally.begin(w.blocked)
	w.counts.receivers, w.counts.complete, w.counts.lostReceivers = 0, 0, 0
	for _, s := range w.subs {
		if s.beginBurst() {
			w.counts.receivers++
		}
	}
	w.publishProgress(w.clock.now())
}

// upgradesPlanned counts the sessions that are going to upgrade, which those
// that failed before are not, and what upgraded and upgradeFailed will add up
// to when all of them have.
func (r *run) upgradesPlanned() (planned, settled int) {
	for _, w := range r.workers {
		w.call(func() {
			before := planned
			for _, s := range w.subs {
				if s.phase == phaseReady && s.upgradePending() {
					planned++
				}
			}
			settled += planned - before + w.counts.upgraded + w.counts.upgradeFailed
		})
	}
	return planned, settled
}

// collect adds up what the workers saw since published. early tells that the
// run ended before the burst did.
func (r *run) collect(b *Burst, published int64, early bool) {
	latency, lag := newHistogram(), newHistogram()
	var latencyMax, lagMax, last int64
	var skewed uint64
	for _, w := range r.workers {
		w.call(func() {
			t := &w.tally
			t.active = false
			b.addWorker(w, early)
			latency.Merge(t.latency)
			lag.Merge(t.lag)
			skewed += t.skewed
			latencyMax, lagMax = max(latencyMax, t.latencyMax), max(lagMax, t.lagMax)
			last = max(last, t.lastReceived)
			if wall := t.lastReceived - published; wall > 0 {
				idle := float64(t.blockedAfter-t.blockedBefore) / float64(wall)
				b.Client.Busy = max(b.Client.Busy, 1-idle)
			}
		})
	}
	b.Client.LagP99 = micros(min(lag.ValueAtPercentile(99), lagMax))
	b.Client.LagMax = micros(lagMax)
	b.Client.Bottleneck = b.Client.Busy > busyBottleneck
	if wall := last - published; last > 0 && wall > 0 {
		b.Seconds = time.Duration(wall).Seconds()
		rate := float64(b.Delivered) / b.Seconds
		if b.Client.Bottleneck {
			b.ClientBoundRate = &rate
		} else {
			b.Rate = &rate
		}
	}
	switch {
	case b.Delivered == 0:
	case skewed > 0 || !r.target.local():
		r.result.note("no latency: the clocks of server and client are not the same")
	default:
		b.Latency = &Latency{
			P50:  micros(min(latency.ValueAtPercentile(50), latencyMax)),
			P90:  micros(min(latency.ValueAtPercentile(90), latencyMax)),
			P99:  micros(min(latency.ValueAtPercentile(99), latencyMax)),
			P999: micros(min(latency.ValueAtPercentile(99.9), latencyMax)),
			Max:  micros(latencyMax),
		}
	}
}

// addWorker adds the counts of one worker; called on its loop.
func (b *Burst) addWorker(w *worker, early bool) {
	t := &w.tally
	b.Delivered += t.delivered
	b.Duplicated += t.duplicated
	b.Reordered += t.reordered
	b.Malformed += t.malformed
	if b.MalformedExample == "" {
		b.MalformedExample = t.example
	}
	for _, s := range w.subs {
		if !s.receives {
			continue
		}
		b.Receivers++
		b.Expected += uint64(w.cfg.Broadcasts)
		skipped, tail := s.seq.absent(w.cfg.Broadcasts)
		b.Missing += uint64(skipped)
		// What an interrupted burst did not bring yet is not known to be lost.
		if early && s.phase != phaseEnded {
			b.Outstanding += uint64(tail)
		} else {
			b.Missing += uint64(tail)
		}
	}
	if b.Upgrades != nil {
		b.Upgrades.Done += w.counts.upgraded
		b.Upgrades.Failed += w.counts.upgradeFailed
		b.Upgrades.InBurst += t.upgradedInBurst
	}
}

// clocks are the processor times at one moment.
type clocks struct {
	server  *cpuTime // nil when not known
	client  cpuTime
	machine machineTime // zero when not known
}

// readClocks reads all processor times.
func (r *run) readClocks() clocks {
	c := clocks{client: ownCPU()}
	c.machine, _ = machineCPU(procRoot) // without it there is no remark
	if r.server == nil {
		return c
	}
	t, err := r.server.cpu()
	if err != nil {
		r.result.note("no CPU figures: " + err.Error())
		return c
	}
	c.server = &t
	return c
}

// charge attributes the processor time between two moments.
func (r *run) charge(b *Burst, before, after clocks) {
	client := after.client.sub(before.client)
	b.Client.User, b.Client.System = client.user.Seconds(), client.system.Seconds()
	if before.server == nil || after.server == nil {
		return
	}
	used := after.server.sub(*before.server)
	n := float64(max(b.Delivered, 1))
	b.Server = &ServerCPU{
		User: used.user.Seconds(), System: used.system.Seconds(),
		PerMessage:       used.total().Seconds() * 1e6 / n,
		UserPerMessage:   used.user.Seconds() * 1e6 / n,
		SystemPerMessage: used.system.Seconds() * 1e6 / n,
	}
	if r.target.local() {
		b.Others = othersShare(before.machine, after.machine, client.total()+used.total())
	}
}

// resident reads the server's memory, 0 when it is not known.
func (r *run) resident() int64 {
	if r.server == nil {
		return 0
	}
	n, err := r.server.resident()
	if err != nil {
		r.result.note("no memory figures: " + err.Error())
		return 0
	}
	return n
}

// noteMemory reports the memory of the first attempt: later ones find what the
// server has not given back.
func (r *run) noteMemory(before int64, connected int) {
	after := r.resident()
	if r.result.Memory != nil || before == 0 || after == 0 {
		return
	}
	r.result.Memory = &Memory{
		PIDs: r.server.pids, Before: before, After: after,
		PerConnection: float64(after-before) / float64(connected),
	}
	if after < before {
		r.result.note("the server gave memory back while connecting: measure a fresh process")
	}
}

// failures adds up the reasons of all workers.
func (r *run) failures() map[string]int {
	sum := make(map[string]int)
	for _, w := range r.workers {
		w.call(func() {
			for reason, n := range w.counts.failures {
				sum[reason] += n
			}
		})
	}
	return sum
}

// noteFailures completes the report of the present attempt's connections.
func (r *run) noteFailures() {
	if len(r.result.Connects) == 0 {
		return
	}
	c := &r.result.Connects[len(r.result.Connects)-1]
	c.Failures = r.failures()
	for _, w := range r.workers {
		w.call(func() {
			c.Lost += w.counts.lost
			c.Stray += w.counts.stray
		})
	}
	if c.Stray > 0 {
		r.result.note(fmt.Sprintf("%d messages came outside of the bursts: the server was publishing for somebody else, "+
			"or still for an earlier run, and the faults may be theirs", c.Stray))
	}
}

// describe puts reasons into a line.
func describe(failures map[string]int) string {
	if len(failures) == 0 {
		return "no reason known"
	}
	parts := make([]string, 0, len(failures))
	for _, reason := range slices.Sorted(maps.Keys(failures)) {
		parts = append(parts, fmt.Sprintf("%s (%d)", reason, failures[reason]))
	}
	return strings.Join(parts, ", ")
}

// micros converts ns.
func micros(ns int64) float64 { return float64(ns) / 1e3 }
