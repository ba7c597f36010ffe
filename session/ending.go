package session

import (
	"log/slog"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/poller/wheel"
)

// state is a session's state on the way to its end. It only increases. This file has all changes of it:
//
//	state     Close                      abort    doom     the client's close packet  all is fetched      time is up
//	open      closed, or closing (poll)  closed   doomed   leaving (poll), closed                         closed
//	doomed    closed, or closing (poll)  closed            leaving (poll), closed
//	closing                              closed                                       closed              closed
//	leaving                              closed                                       closed (next GET)   closed
//	closed
//
// Close sends everything that is queued first. abort drops what a polling client has not fetched; frames queued on a
// WebSocket are still sent before its close frame. The Client is told of the end in open and doomed, once.
type state uint8

const (
	stateOpen state = iota
	// stateDoomed: the connection cannot take what is sent. abort is posted, after messages that were received before;
	// Send fails.
	stateDoomed
	// stateClosing: ended for the application; a polling client may still fetch its last packets.
	stateClosing
	// stateLeaving: ended for both sides; the response to the client's close packet waits for the GET sent before it.
	stateLeaving
	stateClosed
)

// leaveGrace is how long a client's close packet waits for the GET that the client sent before it, possibly on a
// connection of another loop. That GET must get a noop, not the error for an unknown session.
const leaveGrace = 20 * time.Millisecond

// hears reports whether messages are passed to the application.
func (s *Session) hears() bool { return s.state <= stateDoomed }

// Close ends the session after sending what is queued. The application's Client is told before Close returns, or, if
// App.Open has not returned yet, right after App.Open.
func (s *Session) Close(reason Reason) {
	if !s.hears() {
		return
	}
	c := s.finish(reason, stateClosing)
	if s.ws != nil {
		s.release(nil)
	} else {
		if s.upgrade() != nil && !s.upgrade().probed {
			s.dropUpgrade() // after the probe the client has paused its polling, and gets the rest on the WebSocket
		}
		// A client that is there asks again at once; one that is gone would not be missed later than by its heartbeat.
		t := s.tuning()
		s.expireIn(min(s.shard.engine.cfg.CloseTimeout, patience(t.PingInterval, t.PingTimeout)))
		s.servePoll()
	}
	tell(c, reason)
}

// abort ends the session at once: the transport failed, or its client violated the protocol.
func (s *Session) abort(reason Reason) {
	if s.state == stateClosed {
		return
	}
	var c Client
	if s.hears() {
		c = s.finish(reason, stateClosed)
	} else if s.state == stateClosing {
		s.countUnfetched()
	}
	s.release(eio.CloseFrame)
	tell(c, reason)
}

// countUnfetched counts the packets of a closing session that its client has not fetched in time.
func (s *Session) countUnfetched() {
	if n := s.unfetched(); n > 0 {
		s.shard.stats.unfetched.Add(1)
		s.shard.stats.unfetchedPackets.Add(uint64(n))
	}
}

// doom ends the session later: the caller may be iterating over members, which the end changes, and messages that the
// client sent before may be posted already.
func (s *Session) doom(reason Reason) {
	if s.state == stateDoomed {
		return
	}
	s.state = max(s.state, stateDoomed)
	s.post(func() { s.abort(reason) })
}

// leave handles a close packet that came by the POST a. The session ends for the application at once.
func (s *Session) leave(a requestRef) {
	c := s.finish(ReasonTransportClose, stateLeaving)
	p := s.poll
	s.dropQueue()
	p.post = a
	s.dropUpgrade()
	if p.get.x != nil {
		s.left()
	} else {
		s.expireIn(leaveGrace)
	}
	tell(c, ReasonTransportClose)
}

// left ends the session of a client that sent a close packet. The client's GET gets a noop, because a client that left
// needs no close packet.
func (s *Session) left() {
	post := s.poll.post
	s.poll.post = requestRef{}
	if post.x != nil {
		s.accept(post)
	}
	s.release(eio.NoopFrame)
}

// finish ends the session for the application. It returns the Client to tell, if any. The caller must tell it when the
// session is in a consistent state, because it may call back.
func (s *Session) finish(reason Reason, next state) Client {
	if reason >= ReasonCount {
		reason = ReasonForcedClose
	}
	s.state, s.reason = next, reason
	s.kind.Or(kindOver)
	if s.shard.engine.debug.Load() {
		s.debugLog("closed", slog.String("reason", reason.String()))
	}
	s.warnSlow(reason)
	s.shard.loop.Wheel().Cancel(&s.timer)
	s.shard.stats.closed[reason.Plain()].Add(1)
	c := s.client
	s.client = nil
	return c
}

// release ends the session for its client: it releases the id, the timer, an upgrade in progress, and the transport. A
// polling client's waiting GET gets farewell.
func (s *Session) release(farewell *eio.Frame) {
	s.state = stateClosed
	s.shard.loop.Wheel().Cancel(&s.timer)
	s.shard.forget(s)
	s.dropUpgrade()
	if s.ws != nil {
		s.ws.close(wsCloseNormal)
	} else {
		s.endPolls(farewell)
	}
}

// expireIn sets the session's timer.
func (s *Session) expireIn(d time.Duration) {
	s.shard.loop.Wheel().Schedule(&s.timer, wheel.Deadline(s.shard.loop.Now(), d))
}

// tell tells the Client that the session has ended; a nil Client is ignored.
func tell(c Client, reason Reason) {
	if c != nil {
		c.Closed(reason.Plain())
	}
}
