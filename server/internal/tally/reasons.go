package tally

import (
	"github.com/seed58c87869/siren/poller"
	"github.com/seed58c87869/siren/session"
)

// DroppedBy returns what was accepted and then dropped, by reason. shed counts events of clients that were ended for
// memory, joins the rooms that a socket was not put into.
func DroppedBy(s *session.Stats, shed, joins uint64) map[string]uint64 {
	return map[string]uint64{
		"events_per_second": s.OverEvents, "bytes_per_second": s.OverBytes,
		"queue_full": s.DroppedFull + s.SlowClosed, "volatile": s.DroppedVolatile,
		"memory": shed, "rooms_per_socket": joins,
	}
}

// RefusedBy returns the numbers of connections and sessions that were refused, by reason.
func RefusedBy(p *poller.Stats, s *session.Stats) map[string]uint64 {
	return map[string]uint64{
		"connections":             uint64(max(p.Rejected, 0)) + s.Busy + s.TurnedAway,
		"connections_per_address": s.OverAddress, "accepts_per_second": s.OverAccepts,
		"draining":    s.Draining,
		"descriptors": uint64(max(p.GateShut, 0)), // times: the kernel does not tell whom it dropped
	}
}
