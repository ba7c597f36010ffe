package report

import "strings"

// Sizes of a bar chart. Each bar has its label above it, which leaves the full
// width to the bar, on a phone too.
const (
	barLeft   = 8
	barRow    = 46
	barLabel  = 14 // baseline of the label in its row
	barTop    = 21
	barHeight = 14
	whisker   = 4 // half the height of a whisker's ends
	dotSize   = 2.3
	samplesIn = 60 // more samples are not drawn as dots
)

// bar is one bar: a metric of a run.
type bar struct {
	label  string
	series int
	metric metric
}

// caption returns the figure in words.
func (b bar) caption() string {
	text := withUnit(b.metric.value, b.metric.unit)
	if r := b.metric.ratio(); isFinite(r) {
		text += " = " + times(r) + " × floor"
	}
	return text
}

// drawBars draws horizontal bars from zero, with a whisker from the lowest to
// the highest sample, a dot for each sample, and a mark at the floor.
func drawBars(title string, bars []bar) drawing {
	low, high := 0.0, 0.0
	for _, b := range bars {
		l, h := b.metric.span()
		low, high = min(low, l), max(high, h)
		if isFinite(b.metric.floor) {
			low, high = min(low, b.metric.floor), max(high, b.metric.floor)
		}
	}
	scale := linear(low, high)
	const right = drawingWidth - marginRight
	x := func(v float64) float64 { return barLeft + scale.at(v)*(right-barLeft) }
	bottom := float64(len(bars) * barRow)
	d := drawing{Title: title, Width: drawingWidth, Height: px(bottom + 24)}
	for _, t := range scale.ticks {
		at := barLeft + t.at*(right-barLeft)
		d.path("grid", upright(at, len(bars)))
		anchor := "middle"
		if t.at == 0 {
			anchor, at = "start", at-4
		} else if at > right-12 {
			anchor, at = "end", drawingWidth-2
		}
		d.text("tick", anchor, at, bottom+15, t.label)
	}
	d.path("base", upright(x(0), len(bars)))
	var said []string
	for i, b := range bars {
		d.bar(b, float64(i*barRow), x)
		low, high := b.metric.span()
		text := b.label + ": " + b.caption()
		if b.metric.count() > 1 {
			text += ", from " + number(low) + " to " + number(high)
		}
		said = append(said, text)
	}
	d.Desc = strings.Join(said, "; ")
	return d
}

// upright returns a vertical line through all rows that leaves out the labels.
func upright(x float64, rows int) string {
	var path strings.Builder
	for i := range rows {
		top := float64(i*barRow + barTop)
		path.WriteString(move(x, top-2) + to(x, top+barHeight+4))
	}
	return path.String()
}

// bar draws one row.
func (d *drawing) bar(b bar, top float64, x func(float64) float64) {
	m := b.metric
	const right = drawingWidth - marginRight
	caption := b.caption()
	d.text("value", "end", right, top+barLabel, caption)
	d.text("label", "start", barLeft, top+barLabel, fit(b.label, right-barLeft-charWidth*float64(len([]rune(caption))+2)))
	from, until := min(x(0), x(m.value)), max(x(0), x(m.value))
	d.rect("bar "+series(b.series), from, top+barTop, until-from, barHeight)
	middle := top + barTop + barHeight/2
	if m.count() > 1 {
		low, high := m.span()
		path := move(x(low), middle) + to(x(high), middle)
		for _, end := range []float64{x(low), x(high)} {
			path += move(end, middle-whisker) + to(end, middle+whisker)
		}
		d.path("halo", path)
		d.path("whisker", path)
		if len(m.samples) <= samplesIn {
			var dots strings.Builder
			for _, s := range m.samples {
				dots.WriteString(circle(dotSize, x(s), middle))
			}
			d.path("dots", dots.String())
		}
	}
	if isFinite(m.ratio()) {
		at := x(m.floor)
		d.line("halo", at, top+barTop-2, at, top+barTop+barHeight+4)
		d.line("floor", at, top+barTop-2, at, top+barTop+barHeight+4)
	}
}
