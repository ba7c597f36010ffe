package bench

import "bytes"

// The layout of a tick's text: '#', the number as ten digits, ':', the time in
// ns as nineteen digits, ':', and 'x' up to the size.
const (
	tickNumberAt = 1
	tickTimeAt   = 12
	tickPadAt    = 32

	tickPrefix = `2["tick","`
	tickSuffix = `"]`
)

// tickPlan knows what every tick of a run must look like; immutable.
type tickPlan struct {
	count   int
	size    int
	padding []byte
}

// newTickPlan returns the plan for ticks 0 to count-1 of size bytes.
func newTickPlan(count, size int) *tickPlan {
	return &tickPlan{count: count, size: size, padding: bytes.Repeat([]byte{'x'}, size-tickPadAt)}
}

// parse reads a Socket.IO packet. ok is false unless every byte is as planned.
func (t *tickPlan) parse(p []byte) (number int, sent int64, ok bool) {
	if len(p) != len(tickPrefix)+t.size+len(tickSuffix) ||
		string(p[:len(tickPrefix)]) != tickPrefix || string(p[len(p)-len(tickSuffix):]) != tickSuffix {
		return 0, 0, false
	}
	text := p[len(tickPrefix) : len(tickPrefix)+t.size]
	if text[0] != '#' || text[tickTimeAt-1] != ':' || text[tickPadAt-1] != ':' {
		return 0, 0, false
	}
	n, numberOK := digits(text[tickNumberAt : tickTimeAt-1])
	sent, timeOK := digits(text[tickTimeAt : tickPadAt-1])
	if !numberOK || !timeOK || n >= int64(t.count) || !bytes.Equal(text[tickPadAt:], t.padding) {
		return 0, 0, false
	}
	return int(n), sent, true
}

// digits reads a decimal number of up to 19 digits; ok is false if there is
// anything else in it, or if it does not fit.
func digits(text []byte) (n int64, ok bool) {
	for _, d := range text {
		if d -= '0'; d > 9 {
			return 0, false
		}
		n = n*10 + int64(d)
	}
	return n, n >= 0
}
