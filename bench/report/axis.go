package report

import "math"

// How an axis is divided.
const (
	ticksWanted = 5
	ticksMax    = 12
	decadesFine = 2 // up to so many decades show 1, 2 and 5
	// Numbers beyond these are drawn at the end of the axis, so that dividing
	// it cannot overflow.
	largest, smallest = 1e300, 1e-300
)

// axis maps numbers to a line from 0 to 1; immutable.
type axis struct {
	low, high float64 // mapped numbers
	convert   func(float64) float64
	ticks     []tick
}

// tick is a mark of an axis.
type tick struct {
	at    float64 // 0 to 1
	label string
}

// at returns the place of v on the axis, 0 to 1 whatever v is.
func (a axis) at(v float64) float64 {
	p := (a.convert(v)/2 - a.low/2) / (a.high/2 - a.low/2)
	if math.IsNaN(p) {
		return 0
	}
	return min(max(p, 0), 1)
}

// shows reports whether v has a place on the axis.
func (a axis) shows(v float64) bool { return isFinite(v) && isFinite(a.convert(v)) }

// mark puts a tick at v if that is on the axis.
func (a *axis) mark(v float64, label string) {
	c := a.convert(v)
	slack := (a.high/2 - a.low/2) * 1e-6
	if len(a.ticks) < ticksMax && c >= a.low-slack && c <= a.high+slack {
		a.ticks = append(a.ticks, tick{a.at(v), label})
	}
}

// linear makes an axis from low to high, rounded outwards to whole ticks.
func linear(low, high float64) axis {
	low, high = max(low, -largest), min(high, largest)
	if !(high-low > smallest) {
		high = low + max(1, math.Abs(low))
	}
	step := niceStep((high/2 - low/2) / ticksWanted * 2)
	a := axis{low: math.Floor(low/step) * step, high: math.Ceil(high/step) * step, convert: func(v float64) float64 { return v }}
	for i := 0; i <= ticksMax; i++ {
		v := a.low + float64(i)*step
		a.mark(v, tickLabel(v))
	}
	return a
}

// niceStep returns the next number of 1, 2 and 5 times a power of ten.
func niceStep(raw float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, factor := range []float64{1, 2, 5} {
		if step := factor * power; step >= raw*(1-1e-9) {
			return step
		}
	}
	return 10 * power
}

// logarithmic makes an axis from low to high, both above zero, rounded
// outwards to a number of 1, 2 and 5 times a power of ten.
func logarithmic(low, high float64) axis {
	from, to := roundDown(max(low, smallest)), niceStep(min(high, largest))
	if !(to > from) {
		to = niceStep(from * 1.5)
	}
	a := axis{low: math.Log10(from), high: math.Log10(to), convert: math.Log10}
	decades := a.high - a.low
	every := int(math.Ceil(decades / ticksMax))
	for exponent := int(math.Floor(a.low)); exponent <= int(math.Ceil(a.high)); exponent++ {
		if decades > decadesFine && exponent%max(every, 1) != 0 {
			continue
		}
		for _, factor := range []float64{1, 2, 5} {
			if factor == 1 || decades <= decadesFine {
				v := factor * math.Pow(10, float64(exponent))
				a.mark(v, tickLabel(v))
			}
		}
	}
	return a
}

// roundDown returns the number of 1, 2 and 5 times a power of ten below v.
func roundDown(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, factor := range []float64{5, 2} {
		if step := factor * power; step <= v*(1+1e-9) {
			return step
		}
	}
	return power
}

// steps makes an axis of equally spaced names for the numbers 0, 1, 2 ….
func steps(names []string) axis {
	a := axis{low: -0.3, high: float64(len(names)-1) + 0.3, convert: func(v float64) float64 { return v }}
	for i, name := range names {
		a.mark(float64(i), name)
	}
	return a
}

// maximumRoom is where the maximum stands behind the last percentile, in nines.
const maximumRoom = 0.6

// percentiles makes an axis for percentages on which 90, 99 and 99.9 are
// equally far apart. Everything above top stands at its end: 100, which would
// be at infinity, is the maximum.
func percentiles(low, top float64) axis {
	nines := func(p float64) float64 { return -math.Log10(1 - p/100) }
	end := nines(top) + maximumRoom
	a := axis{low: nines(low), high: end, convert: func(p float64) float64 {
		if p > top {
			return end
		}
		return nines(max(p, 0))
	}}
	for _, p := range []struct {
		at    float64
		label string
	}{{0, "0"}, {50, "50"}, {90, "90"}, {99, "99"}, {99.9, "99.9"}, {99.99, "99.99"}, {99.999, "99.999"}} {
		if p.at >= low && p.at <= top {
			a.mark(p.at, p.label)
		}
	}
	a.mark(100, "max")
	return a
}
