package node

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// descriptorLimit returns how many files the process may open; each connection takes one. Package os has raised the soft
// limit to the hard one.
func descriptorLimit() (uint64, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("getrlimit: %w", err)
	}
	return uint64(limit.Cur), nil // an int64 on some systems
}
