package node

import (
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/seed58c87869/siren/poller/memory"
)

// heapPart is which part of a control group's limit, in percent, the Go runtime tries to keep within. The rest is for
// what it does not count, such as the program itself, and for being late.
const heapPart = 90

// limitHeap sets a soft limit for the Go runtime when a control group has a limit and GOMEMLIMIT is not set, not even
// to off. The garbage collector then runs more often near the limit, where the kernel would end the process.
func limitHeap(log *slog.Logger) {
	l := memory.ReadLimits()
	limit := heapLimit(l, os.Getenv("GOMEMLIMIT"))
	if limit == 0 {
		return
	}
	debug.SetMemoryLimit(limit)
	log.Info("soft memory limit of the Go runtime set from the control group", "limit", limit, "group", l.Group)
}

// heapLimit returns the soft limit that limitHeap sets, or 0 to leave the runtime's as it is.
func heapLimit(l memory.Limits, env string) int64 {
	if env != "" || l.Group == 0 || l.Runtime != 0 || l.Machine != 0 && l.Group > l.Machine {
		return 0
	}
	return l.Group / 100 * heapPart
}
