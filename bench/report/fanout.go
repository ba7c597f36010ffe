package report

import (
	"math"

	"github.com/seed58c87869/siren/bench"
)

// tick is the step in which the kernel counts the processor time of a process.
const tickMicros = 10_000

// fanoutMetrics derives figures from the bursts of a result. A figure that no
// burst has is left out.
func fanoutMetrics(r *bench.Result) []metric {
	all := append(burstMetrics(r), connectMetrics(r)...)
	present := all[:0]
	for _, m := range all {
		if len(m.samples) > 0 {
			m.value = median(m.samples)
			present = append(present, m)
		}
	}
	return present
}

// burstMetrics returns the figures with one sample per burst, some without any.
func burstMetrics(r *bench.Result) []metric {
	bound := clientBound(r) > 0
	// The pace of a paced burst is what was asked for, not what was reached.
	speed := func(better string) string {
		if r.Scenario.GapMicros > 0 {
			return ""
		}
		return better
	}
	each := func(m metric, pick func(*bench.Burst) (float64, bool)) metric {
		for i := range r.Bursts {
			if v, ok := pick(&r.Bursts[i]); ok && isFinite(v) {
				m.samples = append(m.samples, v)
			}
		}
		return m
	}
	latency := func(name string, pick func(*bench.Latency) float64) metric {
		return each(metric{name: "latency " + name, unit: "us", better: lower, bound: bound},
			func(b *bench.Burst) (float64, bool) {
				if b.Latency == nil {
					return 0, false
				}
				return pick(b.Latency), true
			})
	}
	ticksTotal := 2.0 // one each of user and system
	if exactCPU(r) {
		ticksTotal = 0
	}
	server := func(name string, ticks float64, pick func(*bench.ServerCPU) float64) metric {
		m := each(metric{name: name, unit: "us", better: lower}, func(b *bench.Burst) (float64, bool) {
			if b.Server == nil || b.Delivered == 0 {
				return 0, false
			}
			return pick(b.Server), true
		})
		m.step = ticks * tickMicros / float64(fewestDelivered(r))
		return m
	}
	return []metric{
		each(metric{name: "messages per second", unit: "1/s", better: speed(higher)},
			func(b *bench.Burst) (float64, bool) { return optional(b.Rate) }),
		each(metric{name: "messages per second" + tookSuffix, unit: "1/s", bound: true},
			func(b *bench.Burst) (float64, bool) { return optional(b.ClientBoundRate) }),
		each(metric{name: "burst time", unit: "s", better: speed(lower), bound: bound},
			func(b *bench.Burst) (float64, bool) { return b.Seconds, true }),
		latency("p50", func(l *bench.Latency) float64 { return l.P50 }),
		latency("p90", func(l *bench.Latency) float64 { return l.P90 }),
		latency("p99", func(l *bench.Latency) float64 { return l.P99 }),
		latency("p99.9", func(l *bench.Latency) float64 { return l.P999 }),
		latency("max", func(l *bench.Latency) float64 { return l.Max }),
		server("server CPU per message", ticksTotal, func(c *bench.ServerCPU) float64 { return c.PerMessage }),
		server("server CPU per message, user", 2, func(c *bench.ServerCPU) float64 { return c.UserPerMessage }),
		server("server CPU per message, system", 2, func(c *bench.ServerCPU) float64 { return c.SystemPerMessage }),
		each(metric{name: "faults", better: lower}, func(b *bench.Burst) (float64, bool) {
			return float64(b.Missing + b.Outstanding + b.Duplicated + b.Reordered + b.Malformed), true
		}),
		each(metric{name: "client CPU per message", unit: "us"}, func(b *bench.Burst) (float64, bool) {
			return (b.Client.User + b.Client.System) * 1e6 / float64(max(b.Delivered, 1)), b.Delivered > 0
		}),
		each(metric{name: busyName}, func(b *bench.Burst) (float64, bool) { return b.Client.Busy, true }),
		each(metric{name: "client loop lag max", unit: "us"},
			func(b *bench.Burst) (float64, bool) { return b.Client.LagMax, true }),
		each(metric{name: "machine used by others"}, func(b *bench.Burst) (float64, bool) { return b.Others, true }),
	}
}

// connectMetrics returns the figures of connecting.
func connectMetrics(r *bench.Result) []metric {
	took := metric{name: "connect time", unit: "s", better: lower}
	failed := metric{name: "failed and lost connections", better: lower}
	if r.Scenario.ConnectRate > 0 || len(r.Connects) < 2 {
		took.better = "" // the pace that was asked for, or a single short moment
	}
	for _, c := range r.Connects {
		took.samples = append(took.samples, c.Seconds)
		failed.samples = append(failed.samples, float64(c.Failed+c.Lost))
	}
	memory := metric{name: "server memory per connection", unit: "B", better: lower}
	if r.Memory != nil {
		memory.samples = []float64{r.Memory.PerConnection}
		memory.base = float64(r.Memory.Before)
	}
	return []metric{took, failed, memory}
}

// clientBound returns the number of bursts whose rate the client set.
func clientBound(r *bench.Result) int {
	n := 0
	for _, b := range r.Bursts {
		if b.Client.Bottleneck {
			n++
		}
	}
	return n
}

// exactCPU reports whether the sum of the server's processor time was read from
// a clock: then it is not a whole number of ticks in every burst.
func exactCPU(r *bench.Result) bool {
	for _, b := range r.Bursts {
		if b.Server != nil {
			ticks := (b.Server.User + b.Server.System) * 1e6 / tickMicros
			if math.Abs(ticks-math.Round(ticks)) > 1e-3 {
				return true
			}
		}
	}
	return false
}

// fewestDelivered returns the size of the smallest burst with deliveries, 1 if
// there is none.
func fewestDelivered(r *bench.Result) uint64 {
	fewest := uint64(0)
	for _, b := range r.Bursts {
		if b.Delivered > 0 && (fewest == 0 || b.Delivered < fewest) {
			fewest = b.Delivered
		}
	}
	return max(fewest, 1)
}

// optional returns the value of a figure that may be absent.
func optional(p *float64) (float64, bool) {
	if p == nil {
		return 0, false
	}
	return *p, true
}
