package node

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// raiseDescriptors lifts the soft limit of open files to the hard one and
// returns what holds then. Each connection takes one file; the Go runtime does
// the same only as long as nothing asks it not to.
func raiseDescriptors() (uint64, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("getrlimit: %w", err)
	}
	if limit.Cur >= limit.Max {
		return limit.Cur, nil
	}
	raised := limit
	raised.Cur = limit.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &raised); err != nil {
		return limit.Cur, fmt.Errorf("setrlimit: %w", err)
	}
	return raised.Cur, nil
}
