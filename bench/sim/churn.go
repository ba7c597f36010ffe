package sim

import (
	"context"
	"time"

	"github.com/seed58c87869/siren/bench"
)

const (
	// A churn phase ends after that many cycles of the collector, or when its time is over; not before the least
	// number of steps, though.
	churnCycles   = 4
	churnStepsMin = 10
	// A step replaces one in churnPart connections: 1 %.
	churnPart = 100
)

// churn replaces connections while broadcasting, with each of the collector's settings.
func (r *run) churn(ctx context.Context, w *world) error {
	for _, c := range r.cfg.collectors() {
		phase := "churn with " + c.String()
		err := r.profile(phase, func() error {
			defer c.use()()
			return r.churnWith(ctx, w, phase)
		})
		if err != nil {
			return err
		}
	}
	r.book.note("Each step of a churn phase replaces 1 %% of the connections, which join a room, and broadcasts to all unless " +
		"broadcasts have taken most of the time: only replacing allocates, and the collector is to run. The time of a " +
		"broadcast has in it what the collector takes away meanwhile. Pauses are those of the whole process; the " +
		"collector's share is of the process's CPU.")
	return nil
}

// churnWith runs the steps and notes what they took.
func (r *run) churnWith(ctx context.Context, w *world, phase string) error {
	liveHeap() // the collector begins afresh
	watch := newWatch()
	var millis []float64
	var replacing, broadcasting time.Duration
	var highest uint64
	begin := time.Now()
	steps := 0
	more := func() bool { return watch.seen() < churnCycles && time.Since(begin) < r.cfg.Churn }
	for ; steps < churnStepsMin || more(); steps++ {
		r.progress(phase, min(int(watch.seen()), churnCycles), churnCycles)
		c, err := w.each(func(d *driver) error { return d.replace(ctx) })
		if err != nil {
			return err
		}
		if replacing += c.wall; broadcasting <= replacing {
			if c, err = w.emit(toAll(w)); err != nil {
				return err
			}
			broadcasting += c.wall
			millis = append(millis, c.wall.Seconds()*1e3)
		}
		highest = max(highest, resident())
		watch.look()
	}
	took := time.Since(begin)
	if err := check("sockets after "+phase, int64(w.srv.Of("/").SocketCount()), int64(w.size)); err != nil {
		return err
	}
	b, p := r.book, readPauses().since(watch.pauses)
	b.metric(phase+": pauses of the collector p50", unitMicros, bench.BetterLower, p.quantile(0.5))
	b.metric(phase+": pauses of the collector p99", unitMicros, bench.BetterLower, p.quantile(0.99))
	b.metric(phase+": pauses of the collector max", unitMicros, bench.BetterLower, p.quantile(1))
	b.metric(phase+": pauses of the collector", unitNone, "", float64(p.count()))
	b.metric(phase+": cycles of the collector", unitNone, "", watch.seen())
	b.metric(phase+": share of the collector in CPU", unitShare, bench.BetterLower, 100*watch.share())
	b.metric(phase+": highest RSS", unitMega, bench.BetterLower, float64(highest)/(1<<20))
	b.metric(phase+": broadcast time p50", unitMillis, bench.BetterLower, median(millis))
	b.metric(phase+": broadcast time p99", unitMillis, bench.BetterLower, quantile(millis, 0.99))
	b.metric(phase+": broadcast time max", unitMillis, bench.BetterLower, quantile(millis, 1))
	b.metric(phase+": broadcasts", unitNone, "", float64(len(millis)))
	b.metric(phase+": connections replaced", unitNone, "", float64(steps*w.replaced()))
	b.metric(phase+": replaced per second", unitNone, bench.BetterHigher, float64(steps*w.replaced())/took.Seconds())
	return nil
}

// replaced returns how many connections a step replaces.
func (w *world) replaced() (n int) {
	for _, d := range w.drivers {
		n += d.replaced()
	}
	return n
}

func (d *driver) replaced() int { return max(1, len(d.conns)/churnPart) }

// replace ends some clients and connects as many others, in the same places, which join a room.
func (d *driver) replace(ctx context.Context) error {
	return d.sweep(ctx, 0, d.replaced(), 0, func(d *driver, _ int) {
		i := d.rng.IntN(len(d.conns))
		d.hang(i)
		d.dial(i)
		d.feed(i, d.hello)
		_ = d.sockets[i].Join(everyone)
	})
}

// watch follows the collector, whose times are those of its latest cycle. So the process's times are taken then too.
type watch struct {
	pauses             pauses
	firstCycle, cycles float64
	firstCPU, cpu      time.Duration
	firstGC, gc        time.Duration
}

func newWatch() *watch {
	w := &watch{pauses: readPauses(), firstCycle: number(metricCycles), firstCPU: processCPU(), firstGC: collectorCPU()}
	w.cycles, w.cpu, w.gc = w.firstCycle, w.firstCPU, w.firstGC
	return w
}

// look notes a cycle of the collector that has ended. It must be called often.
func (w *watch) look() {
	if n := number(metricCycles); n != w.cycles {
		w.cycles, w.cpu, w.gc = n, processCPU(), collectorCPU()
	}
}

// seen returns how many cycles have ended.
func (w *watch) seen() float64 { return w.cycles - w.firstCycle }

// share returns the part of the process's CPU that the collector took, 0 to 1; 0 when it did not run.
func (w *watch) share() float64 {
	if w.cpu == w.firstCPU {
		return 0
	}
	return min(1, float64(w.gc-w.firstGC)/float64(w.cpu-w.firstCPU))
}
