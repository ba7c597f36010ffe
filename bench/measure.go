package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	// busyBottleneck is the busy part of a window above which a loop is assumed to limit the rate.
	busyBottleneck = 0.9
	// littleCPU is the processor time below which a server's background work may show in the figures.
	littleCPU = 50 * time.Millisecond
	// othersNoted is the share of the machine that other programs may use without a remark.
	othersNoted = 0.1
)

// How the coordinator waits.
const (
	pollEvery   = 100 * time.Millisecond // for what is not announced
	settleAfter = 200 * time.Millisecond // for memory, and for late duplicates
	trailAfter  = 50 * time.Millisecond  // for what a server does after its last answer
)

// Reasons for an early end.
var (
	errTimeout = errors.New("timeout")
	errStalled = errors.New("no message arrived for too long")
)

// measurement is one window to be measured.
type measurement struct {
	kind windowKind
	watched
	// start begins the work, after the counts and clocks were reset.
	start func(planned int) error
	// done returns the progress of the work.
	done func(progress) (have, want int)
	// stall is the time without progress after which the work is given up; 0 for never.
	stall time.Duration
	// trail is the time before the server's clock is read, because the server may still work on what the client has
	// completed.
	trail time.Duration
}

// measure measures one window. Incomplete work is in the Burst as far as it got, and the error is the reason.
func (s *stage) measure(ctx context.Context, m measurement) (Burst, error) {
	begun, _, err := s.tell(order{Do: doBegin, Window: m.kind})
	if err != nil {
		return Burst{}, err
	}
	before := s.readClocks()
	since := s.clock.now()
	if err := m.start(begun.Count); err != nil {
		return Burst{}, err
	}
	waited := s.await(ctx, m.watched, m.stall, m.done)
	if s.lost != nil {
		return Burst{}, s.lost
	}
	pause(ctx, m.trail)
	after := s.readClocks()
	pause(ctx, settleAfter)

	var b Burst
	early := waited != nil && !errors.Is(waited, errStalled)
	b.Interrupted = early
	if err := s.fill(&b, since, early); err != nil {
		return Burst{}, err
	}
	s.charge(&b, before, after)
	s.remark(&b, waited, m.stall)
	return b, waited
}

// remark adds notes about a window.
func (s *stage) remark(b *Burst, err error, stall time.Duration) {
	if errors.Is(err, errStalled) {
		s.result.note(fmt.Sprintf("a burst stood still for %v and was given up", stall))
	}
	if b.Others > othersNoted {
		s.result.note("other processes used much of this machine: times and rates are theirs as well")
	}
	if c := b.Server; c != nil && c.User+c.System < littleCPU.Seconds() {
		s.result.note("the server used little CPU time in a round: make the rounds longer")
	}
}

// fill adds the crews' counts since the beginning of the window.
func (s *stage) fill(b *Burst, since int64, early bool) error {
	v, latency, lag, err := s.collect(since, early)
	if err != nil {
		return err
	}
	b.Receivers, b.Expected, b.Delivered = v.Receivers, v.Expected, v.Delivered
	b.Missing, b.Outstanding, b.Duplicated = v.Missing, v.Outstanding, v.Duplicated
	b.Reordered, b.Malformed, b.MalformedExample = v.Reordered, v.Malformed, v.Example
	b.overPolling, b.latencies, b.latencyMax = v.OverPolling, latency, v.LatencyMax
	b.Client.Busy = v.Busy
	b.Client.LagP99 = micros(min(lag.ValueAtPercentile(99), v.LagMax))
	b.Client.LagMax = micros(v.LagMax)
	b.Client.Bottleneck = b.Client.Busy > busyBottleneck
	b.upgradesDone, b.upgradesFailed, b.upgradesInBurst = v.Done, v.Failed, v.InBurst
	if wall := v.Last - since; v.Last > 0 && wall > 0 {
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
	case v.Skewed > 0 || !s.target.local():
		s.result.note("no latency: the clocks of server and client are not the same")
	default:
		b.Latency = &Latency{
			P50:  b.percentile(50),
			P90:  b.percentile(90),
			P99:  b.percentile(99),
			P999: b.percentile(99.9),
			Max:  micros(v.LatencyMax),
		}
	}
	return nil
}

// percentile of the latencies in us. The histogram rounds; the maximum is
// exact.
func (b *Burst) percentile(p float64) float64 {
	return micros(min(b.latencies.ValueAtPercentile(p), b.latencyMax))
}

// clocks are the processor times at one moment.
type clocks struct {
	server  *cpuTime // nil when not known
	client  cpuTime
	machine machineTime // zero when not known
}

// readClocks reads all processor times.
func (s *stage) readClocks() clocks {
	c := clocks{client: ownCPU()}
	for _, crew := range s.crews {
		c.client = c.client.add(crew.cpu())
	}
	c.machine, _ = machineCPU(procRoot) // without it there is no remark
	if s.server == nil {
		return c
	}
	t, err := s.server.cpu()
	if err != nil {
		s.result.note("no CPU figures: " + err.Error())
		return c
	}
	c.server = &t
	return c
}

// charge adds the processor time between two readings.
func (s *stage) charge(b *Burst, before, after clocks) {
	client := after.client.sub(before.client)
	user, system := client.split()
	b.Client.User, b.Client.System = user.Seconds(), system.Seconds()
	if before.server == nil || after.server == nil {
		return
	}
	used := after.server.sub(*before.server)
	user, system = used.split()
	n := float64(max(b.Delivered, 1))
	b.Server = &ServerCPU{
		User: user.Seconds(), System: system.Seconds(),
		PerMessage:       used.total().Seconds() * 1e6 / n,
		UserPerMessage:   user.Seconds() * 1e6 / n,
		SystemPerMessage: system.Seconds() * 1e6 / n,
	}
	if s.target.local() {
		b.Others = othersShare(before.machine, after.machine, client.total()+used.total())
	}
}

// latencyCurve returns the latencies by percentile.
func latencyCurve(name string, h *hdrhistogram.Histogram) Curve {
	c := Curve{Name: name, X: "percentile", XUnit: "%", Y: "latency", YUnit: "us"}
	for _, p := range []float64{0, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 100} {
		c.Points = append(c.Points, [2]float64{p, micros(h.ValueAtPercentile(p))})
	}
	return c
}

// describe formats reasons as one line.
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
