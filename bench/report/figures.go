package report

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Limits of what is drawn; the tables have everything.
const (
	drawnMax      = 12 // runs in one picture
	sameScale     = 30 // metrics that share a picture are at most so different
	percentilesIn = 3  // from so many percentiles on they are drawn as a line
)

// figure is a drawing with its legend.
type figure struct {
	Title   string
	Better  string // lower, higher or ""
	Drawing drawing
	Legend  []legendEntry
	Curves  []curveTable
}

// legendEntry names a series.
type legendEntry struct {
	Class, Mark, Label string
}

// curveTable has the numbers of one curve.
type curveTable struct {
	Label, X, Y string
	Rows        [][2]string
	LeftOut     int
}

// figuresOf draws what can be drawn of runs of the same scenario. The labels
// tell the runs apart. Names of metrics that are zero throughout are returned
// instead of being drawn.
func figuresOf(runs []run, labels []string) (figures []figure, zero []string) {
	if len(runs) > drawnMax {
		runs, labels = runs[:drawnMax], labels[:drawnMax]
	}
	names := metricNames(runs)
	for len(names) > 0 {
		if family := percentileFamily(names[0], names, runs); family != nil {
			figures = append(figures, percentileFigure(family, runs, labels))
			names = slices.DeleteFunc(names, func(n string) bool { return slices.Contains(family, n) })
			continue
		}
		if allZero(names[0], runs) {
			zero = append(zero, names[0])
			names = names[1:]
			continue
		}
		n := 1
		if len(runs) == 1 {
			n = sharing(names, runs)
		}
		if f, ok := barFigure(names[:n], runs, labels); ok {
			figures = append(figures, f)
		}
		names = names[n:]
	}
	return append(figures, curveFigures(runs, labels)...), zero
}

// metricNames returns the names of all metrics in the order of their appearance.
func metricNames(runs []run) []string {
	var names []string
	for _, r := range runs {
		for _, m := range r.metrics {
			names = appendOnce(names, m.name)
		}
	}
	return names
}

// allZero reports whether a metric is zero in every run that has it.
func allZero(name string, runs []run) bool {
	for _, r := range runs {
		if m, ok := r.metric(name); ok {
			low, high := m.span()
			if low != 0 || high != 0 || m.floor != 0 || !m.finite() {
				return false
			}
		}
	}
	return true
}

// sharing returns how many of the metrics, from the first on, fit into one picture:
// those with the same unit and a comparable size.
func sharing(names []string, runs []run) int {
	size := func(name string) (metric, float64) {
		m := firstOf(name, runs)
		low, high := m.span()
		return m, max(math.Abs(low), math.Abs(high))
	}
	first, smallest := size(names[0])
	largest := smallest
	n := 1
	for ; n < len(names); n++ {
		m, s := size(names[n])
		smallest, largest = min(smallest, s), max(largest, s)
		if m.unit != first.unit || m.unit == "" || m.better != first.better || largest > smallest*sameScale || percentileFamily(names[n], names, runs) != nil {
			break
		}
	}
	return n
}

// barFigure draws metrics of runs as bars. It is false without a number.
func barFigure(names []string, runs []run, labels []string) (figure, bool) {
	var bars []bar
	for _, name := range names {
		for i, r := range runs {
			m, ok := r.metric(name)
			if !ok || !m.finite() {
				continue
			}
			b := bar{label: labels[i], series: i, metric: m}
			if len(runs) == 1 {
				b.label = name
			}
			bars = append(bars, b)
		}
	}
	if len(bars) == 0 {
		return figure{}, false
	}
	title := names[0]
	if len(names) > 1 {
		title = common(names)
	}
	title = axisName(title, bars[0].metric.unit)
	if len(bars) == 1 && len(runs) == 1 {
		bars[0].label = "" // the title says it
	}
	return figure{Title: title, Better: bars[0].metric.better, Drawing: drawBars(title, bars)}, true
}

// common returns a title for several metrics: how their names begin, or the names.
func common(names []string) string {
	prefix := names[0]
	for _, name := range names[1:] {
		for !strings.HasPrefix(name, prefix) {
			prefix = prefix[:len(prefix)-1]
		}
	}
	if prefix != names[0] && len(prefix) > 0 && prefix[len(prefix)-1] != ' ' {
		prefix = prefix[:strings.LastIndexByte(prefix, ' ')+1] // not half a word
	}
	if prefix = strings.Trim(prefix, " ,:"); prefix != "" {
		return prefix
	}
	return strings.Join(names, ", ")
}

// percentile matches the names of percentiles and of the maximum.
var percentile = regexp.MustCompile(`^(.*?)[ ,_]*\b(p[0-9]+(?:\.[0-9]+)?|max)\b(.*)$`)

// percentileFamily returns the metrics that are percentiles of the same thing as
// the one with that name, lowest first; nil if they are too few.
func percentileFamily(name string, names []string, runs []run) []string {
	own := percentile.FindStringSubmatch(name)
	if own == nil {
		return nil
	}
	var family []string
	for _, other := range names {
		match := percentile.FindStringSubmatch(other)
		if match != nil && match[1] == own[1] && match[3] == own[3] && unitOf(other, runs) == unitOf(name, runs) {
			family = append(family, other)
		}
	}
	if len(family) < percentilesIn {
		return nil
	}
	slices.SortStableFunc(family, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
	return family
}

// rank returns the percentage in the name of a percentile.
func rank(name string) float64 {
	match := percentile.FindStringSubmatch(name)
	p, err := strconv.ParseFloat(match[2][1:], 64)
	if err != nil {
		return 100 // the maximum
	}
	return p
}

// unitOf returns the unit of a metric in the first run that has it.
func unitOf(name string, runs []run) string { return firstOf(name, runs).unit }

// betterOf returns the good direction of a metric.
func betterOf(name string, runs []run) string { return firstOf(name, runs).better }

// firstOf returns a metric of the first run that has it.
func firstOf(name string, runs []run) metric {
	for _, r := range runs {
		if m, ok := r.metric(name); ok {
			return m
		}
	}
	return metric{}
}

// percentileFigure draws percentiles as a line per run.
func percentileFigure(family []string, runs []run, labels []string) figure {
	match := percentile.FindStringSubmatch(family[0])
	var names []string
	for _, name := range family {
		names = append(names, percentile.FindStringSubmatch(name)[2])
	}
	unit := unitOf(family[0], runs)
	title := axisName(strings.TrimSpace(match[1]+" percentiles"+match[3]), unit)
	p := plot{title: title, xName: "percentile", yName: unit, x: steps(names), logY: true}
	for i, r := range runs {
		l := line{label: labels[i], series: i}
		for place, name := range family {
			if m, ok := r.metric(name); ok && m.finite() {
				low, high := m.span()
				l.points = append(l.points, [2]float64{float64(place), m.value})
				l.low, l.high = append(l.low, low), append(l.high, high)
			}
		}
		if len(l.points) > 0 {
			p.lines = append(p.lines, l)
		}
	}
	d := drawLines(p)
	d.Desc = percentileWords(family, names, runs, labels)
	return figure{Title: title, Better: betterOf(family[0], runs), Drawing: d, Legend: legend(p.lines)}
}

// percentileWords tells all values.
func percentileWords(family, names []string, runs []run, labels []string) string {
	var said []string
	for i, r := range runs {
		var values []string
		for place, name := range family {
			if m, ok := r.metric(name); ok {
				values = append(values, names[place]+" "+withUnit(m.value, m.unit))
			}
		}
		if len(values) == 0 {
			continue
		}
		said = append(said, strings.TrimPrefix(labels[i]+": ", ": ")+strings.Join(values, ", "))
	}
	return strings.Join(said, "; ")
}

// legend names the lines, nothing if there is only one.
func legend(lines []line) []legendEntry {
	if len(lines) < 2 {
		return nil
	}
	var out []legendEntry
	for _, l := range lines {
		out = append(out, legendEntry{Class: series(l.series), Mark: marker(l.series, 16, 7), Label: l.label})
	}
	return out
}

// curveFigures draws the curves; those of the same name and axes, of several
// runs, share a picture.
func curveFigures(runs []run, labels []string) []figure {
	type axes struct{ name, x, xUnit, yUnit string }
	var order []axes
	lines, yNames := map[axes][]line{}, map[axes]string{}
	for i, r := range runs {
		for _, c := range r.curves {
			name, isFloor := strings.CutSuffix(c.Name, floorSuffix)
			key := axes{name, c.X, c.XUnit, c.YUnit}
			if lines[key] == nil {
				order = append(order, key)
			}
			label := labels[i]
			if label == "" {
				label = c.Name
			}
			n := i
			if isFloor { // a line of its own beside that of the run
				label, n = strings.TrimSpace(labels[i]+" floor"), len(runs)+i
			}
			if yNames[key] == "" || !isFloor {
				yNames[key] = c.Y
			}
			lines[key] = append(lines[key], line{label: label, series: n, points: c.Points})
		}
	}
	var out []figure
	for _, key := range order {
		x, y := axisName(key.x, key.xUnit), axisName(yNames[key], key.yUnit)
		p := plot{title: key.name, xName: x, yName: y, lines: lines[key]}
		p.x, p.logY = curveAxes(p.lines, key.x)
		f := figure{Title: key.name, Drawing: drawLines(p), Legend: legend(p.lines)}
		for _, l := range p.lines {
			f.Curves = append(f.Curves, tableOf(l, x, y))
		}
		out = append(out, f)
	}
	return out
}

// floorSuffix ends the name of a curve that is the floor of another one.
const floorSuffix = ": floor"

// axisName returns a name with its unit.
func axisName(name, unit string) string {
	if unit == "" {
		return name
	}
	return name + " (" + unit + ")"
}

// curveAxes chooses the axes of a curve: percentiles by nines, with values
// that span decades by logarithm, all others as they are.
func curveAxes(lines []line, xName string) (x axis, logY bool) {
	var xs, ys []float64
	for _, l := range lines {
		for _, p := range l.points {
			if isFinite(p[0]) && isFinite(p[1]) {
				xs, ys = append(xs, p[0]), append(ys, p[1])
			}
		}
	}
	if len(xs) == 0 {
		return linear(0, 1), false
	}
	byNines := strings.Contains(strings.ToLower(xName), "percentile") && slices.Min(xs) >= 0 && slices.Max(xs) <= 100
	logY = byNines || spansDecades(ys)
	switch {
	case byNines:
		return percentiles(slices.Min(xs), topPercentile(xs)), logY
	case spansDecades(xs):
		return logarithmic(slices.Min(xs), slices.Max(xs)), logY
	default:
		return linear(min(slices.Min(xs), 0), slices.Max(xs)), logY
	}
}

// topPercentile returns the last percentage below 100, at least 99.
func topPercentile(xs []float64) float64 {
	top := 99.0
	for _, x := range xs {
		if x < 100 {
			top = max(top, min(x, 99.9999))
		}
	}
	return top
}

// spansDecades reports whether a logarithmic axis suits the values.
func spansDecades(values []float64) bool {
	low, high := slices.Min(values), slices.Max(values)
	return low > 0 && math.Log10(high)-math.Log10(low) >= decadesToLog
}

// curveRowsMax bounds the table of a curve.
const curveRowsMax = 250

// tableOf lists the points of a line, evenly thinned out if there are many.
func tableOf(l line, x, y string) curveTable {
	t := curveTable{Label: l.label, X: x, Y: y}
	every := (len(l.points) + curveRowsMax - 1) / curveRowsMax
	for i, p := range l.points {
		if i%max(every, 1) == 0 || i == len(l.points)-1 {
			t.Rows = append(t.Rows, [2]string{number(p[0]), number(p[1])})
		}
	}
	t.LeftOut = len(l.points) - len(t.Rows)
	return t
}
