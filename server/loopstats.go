package server

import (
	"context"
	"sync/atomic"
	"time"
)

// LoopStats has the counters of one event loop, since its start. Immutable.
type LoopStats struct {
	// Loop is its index.
	Loop int
	// Lag is the time from posting a task to running it: the time that the loop was busy with others. A loop that has not
	// run the task yet is behind by at least that much, and its other numbers are older.
	Lag time.Duration
	// Mailbox is the number of tasks that wait now, Conns that of its connections, Polling and WebSockets those of its
	// sessions by their transport.
	Mailbox, Conns, Polling, WebSockets int
	// ReceivedPackets and SentPackets count Engine.IO packets of sessions that began here, ReceivedBytes and SentBytes
	// what its connections read and wrote.
	ReceivedPackets, SentPackets, ReceivedBytes, SentBytes uint64
	// Broadcasts counts events to many sockets, each on one of the loops that delivered it. Connects and Disconnects count
	// sockets that were connected to their namespace, and that ended afterwards.
	Broadcasts, Connects, Disconnects uint64
}

// loopCounters are what the sockets of one loop count. Loop-owned: LoopStats asks the loop.
type loopCounters struct {
	broadcasts, connects, disconnects uint64
	// probed is the latest probe's result. Stored by the loop, safe for concurrent use.
	probed atomic.Pointer[LoopStats]
	_      [32]byte // a cache line of its own
}

// probe asks the loops for their counters. Safe for concurrent use.
type probe struct {
	srv   *Server
	begun time.Time
	// answered gets the index of each loop that has run the probe; it has room for all of them.
	answered chan int
}

// Run implements task.
func (p *probe) Run(loop int) {
	srv := p.srv
	c := &srv.counted[loop]
	s := &LoopStats{
		Loop: loop, Lag: time.Since(p.begun), Broadcasts: c.broadcasts, Connects: c.connects, Disconnects: c.disconnects,
	}
	if _, engine := srv.host.Running(); engine != nil {
		t := engine.Traffic(loop)
		s.ReceivedPackets, s.SentPackets = t.Received, t.Sent
		s.Polling, s.WebSockets = t.Sessions-t.WebSockets, t.WebSockets
	}
	c.probed.Store(s)
	p.answered <- loop
}

// LoopStats returns the counters of each event loop, in their order; nil before the server has started. Each loop runs
// a small task for it: wait no longer than ctx says for those that are busy. It needs no lock, and counting costs the
// loops no atomic operation. On an event loop it does not wait.
func (srv *Server) LoopStats(ctx context.Context) []LoopStats {
	p, engine := srv.host.Running()
	if engine == nil {
		return nil
	}
	all := make([]LoopStats, srv.nloops)
	ask := &probe{srv: srv, begun: time.Now(), answered: make(chan int, srv.nloops)}
	for i := range all {
		all[i].Lag = -1
		srv.host.Loop(i).Post(ask)
	}
	if !srv.onLoop() {
		ask.await(ctx, all)
	}
	for i := range all {
		late := all[i].Lag < 0
		all[i] = LoopStats{Loop: i}
		if s := srv.counted[i].probed.Load(); s != nil {
			all[i] = *s
		}
		if late {
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

// await waits for the loops; those that answer get a Lag that is not negative.
func (p *probe) await(ctx context.Context, all []LoopStats) {
	for range all {
		select {
		case loop := <-p.answered:
			all[loop].Lag = 0
		case <-ctx.Done():
			return
		case <-p.srv.host.Done():
			return
		}
	}
}
