package sim

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/seed58c87869/siren/bench"
)

// Kind is the scenario's name in a result.
const Kind bench.Kind = "sim"

// errWrong is the error of a simulation whose counts do not add up. Its figures are useless.
var errWrong = errors.New("sim: the simulation went wrong")

// Units of figures.
const (
	unitNanos  = "ns"
	unitSecs   = "s"
	unitMicros = "us"
	unitMillis = "ms"
	unitBytes  = "bytes"
	unitMega   = "MiB"
	unitShare  = "%"
	unitNone   = ""
)

// book writes figures into a result.
type book struct{ result *bench.Result }

func newBook(c Config) *book {
	return &book{&bench.Result{
		Started: time.Now(),
		Scenario: bench.Scenario{
			Name: Kind, Transport: bench.TransportWebSocket, Target: "namespace", Subscribers: c.Conns,
			Size: len(tickText), Repeat: 1, Workers: c.Loops,
		},
		Machine: bench.Machine{
			CPUs: runtime.NumCPU(), GOMAXPROCS: runtime.GOMAXPROCS(0), Arch: runtime.GOARCH, Kernel: kernel(),
			Go: runtime.Version(), Shared: true,
		},
		Connects: []bench.Connect{}, Bursts: []bench.Burst{}, Metrics: []bench.Metric{}, Curves: []bench.Curve{},
	}}
}

// metric notes a figure, the median of the samples. A single sample is not listed.
func (b *book) metric(name, unit, better string, samples ...float64) *bench.Metric {
	m := bench.Metric{Name: name, Unit: unit, Better: better, Value: median(samples)}
	if len(samples) > 1 {
		m.Samples = samples
	}
	b.result.Metrics = append(b.result.Metrics, m)
	return &b.result.Metrics[len(b.result.Metrics)-1]
}

// axis is the horizontal axis of a curve.
type axis struct{ name, unit string }

var (
	overConns = axis{"connections", unitNone}
	overRooms = axis{"rooms per socket", unitNone}
)

// point adds a point to a curve.
func (b *book) point(name string, over axis, unit string, x, y float64) {
	for i := range b.result.Curves {
		if c := &b.result.Curves[i]; c.Name == name {
			c.Points = append(c.Points, [2]float64{x, y})
			return
		}
	}
	b.result.Curves = append(b.result.Curves, bench.Curve{
		Name: name, X: over.name, XUnit: over.unit, Y: name, YUnit: unit, Points: [][2]float64{{x, y}},
	})
}

// note adds a remark, once.
func (b *book) note(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(b.result.Notes, text) {
		b.result.Notes = append(b.result.Notes, text)
	}
}

// sweep notes the time of an operation, and the number of operations in a second.
func (b *book) sweep(phase string, s swept) {
	b.metric(phase+": CPU", unitNanos, bench.BetterLower, s.each...)
	b.metric(phase+": CPU with collection", unitNanos, bench.BetterLower, s.process)
	b.metric(phase+": operations per second", unitNone, bench.BetterHigher, s.rate())
	b.metric(phase+": allocated", unitBytes, bench.BetterLower, s.allocated)
}

// median returns the middle of some values, 0 of none.
func median(values []float64) float64 { return quantile(values, 0.5) }

// quantile returns the value that the given part of the values does not exceed; of two in the middle, their mean.
func quantile(values []float64, q float64) float64 {
	n := len(values)
	if n == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	if q == 0.5 && n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[min(int(q*float64(n)), n-1)]
}
