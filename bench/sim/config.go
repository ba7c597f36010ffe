package sim

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Defaults of Config.
const (
	DefaultConns   = 1_000_000
	DefaultLoops   = 2
	DefaultRooms   = 1000
	DefaultChurn   = 30 * time.Second
	DefaultTimeout = 3 * time.Minute
)

// Bounds of Config.
const (
	connsMax = 4_000_000
	loopsMax = 16
	roomsMax = 10_000 // the server's own limit
	gogcMax  = 10_000
	// GOGCOff turns the collector off until the memory limit is reached.
	GOGCOff = -1
)

// Config is what to simulate; a plain value. The zero value is usable.
type Config struct {
	// Conns is the number of connections at the end of their growth. Default DefaultConns.
	Conns int
	// Loops is the number of event loops, each driven by a goroutine of its own. Default DefaultLoops.
	Loops int
	// Rooms is the most rooms that one socket is in, in the phase that varies them. Default DefaultRooms.
	Rooms int
	// GOGC and MemoryLimit (bytes) are the collector's settings for a second churn phase; 0 is the default of each, and
	// there is no second phase when both are. GOGC may be GOGCOff with a MemoryLimit.
	GOGC        int
	MemoryLimit int64
	// Churn bounds each churn phase. Default DefaultChurn.
	Churn time.Duration
	// Timeout bounds the whole run, which then ends with what it has. Default DefaultTimeout.
	Timeout time.Duration
	// ProfileDir, when set, gets a CPU profile of each phase and a heap profile of the idle connections.
	ProfileDir string
	// Progress, when set, is told how far the run is.
	Progress func(phase string, done, total int)
}

// settle fills in the defaults and checks the result. Errors name what is wrong as the command line calls it.
func (c Config) settle() (Config, error) {
	for _, f := range []struct {
		v    *int
		def  int
		max  int
		name string
	}{
		{&c.Conns, DefaultConns, connsMax, "conns"},
		{&c.Loops, DefaultLoops, loopsMax, "loops"},
		{&c.Rooms, DefaultRooms, roomsMax, "rooms"},
	} {
		if *f.v == 0 {
			*f.v = f.def
		}
		if *f.v < 1 || *f.v > f.max {
			return c, fmt.Errorf("sim: %s must be from 1 to %d, not %d", f.name, f.max, *f.v)
		}
	}
	if c.Conns < c.Loops {
		return c, errors.New("sim: conns must not be fewer than loops")
	}
	if c.GOGC < GOGCOff || c.GOGC > gogcMax {
		return c, fmt.Errorf("sim: gogc must be off or from 1 to %d, not %d", gogcMax, c.GOGC)
	}
	if c.MemoryLimit < 0 {
		return c, errors.New("sim: memory-limit must not be negative")
	}
	if c.GOGC == GOGCOff && c.MemoryLimit == 0 {
		return c, errors.New("sim: gogc can be off only with a memory-limit")
	}
	for _, f := range []struct {
		v    *time.Duration
		def  time.Duration
		name string
	}{{&c.Churn, DefaultChurn, "churn"}, {&c.Timeout, DefaultTimeout, "timeout"}} {
		if *f.v == 0 {
			*f.v = f.def
		}
		if *f.v < 0 {
			return c, fmt.Errorf("sim: %s must be greater than zero, not %v", f.name, *f.v)
		}
	}
	return c, nil
}

// stages returns the numbers of connections at which the run stops to measure: powers of ten, then the end.
func (c Config) stages() []int { return tens(1000, c.Conns) }

// roomSteps returns the numbers of rooms for one socket.
func (c Config) roomSteps() []int { return tens(1, c.Rooms) }

// tens is from, ten times that, and so on, up to and with last.
func tens(from, last int) (out []int) {
	for n := from; n < last; n *= 10 {
		out = append(out, n)
	}
	return append(out, last)
}

// collector is a setting of the garbage collector. Immutable.
type collector struct {
	gogc  int
	limit int64
}

// standard is the collector as Go has it by default.
var standard = collector{gogc: 100, limit: math.MaxInt64}

// collectors returns the settings for the churn phases.
func (c Config) collectors() []collector {
	all := []collector{standard}
	if c.GOGC == 0 && c.MemoryLimit == 0 {
		return all
	}
	given := standard
	if c.GOGC != 0 {
		given.gogc = c.GOGC
	}
	if c.MemoryLimit != 0 {
		given.limit = c.MemoryLimit
	}
	return append(all, given)
}

// String names the setting.
func (c collector) String() string {
	text := fmt.Sprintf("GOGC=%d", c.gogc)
	if c.gogc == GOGCOff {
		text = "GOGC=off"
	}
	if c.limit != math.MaxInt64 {
		text += fmt.Sprintf(" limit=%.0fMiB", float64(c.limit)/(1<<20))
	}
	return text
}
