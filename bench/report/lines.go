package report

import (
	"fmt"
	"math"
	"strings"
)

// Sizes and limits of a line plot.
const (
	plotHeight   = 236
	markersMax   = 40  // more points are drawn without marks
	plotColumns  = 300 // points beyond a few per column cannot be seen
	decadesToLog = 2   // from this many decades on an axis is logarithmic
)

// line is one series of a plot. Low and high are nil, or the range of each
// point.
type line struct {
	label     string
	series    int
	points    [][2]float64
	low, high []float64
}

// plot is what drawLines draws.
type plot struct {
	title        string
	xName, yName string // with units
	x            axis   // made by the caller
	logY         bool   // if all values allow it
	lines        []line
}

// drawLines draws the lines over two axes.
func drawLines(p plot) drawing {
	y := yAxis(p)
	const right, bottom = drawingWidth - marginRight, plotHeight - marginBottom
	xAt := func(v float64) float64 { return marginLeft + p.x.at(v)*(right-marginLeft) }
	yAt := func(v float64) float64 { return bottom - y.at(v)*(bottom-marginTop-12) }
	d := drawing{Title: p.title, Width: drawingWidth, Height: plotHeight}
	for _, t := range y.ticks {
		at := bottom - t.at*(bottom-marginTop-12)
		d.line("grid", marginLeft, at, right, at)
		d.text("tick", "end", marginLeft-5, at+4, t.label)
	}
	for i, t := range p.x.ticks {
		at := marginLeft + t.at*(right-marginLeft)
		d.line("grid", at, marginTop+12, at, bottom)
		anchor := "middle"
		if i == len(p.x.ticks)-1 && at > right-14 {
			anchor, at = "end", drawingWidth-2
		}
		d.text("tick", anchor, at, bottom+15, t.label)
	}
	d.path("base", move(marginLeft, marginTop+12)+to(marginLeft, bottom)+to(right, bottom))
	d.text("axis", "start", 4, marginTop, fit(p.yName+logNote(y), drawingWidth-8))
	d.text("axis", "end", right, bottom+30, fit(p.xName, right-marginLeft))
	var said []string
	for _, l := range p.lines {
		shown := visible(l, p.x, y)
		d.ranges(l, xAt, yAt, y)
		d.series(l.series, thin(shown, xAt), xAt, yAt)
		said = append(said, describeLine(l.label, shown))
	}
	d.Desc = fmt.Sprintf("%s over %s. %s", p.yName, p.xName, strings.Join(said, "; "))
	return d
}

// yAxis covers all values and ranges. A logarithmic one has no place for zeros.
func yAxis(p plot) axis {
	low, high, lowest := math.Inf(1), math.Inf(-1), math.Inf(1) // lowest above zero
	positive := 0
	for _, l := range p.lines {
		for i, point := range l.points {
			values := []float64{point[1]}
			if i < len(l.low) && i < len(l.high) {
				values = append(values, l.low[i], l.high[i])
			}
			for _, v := range values {
				if isFinite(v) {
					low, high = min(low, v), max(high, v)
				}
				if isFinite(v) && v > 0 {
					lowest = min(lowest, v)
					positive++
				}
			}
		}
	}
	if low > high { // nothing to show
		low, high = 0, 1
	}
	if p.logY && positive > 1 && low >= 0 {
		return logarithmic(lowest, high) // a zero has no place on it
	}
	return linear(min(low, 0), max(high, 0))
}

// logNote says in the name of the axis that it is not linear.
func logNote(a axis) string {
	if a.convert(10) == 1 {
		return ", logarithmic"
	}
	return ""
}

// visible returns the points that have a place on both axes.
func visible(l line, x, y axis) [][2]float64 {
	var out [][2]float64
	for _, p := range l.points {
		if x.shows(p[0]) && y.shows(p[1]) {
			out = append(out, p)
		}
	}
	return out
}

// describeLine tells the ends and the extremes of a line.
func describeLine(label string, points [][2]float64) string {
	if len(points) == 0 {
		return label + ": no points"
	}
	low, high := points[0], points[0]
	for _, p := range points {
		if p[1] < low[1] {
			low = p
		}
		if p[1] > high[1] {
			high = p
		}
	}
	first, last := points[0], points[len(points)-1]
	return fmt.Sprintf("%s: %d points, from %s at %s to %s at %s, lowest %s at %s, highest %s at %s", label, len(points),
		number(first[1]), number(first[0]), number(last[1]), number(last[0]),
		number(low[1]), number(low[0]), number(high[1]), number(high[0]))
}

// thin keeps the first, the lowest, the highest and the last of those points
// that fall into one column, so that a long curve stays small and keeps its
// peaks.
func thin(points [][2]float64, xAt func(float64) float64) [][2]float64 {
	if len(points) <= 2*plotColumns {
		return points
	}
	column := func(p [2]float64) int { return int(xAt(p[0]) * plotColumns / drawingWidth) }
	var out [][2]float64
	for begin := 0; begin < len(points); {
		end, low, high := begin, begin, begin
		for ; end < len(points) && column(points[end]) == column(points[begin]); end++ {
			if points[end][1] < points[low][1] {
				low = end
			}
			if points[end][1] > points[high][1] {
				high = end
			}
		}
		last := -1
		for _, i := range []int{begin, min(low, high), max(low, high), end - 1} {
			if i > last {
				out = append(out, points[i])
				last = i
			}
		}
		begin = end
	}
	return out
}

// ranges draws the whiskers of a line's points.
func (d *drawing) ranges(l line, xAt, yAt func(float64) float64, y axis) {
	var path strings.Builder
	for i := range min(len(l.points), len(l.low), len(l.high)) {
		if l.low[i] == l.high[i] || !y.shows(l.low[i]) || !y.shows(l.high[i]) {
			continue
		}
		// Lines beside each other are shifted a little.
		x := xAt(l.points[i][0]) + float64(l.series%seriesMax)*2.5
		low, high := yAt(l.low[i]), yAt(l.high[i])
		path.WriteString(move(x, low) + to(x, high) + move(x-whisker, low) + to(x+whisker, low) + move(x-whisker, high) + to(x+whisker, high))
	}
	d.path("range "+series(l.series), path.String())
}

// series draws the line and its marks.
func (d *drawing) series(n int, points [][2]float64, xAt, yAt func(float64) float64) {
	var path, marks strings.Builder
	for i, p := range points {
		x, y := xAt(p[0]), yAt(p[1])
		if i == 0 {
			path.WriteString(move(x, y))
		} else {
			path.WriteString(to(x, y))
		}
		if len(points) <= markersMax {
			marks.WriteString(marker(n, x, y))
		}
	}
	d.path("line "+series(n), path.String())
	d.path("mark "+series(n), marks.String())
}
