package server

import (
	"fmt"

	"github.com/seed58c87869/siren/poller/memory"
	"github.com/seed58c87869/siren/server/internal/host"
)

// This file counts the memory that clients hold besides what package session counts: see package memory.

// settleMemory fills in the default of MemoryBudget and checks it.
func (c *Config) settleMemory() error {
	budget, err := host.Budget(c.MemoryBudget)
	if err != nil {
		return fmt.Errorf("server: Config.MemoryBudget = %d: %w", c.MemoryBudget, err)
	}
	c.MemoryBudget = budget
	return nil
}

// introduced is a Socket as the memory.Holder of its auth payload. Loop-owned.
type introduced Socket

// count enters a long auth payload in the ledger, or takes it off.
func (s *introduced) count(on bool) {
	n, m := len(s.auth), s.client.loop().Memory()
	switch {
	case n < memory.ListMin:
	case on:
		m.Move(s, 0, n)
	default:
		m.Move(s, n, 0)
	}
}

// Held implements memory.Holder.
func (s *introduced) Held() int { return len(s.auth) }

// Evict implements memory.Holder.
func (s *introduced) Evict() { s.client.sess.Evict() }

// crowded is a Socket as the memory.Holder of the events that wait for its handlers. It stays listed after the socket's
// end. Loop-owned.
type crowded Socket

// Held implements memory.Holder.
func (c *crowded) Held() int {
	n := c.inbox.Counted()
	if n == 0 {
		c.client.loop().Memory().Unlist(c)
	}
	return n
}

// Evict implements memory.Holder: it ends the client and drops its events that have not reached a handler.
func (c *crowded) Evict() {
	c.client.sess.Evict()
	c.ns.srv.stats.shed.Add(uint64(c.inbox.Shed()))
}
