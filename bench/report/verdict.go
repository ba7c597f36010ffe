package report

import (
	"math"

	"golang.org/x/perf/benchmath"
)

// Verdict is what a comparison says about one metric.
//
// Samples differ if a Mann-Whitney U-test says that both sides would be so far apart less than one time in twenty by
// chance. With very few samples, a single one above all, no test can say that: then they differ if none of one side
// lies among those of the other, and the medians are at least 20 % apart, of the larger of the two.
type Verdict string

// The verdicts.
const (
	Better Verdict = "better"
	Worse  Verdict = "worse"
	Same   Verdict = "same (within spread)"
	// Differs is for figures that are neither better nor worse when they are
	// higher: circumstances such as the load of the client, and memory per
	// connection of servers that did not begin alike.
	Differs Verdict = "differs"
	// ClientBound is for figures that the client set and not the server, on
	// either side.
	ClientBound Verdict = "client-bound"
	// OnlyA and OnlyB are for figures that the other side does not have.
	OnlyA Verdict = "only in A"
	OnlyB Verdict = "only in B"
	// Unknown is for figures that are not numbers, or are in another unit on
	// the other side.
	Unknown Verdict = "not comparable"
)

// When samples are a difference.
const (
	chanceMax   = 0.05 // of samples being so different without any reason
	fewDiffer   = 0.20 // with few samples, of the larger median
	basesDiffer = 0.10 // what a server had in use before counts as another start
	exactBinary = 1e-9 // what rounding may take from fewDiffer
)

// verdict compares a metric that both sides have.
func verdict(a, b metric) Verdict {
	if !a.finite() || !b.finite() || a.unit != b.unit {
		return Unknown
	}
	if a.bound || b.bound {
		return ClientBound
	}
	if !unlikely(a, b) && !(apart(a, b) && difference(a.value, b.value) >= fewDiffer-exactBinary) {
		return Same
	}
	switch {
	case a.better != b.better || a.better == "" || difference(a.base, b.base) > basesDiffer:
		return Differs
	case (a.better == higher) == (b.value > a.value):
		return Better
	default:
		return Worse
	}
}

// apart reports whether no sample of one side lies among those of the other,
// with regard to how exact they are.
func apart(a, b metric) bool {
	aLow, aHigh := a.span()
	bLow, bHigh := b.span()
	step := a.step + b.step
	return bLow-aHigh > step || aLow-bHigh > step
}

// unlikely reports whether the samples of two sides would seldom be so different by chance, and their medians differ by
// more than they are exact.
func unlikely(a, b metric) bool {
	if math.Abs(a.value-b.value) <= a.step+b.step {
		return false
	}
	limits := &benchmath.Thresholds{CompareAlpha: chanceMax}
	// NewSample sorts what it gets.
	c := benchmath.AssumeNothing.Compare(benchmath.NewSample(a.all(), limits), benchmath.NewSample(b.all(), limits))
	return c.P < c.Alpha
}

// difference of two numbers as a part of the larger one, 0 to 2.
func difference(a, b float64) float64 {
	larger := max(math.Abs(a), math.Abs(b))
	if larger == 0 {
		return 0
	}
	return math.Abs(a/larger - b/larger)
}

// worsening returns how far the samples of b lie on the bad side of all those of a,
// in percent of a's median; 0 if they do not, infinite if a's median is zero.
func worsening(a, b metric) float64 {
	aLow, aHigh := a.span()
	bLow, bHigh := b.span()
	beyond := bLow - aHigh
	if a.better == higher {
		beyond = aLow - bHigh
	}
	beyond -= a.step + b.step
	if beyond <= 0 {
		return 0
	}
	return beyond / math.Abs(a.value) * 100
}
