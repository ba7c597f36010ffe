package session

import "github.com/seed58c87869/siren/codec/eio"

// schedulePing waits for the time of the next ping.
func (s *Session) schedulePing() {
	s.awaitPong = false
	s.shard.loop.Wheel().Schedule(&s.timer, s.shard.loop.Now()+int64(s.shard.engine.cfg.PingInterval))
}

// pong is the only thing that refreshes the heartbeat: neither messages nor requests nor WebSocket pongs do
// (Engine.IO protocol 4, section "Heartbeat").
func (s *Session) pong() { s.schedulePing() }

// Expire is the session's one timer: a ping is due, its pong is overdue, or a closing session was not fetched.
func (s *Session) Expire(now int64) {
	switch {
	case s.state == stateClosing && s.poll != nil && s.poll.left:
		s.leave()
	case s.state == stateClosing:
		s.abort(ReasonForcedClose)
	case s.state != stateOpen: // its end is posted
	case s.awaitPong:
		s.abort(ReasonPingTimeout)
	default:
		s.awaitPong = true
		// The time-out counts from the moment the ping was due, so that a late tick does not add up.
		due := max(s.timer.When(), now-int64(s.shard.engine.cfg.PingTimeout)/2)
		s.shard.loop.Wheel().Schedule(&s.timer, due+int64(s.shard.engine.cfg.PingTimeout))
		s.sendControl(eio.PingFrame)
	}
}

// overdue reports whether the pong is late. The wheel may tell so up to one resolution later, and a request that comes
// in between must find the session gone.
func (s *Session) overdue() bool {
	return s.awaitPong && s.state == stateOpen && s.timer.When() <= s.shard.loop.Now()
}
