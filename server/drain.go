package server

import (
	"context"

	"github.com/seed58c87869/siren/server/internal/collect"
	"github.com/seed58c87869/siren/server/internal/host"
)

// DrainPlan says how Drain ends the server. Immutable. The zero value is usable. Its fields:
//
//   - Grace time.Duration: how long new clients are still let in, so that load balancers see Draining; default 0
//   - Timeout time.Duration: bounds all that follows Grace, and what is left then is closed; default 30 s
//   - Spread time.Duration: the time over which clients are ended, at most Timeout, so that they do not all come to the
//     next server at once; default 0
//   - Admit bool: lets new clients in, and ends them like the others: for a server that does not listen any more, see
//     TakeOver
type DrainPlan = host.Plan

// DrainReport says what came of Drain. Immutable. Its fields and methods:
//
//   - Ended int: the clients that were ended
//   - Late int: those of Ended that were still open at Timeout, because a handler ran or an answer was awaited
//   - Connections int: connections that were cut while their clients had not taken all their data
//   - Sessions int: polling clients that had not fetched their last packets
//   - Handlers int: handlers that still ran
//   - Packets int: packets that were queued for clients and not written: an event and each of its attachments; an
//     answer to a polling client counts as one
//   - Lost() bool: whether any of these but Ended is not zero
type DrainReport = host.Report

// Drain ends the server gently, for a restart or a deploy:
//
//   - Draining reports true from now on, for the program's readiness check. Everything goes on for plan.Grace.
//   - New clients are refused: handshakes of both transports get 503 with "Connection: close".
//   - Clients are ended one after the other, evenly over plan.Spread and in random order: idle ones first. Events of a
//     client are not accepted any more when its turn has come; its handlers continue, and acknowledgements that it owes
//     are waited for. When nothing is under way and all that is queued for it is sent, its connection is closed,
//     without a packet of Socket.IO, so that it reconnects. The reason in disconnect handlers is ReasonDraining.
//   - When all clients have ended, the server closes, as by Close.
//
// plan.Timeout, from the end of plan.Grace on, bounds the waiting. When it has passed, or when ctx ends, all that is
// left is closed within about a second. The report says what was lost or cut short; a client that ends by itself loses
// nothing. The error is that of Close: if something was left, it is or wraps a *CloseError.
//
// A Close during Drain ends the rest at once, as Close does. Drain during Close, or during another Drain, waits for
// that one and returns its result; its plan is ignored, but the end of its ctx has the effect described. Every call
// returns when the server is closed. An invalid plan is an error, and nothing is done. Safe for concurrent use; a
// handler that calls it is waited for, like any other, so call it on another goroutine.
func (srv *Server) Drain(ctx context.Context, plan DrainPlan) (DrainReport, error) {
	return srv.host.Drain(ctx, plan, srv.ending(), closeError)
}

// Draining reports whether Drain or Close has begun: load balancers should send no more clients. Safe for concurrent
// use.
func (srv *Server) Draining() bool { return srv.host.Draining() }

// Settled implements session.Settler.
func (c *client) Settled() bool {
	if c.joins != nil && c.joins.asking != nil {
		return false
	}
	for s := range c.sockets.All {
		if s.phase < phaseConnected || !s.inbox.Idle() || s.owes() ||
			c.sess.Quiet() && !collect.Passed(&s.marks, markAsked, markReturned, s.ns.behind) {
			return false
		}
	}
	return true
}

// owes reports whether an acknowledgement of the client is awaited.
func (s *Socket) owes() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.debts.Empty()
}
