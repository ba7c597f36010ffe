package profile

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/seed58c87869/siren/bench"
)

// Threshold is a condition such as "p99 < 50ms" or "missing == 0". Immutable.
type Threshold struct {
	text   string
	figure string
	op     string
	value  float64 // in microseconds if the figure is a time
}

// String returns the condition.
func (t Threshold) String() string { return t.text }

// The distributions that a figure such as connect_p95 can be of. Without a prefix it is that of deliveries, or of
// answers if nothing is expected.
const (
	ofConnect  = "connect"
	ofJoin     = "join"
	ofAnswer   = "answer"
	ofDelivery = "delivery"
	ofLag      = "lag"
)

var distributions = []string{ofConnect, ofJoin, ofAnswer, ofDelivery, ofLag}

// Counts of a run.
const (
	countMissing     = "missing"
	countDuplicated  = "duplicated"
	countReordered   = "reordered"
	countMalformed   = "malformed"
	countConnect     = "connect_failed"
	countLost        = "lost"
	countPublish     = "publish_failed"
	countUnanswered  = "unanswered"
	countPublished   = "published"
	countDelivered   = "delivered"
	countRate        = "rate"
	countPublishRate = "publish_rate"
	countUsers       = "users"
	countCPU         = "client_cpu"
)

// faults are the counts that must be 0 unless the profile has a threshold for them.
var faults = []string{
	countConnect, countLost, countPublish, countUnanswered, countMissing, countDuplicated, countReordered, countMalformed,
}

// counts are all counts.
var counts = append(slices.Clone(faults), countPublished, countDelivered, countRate, countPublishRate, countUsers, countCPU)

var (
	condition  = regexp.MustCompile(`^\s*([A-Za-z_]+[A-Za-z0-9_.]*(?:\(\s*[0-9.]+\s*\))?)\s*(<=|>=|==|!=|===|<|>)\s*([0-9.eE+-]+)\s*([a-zµ%/]*)\s*$`)
	percentile = regexp.MustCompile(`^p\(?\s*([0-9]+(?:\.[0-9]+)?)\s*\)?$`)
)

// micros are the units of times. A number without a unit is in milliseconds, as in k6.
var micros = map[string]float64{"": 1e3, "us": 1, "µs": 1, "ms": 1e3, "s": 1e6, "m": 60e6}

// parseThreshold reads a condition.
func parseThreshold(text string) (Threshold, error) {
	m := condition.FindStringSubmatch(text)
	if m == nil {
		return Threshold{}, fmt.Errorf(`%q is no condition: want a figure, one of < <= > >= == !=, and a value, such as p99 < 50ms`, text)
	}
	t := Threshold{text: strings.TrimSpace(text), figure: m[1], op: m[2]}
	value, err := strconv.ParseFloat(m[3], 64)
	if err != nil {
		return t, fmt.Errorf("%q: %q is no number", text, m[3])
	}
	unit := m[4]
	switch of, stat := t.split(); {
	case slices.Contains(counts, t.figure):
		if unit == "%" && t.figure == countCPU {
			value /= 100
		} else if unit != "" && !(unit == "/s" && strings.HasSuffix(t.figure, countRate)) {
			return t, fmt.Errorf("%q: %s has no unit %q", text, t.figure, unit)
		}
	case !slices.Contains(distributions, of) && of != "" || !isStat(stat):
		return t, fmt.Errorf("%q: unknown figure %q: want %s; or p50, p95, p99.9, avg, min, med, max, alone or behind %s",
			text, t.figure, strings.Join(counts, ", "), "connect_, join_, answer_, delivery_, lag_")
	default:
		factor, known := micros[unit]
		if !known {
			return t, fmt.Errorf("%q: unknown unit %q: want us, ms, s or m", text, unit)
		}
		value *= factor
	}
	t.value = value
	return t, nil
}

// UnmarshalYAML reads a condition.
func (t *Threshold) UnmarshalYAML(n *yaml.Node) error {
	parsed, err := parseThreshold(n.Value)
	if n.Kind != yaml.ScalarNode {
		err = fmt.Errorf("want a condition such as p99 < 50ms")
	}
	if err != nil {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %v", n.Line, err)}}
	}
	*t = parsed
	return nil
}

// split divides a figure such as connect_p95 into the distribution and the statistic.
func (t Threshold) split() (of, stat string) {
	for _, name := range distributions {
		if stat, ok := strings.CutPrefix(t.figure, name+"_"); ok {
			return name, stat
		}
	}
	return "", t.figure
}

func isStat(stat string) bool {
	if slices.Contains([]string{"avg", "min", "med", "max"}, stat) {
		return true
	}
	m := percentile.FindStringSubmatch(stat)
	if m == nil {
		return false
	}
	p, err := strconv.ParseFloat(m[1], 64)
	return err == nil && p >= 0 && p <= 100
}

// judge compares a figure with the condition. have is false if there is no such figure, which fails.
func (t Threshold) judge(value float64, have bool) bench.Threshold {
	out := bench.Threshold{Condition: t.text}
	if !have {
		return out
	}
	out.Value = &value
	if !slices.Contains(counts, t.figure) {
		out.Unit = "us"
	}
	switch t.op {
	case "<":
		out.OK = value < t.value
	case "<=":
		out.OK = value <= t.value
	case ">":
		out.OK = value > t.value
	case ">=":
		out.OK = value >= t.value
	case "!=":
		out.OK = value != t.value
	default:
		out.OK = value == t.value
	}
	return out
}

// conditions returns the thresholds of the profile, and for each fault that has none that it must be 0.
func (p *Profile) conditions() []Threshold {
	list := slices.Clone(p.Thresholds)
	for _, name := range faults {
		if slices.ContainsFunc(p.Thresholds, func(t Threshold) bool { return t.figure == name }) {
			continue
		}
		list = append(list, Threshold{text: name + " == 0", figure: name, op: "=="})
	}
	return list
}
