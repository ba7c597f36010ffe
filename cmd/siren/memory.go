package main

import (
	"log/slog"
	"runtime/debug"

	"github.com/seed58c87869/siren/poller/memory"
)

// heapPart is which part of a control group's limit, in percent, the Go runtime tries to keep within. The rest is for
// what it does not count, such as the program itself, and for being late.
const heapPart = 90

// limitHeap gives the Go runtime a soft limit when a control group has a limit and GOMEMLIMIT is not set: the garbage
// collector then runs more often near the limit, where the kernel would end the process.
func limitHeap(log *slog.Logger) {
	l := memory.ReadLimits()
	if l.Group == 0 || l.Runtime != 0 || l.Machine != 0 && l.Group > l.Machine {
		return
	}
	limit := l.Group / 100 * heapPart
	debug.SetMemoryLimit(limit)
	log.Info("soft memory limit of the Go runtime set from the control group", "limit", limit, "group", l.Group)
}
