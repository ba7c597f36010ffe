package session

import (
	"log/slog"
	"sync/atomic"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/poller/wheel"
)

type state uint8

const (
	stateOpen state = iota
	// stateDoomed: a queue was full; the end is posted, and neither sends nor receives count any more.
	stateDoomed
	// stateClosing: over for the application; a polling client still has its last packets to fetch.
	stateClosing
	stateClosed
)

// Session is one Engine.IO connection, whatever carries it. Loop-owned by its home shard, but for SID, Handshake and
// Shard, which are immutable.
type Session struct {
	shard *Shard
	sid   string
	first firstRequest
	// client is nil before App.Open has returned, and from the end on.
	client Client
	// ws is the transport when it is a WebSocket, poll the state of the polling transport; one of them is nil.
	ws   *wsConn
	poll *pollState
	// upgrade is set while a WebSocket probes.
	upgrade *upgrade
	// timer is the only one: for the next ping, its pong, or the end of a closing session.
	timer wheel.Timer
	// tuned are settings of its own; nil for most. Safe for concurrent use.
	tuned     atomic.Pointer[tuning]
	kind      atomic.Uint32 // a Transport, kind3 in protocol 3, kindOver at the end; written by the home loop
	state     state
	reason    Reason // of the end
	awaitPong bool
	dialect   dialect
}

// SID is the session's id, a secret of the client and the server.
func (s *Session) SID() string { return s.sid }

// Handshake is the session's first request.
func (s *Session) Handshake() *Handshake {
	return s.first.handshake(s.shard.engine.cfg.TrustedProxies)
}

// Shard is the session's home.
func (s *Session) Shard() *Shard { return s.shard }

// Transport is the transport in use now. Safe for concurrent use.
func (s *Session) Transport() Transport { return Transport(s.kind.Load() & kindTransport) }

// What Session.kind, which anybody may read, tells besides the transport.
const (
	kindTransport = 1<<8 - 1
	// kind3 marks protocol 3.
	kind3 = 1 << 8
	// kindOver marks a session that is over for the application.
	kindOver = 1 << 9
	// kindDeflate marks that the transport in use is a WebSocket that compresses.
	kindDeflate = 1 << 10
)

// setTransport notes the transport in use.
func (s *Session) setTransport(t Transport) {
	kind := uint32(t) | s.kind.Load()&kindOver
	if s.dialect.is(revision3) {
		kind |= kind3
	}
	s.kind.Store(kind)
}

// Open reports whether the session is not over yet. Safe for concurrent use.
func (s *Session) Open() bool { return s.kind.Load()&kindOver == 0 }

// begin lets the application know the session. It may end it at once, or panic; then no session stays behind.
func (s *Session) begin() {
	defer s.endOnPanic()
	if s.shard.engine.debug {
		s.debugLog("open", slog.Int("protocol", s.Protocol()))
	}
	c := s.shard.engine.app.Open(s)
	if s.state >= stateClosing {
		c.Closed(s.reason)
		return
	}
	s.client = c
}

// endOnPanic, deferred, ends the session under a panic of the application, which goes on to the loop's own recover.
func (s *Session) endOnPanic() {
	if v := recover(); v != nil {
		if s != nil {
			s.abort(ReasonTransportError)
		}
		panic(v)
	}
}

// Close ends the session after what is queued for it. The application's Client is told before it returns, unless
// App.Open has not returned yet; then right after.
func (s *Session) Close(reason Reason) {
	if s.state >= stateClosing {
		return
	}
	c := s.finish(reason)
	if s.ws != nil {
		s.shard.forget(s)
		s.state = stateClosed
		s.ws.closeGracefully(wsCloseNormal)
	} else {
		if s.upgrade != nil && !s.upgrade.probed {
			s.dropUpgrade() // after the probe the client has paused its polling, and gets the rest on the WebSocket
		}
		// A client that is there asks again at once; one that is gone would not be missed later than by its heartbeat.
		t := s.tuning()
		wait := min(s.shard.engine.cfg.CloseTimeout, patience(t.PingInterval, t.PingTimeout))
		s.shard.loop.Wheel().Schedule(&s.timer, wheel.Deadline(s.shard.loop.Now(), wait))
		s.servePoll()
	}
	if c != nil {
		c.Closed(reason)
	}
}

// abort ends the session at once: the transport failed, or its client broke a rule.
func (s *Session) abort(reason Reason) {
	if s.state == stateClosed {
		return
	}
	var c Client
	if s.state < stateClosing {
		c = s.finish(reason)
	}
	s.shard.loop.Wheel().Cancel(&s.timer)
	s.state = stateClosed
	s.shard.forget(s)
	s.dropUpgrade()
	if s.ws != nil {
		s.ws.closeGracefully(wsCloseNormal)
	} else {
		s.endPolls(eio.CloseFrame)
	}
	if c != nil {
		c.Closed(reason)
	}
}

// finish is the end of the session for the application. The Client returned, if any, is to be told when the session
// is in order: it may call back.
func (s *Session) finish(reason Reason) Client {
	if reason >= ReasonCount {
		reason = ReasonForcedClose
	}
	s.state, s.reason = stateClosing, reason
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

// receive handles one packet of the session's own transport.
func (s *Session) receive(p eio.Packet) {
	if s.state != stateOpen {
		return
	}
	if s.shard.engine.debug {
		s.debugReceived(&p)
	}
	switch p.Type {
	case eio.Message:
		if !s.shard.deaf {
			s.client.Message(p.Data, p.Binary)
		}
	case eio.Pong, eio.Ping:
		s.heartbeat(p)
	case eio.Close:
		s.abort(ReasonTransportClose)
	default:
		// Open, upgrade and noop mean nothing here and do no harm.
	}
}
