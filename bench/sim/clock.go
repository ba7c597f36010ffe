package sim

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// threadCPU returns the processor time of the calling thread so far, to which the goroutine must be locked.
func threadCPU() time.Duration { return clock(unix.CLOCK_THREAD_CPUTIME_ID) }

// processCPU returns the processor time of the process so far, the collector's threads included.
func processCPU() time.Duration { return clock(unix.CLOCK_PROCESS_CPUTIME_ID) }

// clock reads a clock that every Linux has.
func clock(id int32) time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(id, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// statusField returns one line of /proc/self/status that is in kB, such as "VmRSS" or "VmHWM", in bytes; 0 without it.
func statusField(name string) uint64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, ok := strings.Cut(string(text), "\n"+name+":")
	if !ok {
		return 0
	}
	var kilobytes uint64
	if _, err := fmt.Sscanf(rest, "%d kB", &kilobytes); err != nil {
		return 0
	}
	return kilobytes << 10
}

// resident returns the memory of the process, peak the most it ever was.
func resident() uint64 { return statusField("VmRSS") }
func peak() uint64     { return statusField("VmHWM") }

// kernel returns the release of the running kernel.
func kernel() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(name.Release[:])
}

// cost is what a piece of work took.
type cost struct {
	// threads is the processor time of the driving threads, process that of all threads of the process.
	threads, process, wall time.Duration
}

func (c cost) add(o cost) cost {
	return cost{c.threads + o.threads, c.process + o.process, c.wall + o.wall}
}

// nanosEach returns a time in nanoseconds, divided by how often the work was done.
func nanosEach(t time.Duration, n int) float64 { return float64(t) / float64(max(n, 1)) }
