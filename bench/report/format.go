package report

import (
	"math"
	"strconv"
	"strings"
	"unicode"
)

// absent stands where there is no number.
const absent = "–"

// number writes a figure with three or four significant digits, whole ones in
// groups.
func number(v float64) string {
	size := math.Abs(v)
	switch {
	case math.IsNaN(v):
		return absent
	case math.IsInf(v, 1):
		return "∞"
	case math.IsInf(v, -1):
		return "-∞"
	case size >= 1e15:
		return strconv.FormatFloat(v, 'g', 4, 64)
	case size >= 1000 || v == math.Trunc(v):
		return grouped(strconv.FormatFloat(v, 'f', 0, 64))
	case size >= 100:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case size >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	default:
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
}

// grouped puts commas between the thousands of a whole number.
func grouped(digits string) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// tickLabel writes the number at a tick of an axis, short.
func tickLabel(v float64) string {
	size := math.Abs(v)
	if size >= 1e15 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	for _, step := range []struct {
		from float64
		unit string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e4, "k"}} {
		if size >= step.from {
			if step.from == 1e4 {
				return strconv.FormatFloat(round(v/1e3), 'g', -1, 64) + "k"
			}
			return strconv.FormatFloat(round(v/step.from), 'g', -1, 64) + step.unit
		}
	}
	return strconv.FormatFloat(round(v), 'g', -1, 64)
}

// round removes what adding up ticks left behind the twelfth digit.
func round(v float64) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 12, 64), 64)
	if err != nil {
		return v
	}
	return r
}

// times writes a ratio.
func times(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return absent
	case math.Abs(v) >= 1000:
		return number(v)
	case math.Abs(v) >= 0.01 || v == 0:
		return strconv.FormatFloat(v, 'f', 2, 64)
	default:
		return strconv.FormatFloat(v, 'g', 2, 64)
	}
}

// spread writes the range of the samples, or that there is only one.
func spread(m metric) string {
	if m.count() == 1 {
		return "1 sample"
	}
	low, high := m.span()
	return number(low) + " to " + number(high)
}

// plain makes text harmless for a terminal: no control characters, no marks
// that reorder, no line ends.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
