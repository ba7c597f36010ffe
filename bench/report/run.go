package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed58c87869/siren/bench"
)

// scenarioField is the field with the scenario's name.
const scenarioField = "name"

// scenarioFanout is the scenario of files from before scenarios had names.
const scenarioFanout = "fanout"

// incidental are the fields of a scenario that do not change what is measured.
var incidental = []string{scenarioField, "url", "repeat"}

// run is one or several results of the same thing; immutable once built.
type run struct {
	scenario string
	fields   []field // of the scenario
	machine  []field
	results  []bench.Result
	metrics  []metric
	curves   []bench.Curve
}

// newRun describes one result.
func newRun(r bench.Result) run {
	fields := fieldsOf(r.Scenario)
	name := valueOf(fields, scenarioField)
	if name == "" {
		name = scenarioFanout
	}
	if name == string(bench.KindProfile) {
		fields = without(fields, "broadcasts", "size_bytes", "gap_us", "workers", "target")
	}
	return run{
		scenario: name, fields: fields, machine: fieldsOf(r.Machine),
		results: []bench.Result{r}, metrics: metricsOf(&r), curves: r.Curves,
	}
}

// settings returns the fields that decide what is measured.
func (r run) settings() []field { return without(r.fields, incidental...) }

// url of the server.
func (r run) url() string { return valueOf(r.fields, "url") }

// same reports whether two runs measured the same thing, on whatever server.
func (r run) same(other run) bool {
	return r.scenario == other.scenario && slices.Equal(r.settings(), other.settings())
}

// metric returns the figure with that name.
func (r run) metric(name string) (metric, bool) {
	for _, m := range r.metrics {
		if m.name == name {
			return m, true
		}
	}
	return metric{}, false
}

// runsOf pools results that measured the same thing on the same server, in the
// order of their first appearance.
func runsOf(results []bench.Result) []run {
	var runs []run
next:
	for _, result := range results {
		fresh := newRun(result)
		for i, have := range runs {
			if have.same(fresh) && have.url() == fresh.url() && slices.Equal(have.machine, fresh.machine) {
				runs[i] = have.join(fresh)
				continue next
			}
		}
		runs = append(runs, fresh)
	}
	return runs
}

// join pools two runs of the same thing.
func (r run) join(other run) run {
	joined := r
	joined.results = slices.Concat(r.results, other.results)
	joined.curves = slices.Concat(r.curves, other.curves)
	joined.metrics = nil
	for _, m := range r.metrics {
		if twin, ok := other.metric(m.name); ok {
			m = pool([]metric{m, twin})
		}
		joined.metrics = append(joined.metrics, m)
	}
	for _, m := range other.metrics {
		if _, ok := r.metric(m.name); !ok {
			joined.metrics = append(joined.metrics, m)
		}
	}
	return joined
}

// bottleneck begins the alarm that the client was too slow.
const bottleneck = "THE CLIENT IS THE BOTTLENECK"

// in names the phase of a scenario, if it has several.
func in(phase string) string {
	if phase == "" {
		return ""
	}
	return " in " + strings.TrimSuffix(phase, ": ")
}

// alarms returns what stands between a reader and the figures, worst first.
func (r run) alarms() []string {
	var out []string
	for _, result := range r.results {
		if !result.OK {
			why := "the run had faults or was not complete" // in results of earlier versions, which give no reasons
			if len(result.Reasons) > 0 {
				why = strings.Join(result.Reasons, "; ")
			}
			out = appendOnce(out, "FAILED: "+why)
		}
		for _, text := range result.Problems {
			out = appendOnce(out, text)
		}
		if result.Partial != "" {
			out = appendOnce(out, "PARTIAL: the run ended early: "+result.Partial)
		}
		if n := clientBound(&result); n > 0 {
			out = appendOnce(out, fmt.Sprintf(
				bottleneck+" in %d of %d bursts: they say nothing about how fast the server is", n, len(result.Bursts)))
		}
	}
	for _, phase := range clientBoundPhases(r.metrics) {
		if phase == "" && slices.ContainsFunc(out, func(s string) bool { return strings.HasPrefix(s, bottleneck) }) {
			continue // it was said in more detail
		}
		out = append(out, bottleneck+in(phase)+": its rates and latencies say nothing about how fast the server is")
	}
	return out
}

// notes returns the remarks of the results, each once.
func (r run) notes() []string {
	var out []string
	for _, result := range r.results {
		for _, note := range result.Notes {
			out = appendOnce(out, note)
		}
	}
	return out
}

// appendOnce adds a text that is not there yet.
func appendOnce(list []string, text string) []string {
	if slices.Contains(list, text) {
		return list
	}
	return append(list, text)
}
