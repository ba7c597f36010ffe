package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// procRoot is the mount point of proc(5).
const procRoot = "/proc"

// userHZ is the unit of the times in /proc/PID/stat, 1/100 s on every
// architecture that Go supports on Linux.
const userHZ = 100

// errProc means that a file in /proc has an unexpected form.
var errProc = errors.New("bench: unexpected contents of /proc")

// cpuTime is processor time used so far, or between two moments. The parts come in steps of 1/userHZ, while the sum is
// exact where the kernel reports it. They are kept apart, and only a difference is split, so no part is ever negative.
type cpuTime struct{ user, system, sum time.Duration }

// cpuParts returns a time whose sum is that of its parts.
func cpuParts(user, system time.Duration) cpuTime { return cpuTime{user, system, user + system} }

func (t cpuTime) add(u cpuTime) cpuTime {
	return cpuTime{t.user + u.user, t.system + u.system, t.sum + u.sum}
}
func (t cpuTime) sub(u cpuTime) cpuTime {
	return cpuTime{t.user - u.user, t.system - u.system, t.sum - u.sum}
}
func (t cpuTime) total() time.Duration { return max(t.sum, 0) }

// split divides the sum in the proportion of the parts. If both are 0, all of it is user time.
func (t cpuTime) split() (user, system time.Duration) {
	u, s := max(t.user, 0), max(t.system, 0)
	if u+s == 0 {
		return t.total(), 0
	}
	system = time.Duration(float64(t.total()) * float64(s) / float64(u+s))
	return t.total() - system, system
}

// processes describes the server's processes by /proc; immutable.
type processes struct {
	root string // "/proc"
	pids []int
}

// cpu returns the processor time of the processes so far, including ended threads. The sum is exact if the kernel lets
// us read the processes' clocks; its parts have a resolution of 10 ms.
func (p processes) cpu() (cpuTime, error) {
	var sum cpuTime
	for _, pid := range p.pids {
		text, err := os.ReadFile(filepath.Join(p.root, strconv.Itoa(pid), "stat"))
		if err != nil {
			return cpuTime{}, fmt.Errorf("bench: server process: %w", err)
		}
		t, err := parseStat(string(text))
		if err != nil {
			return cpuTime{}, err
		}
		if exact := p.exact(pid); exact > 0 {
			t.sum = exact
		}
		sum = sum.add(t)
	}
	return sum, nil
}

// exact returns the processor time of a process by its clock, see
// clock_getcpuclockid(3), 0 when it cannot be read.
func (p processes) exact(pid int) time.Duration {
	const schedulerClock = 2
	var ts unix.Timespec
	if p.root != procRoot || unix.ClockGettime(int32(^pid<<3|schedulerClock), &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// resident returns the memory of the processes in bytes (RSS). Pages that several
// of them share are counted in each.
func (p processes) resident() (int64, error) {
	var sum int64
	for _, pid := range p.pids {
		text, err := os.ReadFile(filepath.Join(p.root, strconv.Itoa(pid), "statm"))
		if err != nil {
			return 0, fmt.Errorf("bench: server process: %w", err)
		}
		pages, err := parseStatm(string(text))
		if err != nil {
			return 0, err
		}
		sum += pages * int64(os.Getpagesize())
	}
	return sum, nil
}

// parseStat takes utime and stime, fields 14 and 15, out of /proc/PID/stat.
// The name of the program, in parentheses, may contain anything.
func parseStat(text string) (cpuTime, error) {
	const utime, stime = 14 - 3, 15 - 3 // the fields begin with number 3
	end := strings.LastIndexByte(text, ')')
	if end < 0 {
		return cpuTime{}, fmt.Errorf("%w: stat", errProc)
	}
	fields := strings.Fields(text[end+1:])
	if len(fields) <= stime {
		return cpuTime{}, fmt.Errorf("%w: stat", errProc)
	}
	user, err := parseTicks(fields[utime])
	if err != nil {
		return cpuTime{}, err
	}
	system, err := parseTicks(fields[stime])
	if err != nil {
		return cpuTime{}, err
	}
	return cpuParts(user, system), nil
}

// parseTicks converts a number of 1/100 s.
func parseTicks(field string) (time.Duration, error) {
	n, err := strconv.ParseInt(field, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%w: time %q", errProc, field)
	}
	return time.Duration(n) * (time.Second / userHZ), nil
}

// parseStatm takes the resident pages, the second field, out of
// /proc/PID/statm.
func parseStatm(text string) (int64, error) {
	fields := strings.Fields(text)
	if len(fields) < 2 {
		return 0, fmt.Errorf("%w: statm", errProc)
	}
	n, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: statm: %w", errProc, err)
	}
	return n, nil
}

// ownCPU returns the processor time of this process so far.
func ownCPU() cpuTime {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return cpuTime{}
	}
	return cpuParts(time.Duration(usage.Utime.Nano()), time.Duration(usage.Stime.Nano()))
}
