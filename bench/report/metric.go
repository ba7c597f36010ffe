package report

import (
	"math"
	"slices"
	"strings"

	"github.com/seed58c87869/siren/bench"
)

// What bench.Metric.Better says.
const (
	lower  = "lower"
	higher = "higher"
)

// metric is one figure of a run; immutable.
type metric struct {
	name, unit string
	value      float64 // the median
	samples    []float64
	better     string  // lower, higher, or "" for a circumstance
	floor      float64 // what the same costs without a server, 0 if not known
	// step is by how much a sample may be wrong because of the unit that it
	// was counted in.
	step float64
	// bound says that the client, not the server, set the figure.
	bound bool
	// base is where the measurement began, 0 if that does not matter. Figures
	// with different bases are neither better nor worse.
	base float64
}

// finite reports whether there is a number to show.
func (m metric) finite() bool { return isFinite(m.value) }

// count returns the number of samples.
func (m metric) count() int { return max(len(m.samples), 1) }

// all returns a copy of the samples, or the value if there are none.
func (m metric) all() []float64 {
	if len(m.samples) == 0 {
		return []float64{m.value}
	}
	return slices.Clone(m.samples)
}

// span returns the lowest and the highest sample.
func (m metric) span() (low, high float64) {
	low, high = m.value, m.value
	for _, s := range m.samples {
		low, high = min(low, s), max(high, s)
	}
	return low, high
}

// ratio returns the value in multiples of the floor, NaN without a floor.
func (m metric) ratio() float64 {
	if m.floor == 0 || !isFinite(m.floor) {
		return math.NaN()
	}
	return m.value / m.floor
}

// metricsOf collects the figures of a result: its own metrics, completed with
// what its bursts say about them, then those that follow from its bursts and
// have another name.
func metricsOf(r *bench.Result) []metric {
	derived := fanoutMetrics(r)
	var all []metric
	seen := map[string]bool{}
	for _, given := range r.Metrics {
		m := generic(given)
		if seen[m.name] {
			continue
		}
		seen[m.name] = true
		for _, d := range derived {
			if d.name == m.name {
				m.step, m.bound = d.step, d.bound
			}
		}
		all = append(all, m)
	}
	for _, m := range derived {
		if !seen[m.name] {
			all = append(all, m)
		}
	}
	return markBound(all)
}

// How the load generator names what tells whether the client set the figures.
// The names may have a phase of the scenario in front, which ends in ": ".
const (
	busyName   = "client loop busy"
	tookSuffix = " that this client took"
	busyBound  = 0.9 // from here on the loop may have been what was slow
)

// clientBoundPhases returns the phases in which the client set the rate.
func clientBoundPhases(metrics []metric) []string {
	var phases []string
	for _, m := range metrics {
		phase, isBusy := strings.CutSuffix(m.name, busyName)
		if _, high := m.span(); isBusy && high > busyBound {
			phases = appendOnce(phases, phase)
		} else if strings.HasSuffix(m.name, tookSuffix) {
			phases = appendOnce(phases, phaseOf(m.name))
		}
	}
	return phases
}

// phaseOf returns what stands in front of a name, "" for most.
func phaseOf(name string) string {
	if i := strings.LastIndex(name, ": "); i >= 0 {
		return name[:i+2]
	}
	return ""
}

// markBound marks the rates that the client took, and the latencies and rates
// of the phases in which it was the bottleneck: the rates of the other rounds
// are those of the slow ones, which would be a biased choice.
func markBound(metrics []metric) []metric {
	phases := clientBoundPhases(metrics)
	for i := range metrics {
		m := &metrics[i]
		phase := phaseOf(m.name)
		speed := strings.HasPrefix(m.name, phase+"latency") || strings.HasSuffix(m.name, " per second")
		m.bound = m.bound || strings.HasSuffix(m.name, tookSuffix) || speed && slices.Contains(phases, phase)
	}
	return metrics
}

// generic takes over a metric. Samples that are no numbers are left out.
func generic(m bench.Metric) metric {
	samples := slices.DeleteFunc(slices.Clone(m.Samples), func(v float64) bool { return !isFinite(v) })
	value := m.Value
	if !isFinite(value) && len(samples) > 0 {
		value = median(samples)
	}
	better := m.Better
	if better != lower && better != higher {
		better = ""
	}
	return metric{name: m.Name, unit: m.Unit, value: value, samples: samples, better: better, floor: m.Floor}
}

// pool joins the same metric of several runs: all samples count, so that what
// differs from run to run is part of the spread.
func pool(parts []metric) metric {
	if len(parts) == 1 {
		return parts[0]
	}
	joined := parts[0]
	joined.samples = nil
	var floors []float64
	for _, m := range parts {
		if len(m.samples) > 0 {
			joined.samples = append(joined.samples, m.samples...)
		} else if m.finite() {
			joined.samples = append(joined.samples, m.value)
		}
		if m.floor != 0 && isFinite(m.floor) {
			floors = append(floors, m.floor)
		}
		if m.better != joined.better {
			joined.better = "" // a paced and a free run, for example
		}
		joined.step = max(joined.step, m.step)
		joined.bound = joined.bound || m.bound
		joined.base = min(joined.base, m.base)
	}
	if len(joined.samples) > 0 {
		joined.value = median(joined.samples)
	}
	if len(floors) > 0 {
		joined.floor = median(floors)
	}
	return joined
}

// median of at least one number. It leaves the order of values alone.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	// Halves first: the sum of two large numbers could be infinite.
	return sorted[n/2-1]/2 + sorted[n/2]/2
}

// isFinite reports whether v is an ordinary number.
func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
