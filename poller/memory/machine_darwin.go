package memory

import (
	"math"

	"golang.org/x/sys/unix"
)

// machineMemory returns the memory of the machine in bytes; 0 when it is unknown.
func machineMemory() int64 {
	n, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return 0
	}
	return int64(min(n, math.MaxInt64))
}
