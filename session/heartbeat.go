package session

import (
	"math"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/poller/wheel"
)

// announceMax is the greatest sum of PingInterval and PingTimeout that a client may be told. JavaScript clients pass
// the sum to setTimeout, which takes a signed 32-bit number of milliseconds and fires at once beyond it.
const announceMax = math.MaxInt32 * time.Millisecond

// announce returns the heartbeat values for the open packet. Their sum is at most announceMax: each of the two is
// reduced to what the other one leaves, and to half of announceMax if both are too long.
func announce(interval, timeout time.Duration) (announcedInterval, announcedTimeout time.Duration) {
	timeout = min(timeout, announceMax-min(interval, announceMax/2))
	return min(interval, announceMax-timeout), timeout
}

// patience returns interval+timeout, or the longest Duration if the sum overflows.
func patience(interval, timeout time.Duration) time.Duration {
	return time.Duration(wheel.Deadline(int64(interval), timeout))
}

// schedulePing sets the timer for the next ping. In protocol 3 it sets the time at which the client's ping is overdue.
func (s *Session) schedulePing() {
	t := s.tuning()
	wait := t.PingInterval
	if s.awaitPong = s.dialect.is(revision3); s.awaitPong {
		wait = patience(t.announced, t.PingTimeout) // the client pings as it was told
	}
	s.shard.loop.Wheel().Schedule(&s.timer, wheel.Deadline(s.shard.loop.Now(), wait))
}

// heartbeat handles a ping or a pong. Only the packet that the client owes refreshes the heartbeat; messages, requests
// and WebSocket pongs do not (Engine.IO protocol 4, section "Heartbeat").
func (s *Session) heartbeat(p eio.Packet) {
	switch three := s.dialect.is(revision3); {
	case three != (p.Type == eio.Ping):
		// Only the server pings in protocol 4, only the client in protocol 3.
		s.abort(ReasonTransportError)
	case three:
		s.schedulePing()
		s.answerPing(p.Data)
	default:
		s.schedulePing()
	}
}

// answerPing sends the pong of protocol 3, with the data of the ping. The limit of the queue applies, because a client
// may ping without reading.
func (s *Session) answerPing(data []byte) {
	f := eio.PongFrame
	if len(data) > 0 {
		f = eio.NewText(eio.AppendPacket(nil, eio.Pong, data))
	}
	s.Send(f, false)
}

// timeUp is a Session as the wheel.Expirer of its timer.
type timeUp Session

// Expire implements wheel.Expirer: a ping is due, the pong (in protocol 3, the ping) is overdue, or the last packets of
// a closing session were not fetched.
func (t *timeUp) Expire(now int64) {
	s := (*Session)(t)
	defer s.EndOnPanic()
	switch {
	case s.state == stateLeaving:
		s.left()
	case s.state == stateClosing:
		s.abort(ReasonForcedClose)
	case s.state != stateOpen: // its end is posted
	case s.awaitPong:
		s.abort(ReasonPingTimeout)
	default:
		s.awaitPong = true
		// The timeout counts from the moment the ping was due, so that late ticks do not add up.
		timeout := s.tuning().PingTimeout
		due := max(s.timer.When(), now-int64(timeout/2))
		s.shard.loop.Wheel().Schedule(&s.timer, wheel.Deadline(due, timeout))
		s.sendControl(eio.PingFrame)
	}
}

// overdue reports whether the pong is late. The wheel may report it up to one resolution later, and a request that
// arrives in between must find the session ended.
func (s *Session) overdue() bool {
	return s.awaitPong && s.state == stateOpen && s.timer.When() <= s.shard.loop.Now()
}
