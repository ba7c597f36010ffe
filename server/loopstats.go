package server

import (
	"context"

	"github.com/seed58c87869/siren/server/internal/tally"
)

// LoopStats has the counters of one event loop, since its start. Immutable. Its fields:
//
//   - Loop int: its index
//   - Lag time.Duration: from posting a task to running it: the time that the loop was busy with others. A loop that
//     has not run the task yet is behind by at least that much, and its other numbers are older
//   - Mailbox, Conns int: tasks that wait now, and connections
//   - Polling, WebSockets int: sessions by their transport
//   - QueueBytes int: what waits now for its clients
//   - ReceivedPackets, SentPackets uint64: Engine.IO packets of sessions that began here
//   - ReceivedBytes, SentBytes uint64: what its connections read and wrote
//   - Broadcasts uint64: events to many sockets, each on one of the loops that delivered it
//   - Connects, Disconnects uint64: sockets that were connected to their namespace, and that ended afterwards
//   - Ended session.ReasonCounts: the latter by reason, those that are only counted too
//   - AckTimeouts uint64: acknowledgements that did not come in time
//   - Recipients Histogram: for how many sockets of this node broadcasts were, as Emit returns it
//   - Lags Histogram: the lags in seconds that WatchLag has measured
type LoopStats = tally.LoopStats

// Histogram is a distribution. Immutable. Its members:
//
//   - Bounds []float64: the upper bounds of its buckets, inclusive, ascending; the last bucket has none
//   - Counts []uint64: the number of observations in each bucket
//   - Sum float64: the sum of all observations
//   - Count() uint64: their number
type Histogram = tally.Histogram

// LoopStats returns the counters of each event loop, in their order; nil before the server has started. Each loop runs
// a small task for it: wait no longer than ctx says for those that are busy. It needs no lock, and counting costs the
// loops no atomic operation. On an event loop it does not wait.
func (srv *Server) LoopStats(ctx context.Context) []LoopStats {
	return srv.tally.Read(ctx, srv.host, !srv.onLoop())
}

// WatchLag measures ten times a second how far each event loop is behind, until ctx or the server ends; LoopStats.Lags
// counts it. A loop that stands still for a second has ten lags of up to a second, and so have all loops when the whole
// process does. late, if it is not nil, is called with each lag, on the loop: it must not block. The server must have
// started.
func (srv *Server) WatchLag(ctx context.Context, late tally.Late) {
	srv.tally.Watch(ctx, srv.host, late)
}

// NamespaceStats has the counters of a namespace, or of several, since the start. Immutable. Its fields:
//
//   - Name string: of the namespace. DynamicNamespaces stands for all those that clients have named, UnknownNamespaces
//     for those that do not exist
//   - Sockets, Rooms int: how many there are on this node now
//   - SpaceStats: Broadcasts counts events to many sockets; Connected sockets that were connected; Refused clients that
//     the server refused by itself, because there is no such namespace or a limit was reached; Denied those that a
//     middleware or a connect handler refused; Failed those for whom one failed; Handlers has the times that handlers
//     of events took, in seconds, of one event in 32
type NamespaceStats = tally.NamespaceStats

// The names of namespaces that are counted together. No namespace has such a name.
const DynamicNamespaces, UnknownNamespaces = tally.DynamicName, tally.UnknownName

// NamespaceStats returns the counters of the namespaces, in no order. Safe for concurrent use.
func (srv *Server) NamespaceStats() []NamespaceStats {
	all := srv.tally.Namespaces()
	for _, ns := range srv.namespaces() {
		all = all.Add(ns.name, ns.tally, ns.SocketCount(), ns.RoomTotal())
	}
	return all
}
