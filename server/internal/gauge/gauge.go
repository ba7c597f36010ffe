// Package gauge reads the counters of event loops without locks and atomic operations: a small task copies them on
// their loop.
package gauge

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/seed58c87869/siren/server/internal/host"
)

// Stats has the counters of one loop; see server.LoopStats, which has the same fields. Immutable.
type Stats struct {
	Loop                                                   int
	Lag                                                    time.Duration
	Mailbox, Conns, Polling, WebSockets                    int
	ReceivedPackets, SentPackets, ReceivedBytes, SentBytes uint64
	Broadcasts, Connects, Disconnects                      uint64
}

// Counters are what the sockets of one loop count. Loop-owned.
type Counters struct {
	Broadcasts, Connects, Disconnects uint64
	// probed is the latest result of a probe. Stored by the loop, safe for concurrent use.
	probed atomic.Pointer[Stats]
	_      [32]byte // a cache line of its own
}

// probe asks the loops for their counters. Safe for concurrent use.
type probe struct {
	host     *host.Host
	counters []Counters
	begun    time.Time
	// answered gets the index of each loop that has run the probe; it has room for all of them.
	answered chan int
}

// Run copies the counters of a loop, on that loop.
func (p *probe) Run(loop int) {
	c := &p.counters[loop]
	s := &Stats{
		Loop: loop, Lag: time.Since(p.begun), Broadcasts: c.Broadcasts, Connects: c.Connects, Disconnects: c.Disconnects,
	}
	if _, engine := p.host.Running(); engine != nil {
		t := engine.Traffic(loop)
		s.ReceivedPackets, s.SentPackets = t.Received, t.Sent
		s.Polling, s.WebSockets = t.Sessions-t.WebSockets, t.WebSockets
	}
	c.probed.Store(s)
	p.answered <- loop
}

// Read returns the counters of each loop, in their order; nil before the host has started. It waits for busy loops
// until ctx ends, or not at all. A loop that has not answered in time has older numbers, and is behind by at least its
// Lag.
func Read(ctx context.Context, h *host.Host, counters []Counters, wait bool) []Stats {
	p, engine := h.Running()
	if engine == nil {
		return nil
	}
	ask := &probe{host: h, counters: counters, begun: time.Now(), answered: make(chan int, len(counters))}
	for i := range counters {
		h.Loop(i).Post(ask)
	}
	var intime map[int]bool
	if wait {
		intime = ask.await(ctx)
	}
	all := make([]Stats, len(counters))
	for i := range all {
		all[i] = Stats{Loop: i}
		if s := counters[i].probed.Load(); s != nil {
			all[i] = *s
		}
		if !intime[i] {
			all[i].Lag = max(time.Since(ask.begun), all[i].Lag)
		}
		if p == nil {
			continue
		}
		s := p.Loops()[i].Stats()
		all[i].Mailbox, all[i].Conns = int(s.MailboxWaiting), int(s.Conns)
		all[i].ReceivedBytes, all[i].SentBytes = uint64(s.BytesIn), uint64(s.BytesOut)
	}
	return all
}

// await waits for the loops, and returns those that have answered in time.
func (p *probe) await(ctx context.Context) map[int]bool {
	intime := map[int]bool{}
	for range p.counters {
		select {
		case loop := <-p.answered:
			intime[loop] = true
		case <-ctx.Done():
			return intime
		case <-p.host.Done():
			return intime
		}
	}
	return intime
}
