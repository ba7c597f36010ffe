package tally

import (
	"context"

	"github.com/seed58c87869/siren/server/internal/host"
)

// Read returns the numbers of each loop, in their order; nil before the host has started. It waits for busy loops until
// ctx ends, or not at all. A loop that has not answered in time has older numbers, and is behind by at least its Lag.
func (t *Tally) Read(ctx context.Context, h *host.Host, wait bool) []LoopStats {
	p, engine := h.Running()
	if engine == nil {
		return nil
	}
	all := t.Probe(ctx, poster(h), engine.Traffic, wait, h.Done())
	if p == nil {
		return all
	}
	for i := range all {
		s := p.Loops()[i].Stats()
		all[i].Mailbox, all[i].Conns = int(s.MailboxWaiting), int(s.Conns)
		all[i].ReceivedBytes, all[i].SentBytes = uint64(s.BytesIn), uint64(s.BytesOut)
	}
	return all
}

// Watch is WatchLag for the loops of a host, until that ends. It returns at once if the host has not started.
func (t *Tally) Watch(ctx context.Context, h *host.Host, late Late) {
	if _, engine := h.Running(); engine != nil {
		t.WatchLag(ctx, poster(h), late, h.Done())
	}
}

// poster returns a function that posts a task to a loop of the host.
func poster(h *host.Host) func(loop int, t Task) {
	return func(loop int, t Task) { h.Loop(loop).Post(t) }
}
