package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seed58c87869/siren/bench"
)

// Comparison is what two sets of results say about each other; immutable.
type Comparison struct {
	Pairs []Pair
	// OnlyA and OnlyB describe the runs without a counterpart.
	OnlyA, OnlyB []string
}

// Pair is a run of A and the run of B that it is compared with.
type Pair struct {
	// Scenario names what was run, with its settings in A.
	Scenario string
	// Machines says how the machines differ, empty when they are alike.
	Machines []string
	// Settings says how the scenarios differ, empty when they are alike.
	Settings []string
	// Warnings is what was wrong with either run; Notes is what they remark.
	Warnings, Notes []string
	Rows            []Row
	// broken says that the run of B failed and that of A did not.
	broken bool
}

// Row is one metric on both sides.
type Row struct {
	Metric, Unit string
	// A and B are the medians, NaN when that side does not have it.
	A, B float64
	// SpreadA and SpreadB are the ranges of the samples in words.
	SpreadA, SpreadB string
	// Ratio is B divided by A, NaN when there is none.
	Ratio   float64
	Verdict Verdict
	// Beyond is by how many percent of A's median the samples of B are worse
	// than all of A; 0 unless the verdict is Worse, infinite when A is zero.
	Beyond float64
}

// Compare pairs the runs of a with those of b and compares their metrics.
// Several results of one side that measured the same thing on the same server
// and machine count as one with all their samples. A run is paired with the
// one that has the same settings, preferably the same URL and machine, and
// else with the next one of the same scenario.
func Compare(a, b []bench.Result) *Comparison {
	c := &Comparison{}
	left, right := runsOf(a), runsOf(b)
	partner := make([]int, len(left))
	taken := make([]bool, len(right))
	for i := range partner {
		partner[i] = -1
	}
	match := func(alike func(a, b run) bool) {
		for i := range left {
			for j := range right {
				if partner[i] < 0 && !taken[j] && alike(left[i], right[j]) {
					partner[i], taken[j] = j, true
				}
			}
		}
	}
	match(func(a, b run) bool { return a.same(b) && a.url() == b.url() && slices.Equal(a.machine, b.machine) })
	match(func(a, b run) bool { return a.same(b) && a.url() == b.url() })
	match(run.same)
	match(func(a, b run) bool { return a.scenario == b.scenario })
	for i, j := range partner {
		if j < 0 {
			c.OnlyA = append(c.OnlyA, describe(left[i]))
			continue
		}
		c.Pairs = append(c.Pairs, pair(left[i], right[j]))
	}
	for j := range right {
		if !taken[j] {
			c.OnlyB = append(c.OnlyB, describe(right[j]))
		}
	}
	return c
}

// describe names a run.
func describe(r run) string {
	return r.scenario + ": " + phrase(without(r.fields, scenarioField))
}

// pair compares two runs.
func pair(a, b run) Pair {
	p := Pair{
		Scenario: a.scenario + ": " + phrase(a.settings()),
		Machines: differences(a.machine, b.machine),
		Settings: differences(a.settings(), b.settings()),
		broken:   failed(b) && !failed(a),
	}
	for _, side := range []struct {
		name string
		run  run
	}{{"A: ", a}, {"B: ", b}} {
		for _, text := range side.run.alarms() {
			p.Warnings = append(p.Warnings, side.name+text)
		}
		for _, text := range side.run.notes() {
			p.Notes = append(p.Notes, side.name+text)
		}
	}
	for _, m := range a.metrics {
		twin, ok := b.metric(m.name)
		if ok && difference(m.base, twin.base) > basesDiffer {
			p.Notes = append(p.Notes, fmt.Sprintf("%s is not judged: it began at %s in A, at %s in B",
				m.name, withUnit(m.base, m.unit), withUnit(twin.base, twin.unit)))
		}
		if !ok {
			p.Rows = append(p.Rows, Row{
				Metric: m.name, Unit: m.unit, A: m.value, B: math.NaN(), Ratio: math.NaN(),
				SpreadA: spread(m), SpreadB: absent, Verdict: OnlyA,
			})
			continue
		}
		p.Rows = append(p.Rows, p.row(m, twin))
	}
	for _, m := range b.metrics {
		if _, ok := a.metric(m.name); !ok {
			p.Rows = append(p.Rows, Row{
				Metric: m.name, Unit: m.unit, A: math.NaN(), B: m.value, Ratio: math.NaN(),
				SpreadA: absent, SpreadB: spread(m), Verdict: OnlyB,
			})
		}
	}
	return p
}

// failed reports whether any result was not what it should be.
func failed(r run) bool {
	for _, result := range r.results {
		if !result.OK {
			return true
		}
	}
	return false
}

// row compares one metric. Nothing is better or worse than something else.
func (p Pair) row(a, b metric) Row {
	r := Row{
		Metric: a.name, Unit: a.unit, A: a.value, B: b.value, Ratio: math.NaN(),
		SpreadA: spread(a), SpreadB: spread(b), Verdict: verdict(a, b),
	}
	if a.unit != b.unit {
		r.Unit = a.unit + " | " + b.unit
	} else if a.value != 0 && a.finite() && b.finite() {
		r.Ratio = b.value / a.value
	}
	if len(p.Settings) > 0 && (r.Verdict == Better || r.Verdict == Worse) {
		r.Verdict = Differs
	}
	if r.Verdict == Worse {
		r.Beyond = worsening(a, b)
	}
	return r
}

// Worse lists what a strict reader does not accept: metrics with the verdict
// Worse whose samples in B lie by more than percent of A's median beyond all
// samples of A, and runs that failed in B and not in A. When there was nothing
// to compare, it says so, for a gate must not open because of that.
func (c *Comparison) Worse(percent float64) []string {
	var out []string
	compared := false
	for _, p := range c.Pairs {
		if p.broken {
			out = append(out, "the run of B failed: "+p.Scenario)
		}
		for _, r := range p.Rows {
			compared = compared || judged(r.Verdict)
			if r.Verdict == Worse && r.Beyond > percent {
				out = append(out, fmt.Sprintf("%s: %s to %s, %s beyond the spread (%s)",
					r.Metric, withUnit(r.A, r.Unit), withUnit(r.B, r.Unit), percentage(r.Beyond), scenarioName(p.Scenario)))
			}
		}
	}
	if !compared {
		out = append(out, "nothing could be compared")
	}
	return out
}

// judged reports whether a verdict is about the server.
func judged(v Verdict) bool { return v == Better || v == Worse || v == Same }

// percentage writes how far something is beyond.
func percentage(v float64) string {
	if math.IsInf(v, 0) {
		return "any percentage"
	}
	return number(v) + " %"
}

// withUnit writes a figure with its unit.
func withUnit(v float64, unit string) string {
	return strings.TrimSpace(number(v) + " " + unit)
}

// scenarioName returns the name in front of the settings.
func scenarioName(s string) string {
	name, _, _ := strings.Cut(s, ":")
	return name
}
