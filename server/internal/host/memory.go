package host

import (
	"fmt"

	"github.com/seed58c87869/siren/poller"
	"github.com/seed58c87869/siren/poller/memory"
	"github.com/seed58c87869/siren/session"
)

const (
	// memoryPart is the part of the memory that clients may hold by default, because the garbage collector needs as
	// much again.
	memoryPart = 4
	// memoryUnknown is the default budget if the memory of the system is unknown.
	memoryUnknown = 1 << 30
	// memoryMin is the least budget: a few clients with the largest messages must fit.
	memoryMin = 1 << 20
)

// Budget returns the memory budget for a setting, in bytes: 0 is the default, a negative one is no bound. One that is
// too small is an error.
func Budget(setting int64) (int64, error) {
	switch {
	case setting < 0 || setting >= memoryMin:
		return setting, nil
	case setting > 0:
		return 0, fmt.Errorf("at least %d are needed", memoryMin)
	}
	if least := memory.ReadLimits().Least(); least > 0 {
		return max(least/memoryPart, memoryMin), nil
	}
	return memoryUnknown, nil
}

// overBudget logs that clients were ended because all together held too much. It is called on loops.
func (h *Host) overBudget(r memory.Report) {
	h.cfg.Log.Warn("memory budget exceeded, clients disconnected", "clients", r.Evicted, "largest", r.Largest, "held", r.Held,
		"budget", r.Limit)
}

// Stats has the counters of a Host.
type Stats struct {
	// Poller is empty for an attached Host.
	Poller   poller.Stats
	Sessions session.Stats
	// MemoryHeld is how many bytes clients hold now, MemoryBudget the bound, Evicted the number of clients that were
	// ended because of it.
	MemoryHeld, MemoryBudget int64
	Evicted                  uint64
	// Bridged is the number of WebSockets that no event loop watches.
	Bridged int
}

// Stats returns the counters.
func (h *Host) Stats() Stats {
	s := Stats{Bridged: h.mount.Bridged()}
	h.life.RLock()
	p, engine, budget := h.poller, h.engine, h.budget
	h.life.RUnlock()
	if p != nil {
		s.Poller = p.Stats()
	}
	if engine != nil {
		s.Sessions = engine.Stats()
	}
	if budget != nil {
		s.MemoryHeld, s.MemoryBudget, s.Evicted = budget.Held(), budget.Limit(), uint64(budget.Evicted())
	}
	return s
}
