package server

import (
	"sync/atomic"

	"github.com/seed58c87869/siren/poller"
	"github.com/seed58c87869/siren/server/internal/history"
	"github.com/seed58c87869/siren/server/internal/tally"
	"github.com/seed58c87869/siren/session"
)

// counters are those of events that are rare.
type counters struct {
	recovery                                                                                    history.Stats
	panics, failures, unhandled, inboxFull, unknownAcks, queueFull, late, early, namespacesFull atomic.Uint64
	shed, unheard, joinsRefused, clusterFailures, clusterDrops                                  atomic.Uint64
}

// Stats has the counters of a server since its start.
type Stats struct {
	// Poller counts connections, writes and bytes, on loops of the server's own; Sessions the Engine.IO layer.
	Poller   poller.Stats
	Sessions session.Stats
	// Panics and Failures count handlers that panicked or returned an error.
	Panics, Failures uint64
	// Unhandled counts events without a handler, InboxFull clients that were disconnected because their events arrived
	// faster than they were handled, UnknownAcks acknowledgements that nobody waited for.
	Unhandled, InboxFull, UnknownAcks uint64
	// QueueFull counts posts that a loop refused (ErrQueueFull). LateEmits counts packets for sockets that had ended
	// when their loop reached them, EarlyDrops packets that were dropped before CONNECT, because they were volatile or
	// exceeded the queue. Packets that the sessions dropped are in Sessions.
	QueueFull, LateEmits, EarlyDrops uint64
	// DynamicNamespaces is the present number of children of parent namespaces. NamespacesRefused counts connects that
	// were refused because there was no room for another one.
	DynamicNamespaces int
	NamespacesRefused uint64
	// MemoryHeld is the number of bytes that clients hold now, in the measure of Config.MemoryBudget; MemoryBudget is
	// its value, 0 without a bound. Evicted counts clients that were ended because all together held more, EventsShed
	// their events that had not reached a handler.
	MemoryHeld, MemoryBudget int64
	Evicted, EventsShed      uint64
	// Unheard counts calls of OnAnyOutgoing listeners for broadcasts that were left out because the socket's inbox was
	// full. JoinsRefused counts rooms that a socket did not join because it was at a limit, by Join or SocketsJoin.
	Unheard, JoinsRefused uint64
	// ClusterFailures counts failures of the adapter (ErrCluster), ClusterDrops messages of other nodes that this one
	// could not follow because they were invalid, or its loops were behind for too long.
	ClusterFailures, ClusterDrops uint64
	// Recovered counts clients that came back (Config.Recovery), NotRecovered those that tried and became new ones:
	// absent for too long, unknown, or with more missed events than are stored. RecoveryDropped counts events that were
	// dropped early because of Recovery.MaxPackets or MaxBytes.
	Recovered, NotRecovered, RecoveryDropped uint64
	// LogsDropped counts log records that were left out because Config.LogQueue others were waiting, LogsThrottled
	// those after Config.LogBurst of their kind, LogsFailed those that the handler did not write. Servers that share a
	// *logqueue.Handler count together.
	LogsDropped, LogsThrottled, LogsFailed uint64
	// Handlers is the number of goroutines that run handlers now. Waiting is the number of these that wait in Request
	// or Call for their client; only a server of package servertest counts it.
	Handlers, Waiting int
	// Bridged is the present number of WebSockets of a program's own HTTP server that no event loop watches, see
	// Server.Handler; Poller counts all others.
	Bridged int
}

// Stats returns the counters. Safe for concurrent use.
func (srv *Server) Stats() Stats {
	waiting := srv.waits.Parked() // before Handlers: when the two are equal, no handler is at work
	s := Stats{
		Waiting: waiting,
		Panics:  srv.stats.panics.Load(), Failures: srv.stats.failures.Load(), Unhandled: srv.stats.unhandled.Load(),
		InboxFull: srv.stats.inboxFull.Load(), UnknownAcks: srv.stats.unknownAcks.Load(),
		QueueFull: srv.stats.queueFull.Load(), LateEmits: srv.stats.late.Load(), EarlyDrops: srv.stats.early.Load(), Handlers: int(srv.jobs.Load()),
		Unheard: srv.stats.unheard.Load(), JoinsRefused: srv.stats.joinsRefused.Load(),
		ClusterFailures: srv.stats.clusterFailures.Load(), ClusterDrops: srv.stats.clusterDrops.Load(),
	}
	r := &srv.stats.recovery
	s.Recovered, s.NotRecovered, s.RecoveryDropped = r.Recovered.Load(), r.Refused.Load(), r.Dropped.Load()
	s.DynamicNamespaces, s.NamespacesRefused = srv.dynamic.len(), srv.stats.namespacesFull.Load()
	logs := srv.logs.Stats()
	s.LogsDropped, s.LogsThrottled, s.LogsFailed = logs.Dropped, logs.Throttled, logs.Failed
	h := srv.host.Stats()
	s.Poller, s.Sessions, s.Bridged = h.Poller, h.Sessions, h.Bridged
	s.MemoryHeld, s.MemoryBudget, s.Evicted = h.MemoryHeld, h.MemoryBudget, h.Evicted
	s.EventsShed = srv.stats.shed.Load()
	return s
}

// DroppedBy returns the numbers of things that were accepted and then dropped, by reason.
func (s *Stats) DroppedBy() map[string]uint64 {
	return tally.DroppedBy(&s.Sessions, s.EventsShed, s.JoinsRefused)
}

// RefusedBy returns the numbers of connections and sessions that were refused, by reason.
func (s *Stats) RefusedBy() map[string]uint64 { return tally.RefusedBy(&s.Poller, &s.Sessions) }
