package bench

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// calibrations is the number of samples of newClock, of which the tightest one counts.
const calibrations = 32

// clock reads CLOCK_MONOTONIC in nanoseconds, the clock of the ticks; immutable. Go's monotonic time comes from the
// same clock, without a system call but with another origin. So the difference is measured once.
type clock struct {
	base   time.Time
	offset int64 // CLOCK_MONOTONIC at base
}

// newClock measures the distance, to within the time of one system call.
func newClock() clock {
	c := clock{base: time.Now()}
	tightest := int64(math.MaxInt64)
	for range calibrations {
		before := time.Since(c.base)
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
			continue
		}
		after := time.Since(c.base)
		if width := int64(after - before); width < tightest {
			tightest = width
			c.offset = ts.Nano() - int64(before) - width/2
		}
	}
	return c
}

// now returns the time in ns since the clock's origin.
func (c clock) now() int64 {
	return c.offset + int64(time.Since(c.base))
}
