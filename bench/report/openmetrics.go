package report

import (
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/seed58c87869/siren/bench"
)

// metricPrefix begins the names of all figures.
const metricPrefix = "siren_bench_"

// units are the units of figures: what the base unit is called, and how much of it they are.
var units = map[string]struct {
	name   string
	factor float64
}{
	"us": {"_seconds", 1e-6}, "ms": {"_seconds", 1e-3}, "s": {"_seconds", 1},
	"bytes": {"_bytes", 1}, "KiB": {"_bytes", 1 << 10}, "MiB": {"_bytes", 1 << 20},
	"1/s": {"", 1}, "": {"", 1},
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// metricName returns the name of a figure in OpenMetrics, and the factor to its base unit.
func metricName(figure, unit string) (name string, factor float64) {
	u, known := units[unit]
	if !known {
		u.name, u.factor = "_"+strings.Trim(notInNames.ReplaceAllString(strings.ToLower(unit), "_"), "_"), 1
	}
	name = strings.Trim(notInNames.ReplaceAllString(strings.ToLower(figure), "_"), "_")
	if unit == "1/s" {
		name = strings.TrimSuffix(name, "_that_this_client_took")
	}
	return metricPrefix + name + u.name, u.factor
}

// WriteOpenMetrics writes the figures of the results as OpenMetrics text: every figure is a gauge in seconds, bytes or a
// plain number, with the scenario and the server as labels. Errors are those of w.
func WriteOpenMetrics(w io.Writer, results []bench.Result) error {
	var families []*dto.MetricFamily
	add := func(name, help string, labels []*dto.LabelPair, value float64) {
		if math.IsNaN(value) {
			return
		}
		at := slices.IndexFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == name })
		if at < 0 {
			at = len(families)
			families = append(families, &dto.MetricFamily{Name: &name, Help: &help, Type: dto.MetricType_GAUGE.Enum()})
		}
		families[at].Metric = append(families[at].Metric, &dto.Metric{Label: labels, Gauge: &dto.Gauge{Value: &value}})
	}
	for i := range results {
		r := &results[i]
		labels := labelsOf(r, i, len(results))
		add(metricPrefix+"ok", "Whether the run was complete and without faults.", labels, truth(r.OK))
		add(metricPrefix+"started_timestamp_seconds", "When the run began.", labels, float64(r.Started.UnixMilli())/1e3)
		for _, m := range metricsOf(r) {
			name, factor := metricName(m.name, m.unit)
			add(name, "Median of "+xmlText(m.name)+".", labels, m.value*factor)
		}
		for _, t := range r.Thresholds {
			add(metricPrefix+"threshold_ok", "Whether the threshold holds.", append(slices.Clone(labels), label("condition", t.Condition)), truth(t.OK))
		}
	}
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToOpenMetrics(w, f); err != nil {
			return err
		}
	}
	_, err := expfmt.FinalizeOpenMetrics(w)
	return err
}

// truth returns 1 for true.
func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// label returns a label. Its value is valid UTF-8, as the format wants it.
func label(name, value string) *dto.LabelPair {
	value = strings.ToValidUTF8(value, "\uFFFD")
	return &dto.LabelPair{Name: &name, Value: &value}
}

// labelsOf tells a result from others.
func labelsOf(r *bench.Result, i, of int) []*dto.LabelPair {
	list := []*dto.LabelPair{label("scenario", newRun(*r).scenario), label("server", r.Scenario.URL)}
	if r.Scenario.Profile != "" {
		list = append(list, label("profile", r.Scenario.Profile))
	}
	if of > 1 {
		list = append(list, label("run", fmt.Sprint(i+1)))
	}
	return list
}
