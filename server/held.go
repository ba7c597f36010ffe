package server

import (
	"fmt"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/poller/memory"
	"github.com/seed58c87869/siren/session"
)

// This file keeps account of what clients hold besides what package session counts: see package memory.

const (
	// memoryPart is which part of the memory the clients may hold by default: the garbage collector needs as much again.
	memoryPart = 4
	// memoryUnknown is the default budget on systems that do not tell how much memory there is.
	memoryUnknown = 1 << 30
	// memoryMin is the least budget: a few clients with the largest messages must fit.
	memoryMin = 1 << 20
)

// settleMemory fills in the default of MemoryBudget and checks it.
func (c *Config) settleMemory() error {
	if c.MemoryBudget == 0 {
		c.MemoryBudget = memoryUnknown
		if least := memory.ReadLimits().Least(); least > 0 {
			c.MemoryBudget = max(least/memoryPart, memoryMin)
		}
	}
	if c.MemoryBudget > 0 && c.MemoryBudget < memoryMin {
		return fmt.Errorf("server: Config.MemoryBudget = %d: at least %d are needed", c.MemoryBudget, memoryMin)
	}
	return nil
}

// memory is the budget of all clients; nil before the server runs, and without one.
func (srv *Server) memory() *memory.Budget {
	srv.life.RLock()
	defer srv.life.RUnlock()
	return srv.budget
}

// overBudget logs that clients were ended because all together held too much. It is called on loops.
func (srv *Server) overBudget(r memory.Report) {
	srv.log.Warn("memory budget exceeded, clients disconnected", "clients", r.Evicted, "largest", r.Largest, "held", r.Held,
		"budget", r.Limit)
}

// count notes that f was added.
func (p *pending) count(f *eio.Frame) {
	m := p.s.client.loop().Memory()
	switch {
	case p.counted:
		session.CountPacket(m, f)
	case p.bytes >= memory.ListMin && m.On():
		p.counted = true
		for _, f := range p.frames {
			session.CountPacket(m, f)
		}
		m.List(p)
	}
}

// uncount takes all off the ledger.
func (p *pending) uncount() {
	if !p.counted {
		return
	}
	p.counted = false
	m := p.s.client.loop().Memory()
	for _, f := range p.frames {
		session.UncountPacket(m, f)
	}
	m.Unlist(p)
}

// Held implements memory.Holder.
func (p *pending) Held() int {
	if !p.counted {
		return 0
	}
	return session.PacketsHeld(p.s.client.loop().Memory(), p.frames)
}

// Evict implements memory.Holder.
func (p *pending) Evict() { p.s.client.sess.Evict() }

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

// crowded is a Socket as the memory.Holder of the events that wait for its handlers, also after its end. Loop-owned.
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
