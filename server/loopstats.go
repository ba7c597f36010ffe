package server

import (
	"context"
	"time"

	"github.com/seed58c87869/siren/server/internal/gauge"
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

// LoopStats returns the counters of each event loop, in their order; nil before the server has started. Each loop runs
// a small task for it: wait no longer than ctx says for those that are busy. It needs no lock, and counting costs the
// loops no atomic operation. On an event loop it does not wait.
func (srv *Server) LoopStats(ctx context.Context) (all []LoopStats) {
	for _, s := range gauge.Read(ctx, srv.host, srv.counted, !srv.onLoop()) {
		all = append(all, LoopStats(s))
	}
	return all
}
