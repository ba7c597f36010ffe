package session

import (
	"log/slog"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/poller/wheel"
)

// state is where a session is on its way to its end. It only goes up. This file has every change of it:
//
//	state     Close                      abort    doom     the client's close packet  all is fetched      time is up
//	open      closed, or closing (poll)  closed   doomed   leaving (poll), closed                         closed
//	doomed    closed, or closing (poll)  closed            leaving (poll), closed
//	closing                              closed                                       closed              closed
//	leaving                              closed                                       closed (next GET)   closed
//	closed
//
// Close lets everything that is queued out first. abort gives up what a polling client has not fetched; what is queued on a
// WebSocket leaves in front of its close frame all the same. The Client hears of the end in open and doomed, once.
type state uint8

const (
	stateOpen state = iota
	// stateDoomed: the connection cannot take what is sent. abort is posted, behind messages that were received before;
	// Send fails.
	stateDoomed
	// stateClosing: over for the application; a polling client still has its last packets to fetch.
	stateClosing
	// stateLeaving: over for both; the answer to the client's close packet waits for the GET that was sent before it.
	stateLeaving
	stateClosed
)

// leaveGrace is how long a client's close packet waits for the GET that the client sent before it, on a connection of
// another loop perhaps: that GET is to be told noop, not that there is no such session.
const leaveGrace = 20 * time.Millisecond

// hears reports whether messages reach the application.
func (s *Session) hears() bool { return s.state <= stateDoomed }

// Close ends the session behind what is queued for it. The application's Client is told before Close returns, unless
// App.Open has not returned yet; then right after.
func (s *Session) Close(reason Reason) {
	if !s.hears() {
		return
	}
	c := s.finish(reason, stateClosing)
	if s.ws != nil {
		s.release(nil)
	} else {
		if s.upgrade != nil && !s.upgrade.probed {
			s.dropUpgrade() // after the probe the client has paused its polling, and gets the rest on the WebSocket
		}
		// A client that is there asks again at once; one that is gone would not be missed later than by its heartbeat.
		t := s.tuning()
		s.expireIn(min(s.shard.engine.cfg.CloseTimeout, patience(t.PingInterval, t.PingTimeout)))
		s.servePoll()
	}
	tell(c, reason)
}

// abort ends the session at once: the transport failed, or its client broke a rule.
func (s *Session) abort(reason Reason) {
	if s.state == stateClosed {
		return
	}
	var c Client
	if s.hears() {
		c = s.finish(reason, stateClosed)
	}
	s.release(eio.CloseFrame)
	tell(c, reason)
}

// doom ends the session, but not now: the caller may be walking over members, which the end changes, and messages that its
// client has sent before may be posted already.
func (s *Session) doom(reason Reason) {
	if s.state == stateDoomed {
		return
	}
	s.state = max(s.state, stateDoomed)
	s.post(func() { s.abort(reason) })
}

// leave handles a close packet that came by the POST a: the session is over for the application at once.
func (s *Session) leave(a asker) {
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

// left ends the session of a client that sent a close packet. A client that left by itself need not be told so: its
// GET gets a noop.
func (s *Session) left() {
	post := s.poll.post
	s.poll.post = asker{}
	if post.x != nil {
		s.accept(post)
	}
	s.release(eio.NoopFrame)
}

// finish is the end of the session for the application. The Client returned, if any, is to be told when the session
// is in order: it may call back.
func (s *Session) finish(reason Reason, next state) Client {
	if reason >= ReasonCount {
		reason = ReasonForcedClose
	}
	s.state, s.reason = next, reason
	s.kind.Or(kindOver)
	if s.shard.engine.debug {
		s.debugLog("closed", slog.String("reason", reason.String()))
	}
	s.shard.loop.Wheel().Cancel(&s.timer)
	s.shard.stats.closed[reason].Add(1)
	c := s.client
	s.client = nil
	return c
}

// release is the end of the session for its client: it gives up the id, the timer, an upgrade under way, and the transport.
// A polling client's waiting GET gets farewell.
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

// tell tells the application, if it is to be told.
func tell(c Client, reason Reason) {
	if c != nil {
		c.Closed(reason)
	}
}
