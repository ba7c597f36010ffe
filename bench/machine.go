package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// machineTime is the time of all processors of the machine since its start.
type machineTime struct{ busy, idle time.Duration }

// machineCPU reads /proc/stat. Time that a hypervisor gave to other machines counts as busy, because it was not
// available.
func machineCPU(root string) (machineTime, error) {
	text, err := os.ReadFile(filepath.Join(root, "stat"))
	if err != nil {
		return machineTime{}, fmt.Errorf("bench: %w", err)
	}
	return parseMachine(string(text))
}

// parseMachine reads the line of all processors, proc_stat(5).
func parseMachine(text string) (machineTime, error) {
	const idle, iowait, last = 4, 5, 8 // the fields behind it repeat parts of these
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) <= last || fields[0] != "cpu" {
		return machineTime{}, fmt.Errorf("%w: stat", errProc)
	}
	var t machineTime
	for i := 1; i <= last; i++ {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return machineTime{}, fmt.Errorf("%w: stat: %w", errProc, err)
		}
		if d := time.Duration(n) * (time.Second / userHZ); i == idle || i == iowait {
			t.idle += d
		} else {
			t.busy += d
		}
	}
	return t, nil
}

// othersShare returns the part of the machine's processor time between two readings, 0 to 1, that neither the server
// nor the client used.
func othersShare(before, after machineTime, ours time.Duration) float64 {
	busy, idle := after.busy-before.busy, after.idle-before.idle
	if busy+idle <= 0 {
		return 0
	}
	return max(0, float64(busy-ours)/float64(busy+idle))
}
