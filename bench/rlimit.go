package bench

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ErrDescriptors is returned when the process may not open as many files as the run needs connections.
var ErrDescriptors = errors.New("bench: not enough file descriptors")

// needDescriptors checks that the process may open so many files.
func needDescriptors(need int) error {
	limit, err := descriptorLimit()
	if err != nil {
		return err
	}
	if uint64(need) > limit {
		return fmt.Errorf("%w: the run needs %d, the limit is %d; raise it, or divide the subscribers among processes",
			ErrDescriptors, need, limit)
	}
	return nil
}

// descriptorLimit returns how many files the process may open. Package os has raised the soft limit to the hard one.
func descriptorLimit() (uint64, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("bench: getrlimit: %w", err)
	}
	return uint64(limit.Cur), nil // an int64 on some systems
}
