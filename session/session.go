package session

import (
	"log/slog"
	"sync/atomic"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/poller/wheel"
)

// Session is one Engine.IO session, on any transport. It is loop-owned by its home shard, except for methods documented
// as safe for concurrent use, and SID, Handshake and Shard, which are immutable.
type Session struct {
	shard *Shard
	sid   string
	first firstRequest
	// client is nil until App.Open has returned, and after the end.
	client Client
	// ws is the transport when it is a WebSocket, poll the state of the polling transport; one of them is nil.
	ws   *wsConn
	poll *pollState
	// timer is the session's only timer: for the next ping, its pong, or the end of a closing session.
	timer wheel.Timer
	// limited has the state of Limits; nil without limits.
	limited *limited
	// tuned has the session's own settings; nil for most. Safe for concurrent use.
	tuned     atomic.Pointer[tuning]
	kind      atomic.Uint32 // a Transport, kind3 in protocol 3, kindOver at the end; written by the home loop
	state     state
	reason    Reason // of the end
	awaitPong bool
	dialect   dialect
}

// SID returns the session's id, a secret between the client and the server.
func (s *Session) SID() string { return s.sid }

// Handshake returns the session's first request.
func (s *Session) Handshake() *Handshake {
	return s.first.handshake(s.shard.engine.cfg.TrustedProxies)
}

// Shard returns the session's home shard.
func (s *Session) Shard() *Shard { return s.shard }

// Transport returns the current transport. Safe for concurrent use.
func (s *Session) Transport() Transport { return Transport(s.kind.Load() & kindTransport) }

// Bits of Session.kind besides the transport. Any goroutine may read it.
const (
	kindTransport = 1<<8 - 1
	// kind3 marks protocol 3.
	kind3 = 1 << 8
	// kindOver marks a session that has ended for the application.
	kindOver = 1 << 9
	// kindDeflate marks a session whose current transport is a WebSocket with compression.
	kindDeflate = 1 << 10
	// kindQuiet marks a session whose turn in a drain has come.
	kindQuiet = 1 << 11
)

// setTransport sets the current transport. It is never called for a session that is on a WebSocket already.
func (s *Session) setTransport(t Transport) {
	if t == WebSocket {
		s.shard.traffic.WebSockets++
	}
	kind := uint32(t) | s.kind.Load()&(kindOver|kindQuiet)
	if s.dialect.is(revision3) {
		kind |= kind3
	}
	s.kind.Store(kind)
}

// Open reports whether the session has not ended yet. Safe for concurrent use.
func (s *Session) Open() bool { return s.kind.Load()&kindOver == 0 }

// Quiet reports whether the session is about to end, see Engine.Drain: its Client should begin nothing new. Safe for
// concurrent use.
func (s *Session) Quiet() bool { return s.kind.Load()&kindQuiet != 0 }

// Reason returns why the session has ended; 0 while it is open. It may be one that the Client is told in plainer words.
// Loop-only.
func (s *Session) Reason() Reason { return s.reason }

// begin passes the session to the application, which may end it at once, or panic; no session stays behind then.
func (s *Session) begin() {
	defer s.EndOnPanic()
	if s.shard.engine.debug.Load() {
		s.debugLog("open", slog.Int("protocol", s.Protocol()))
	}
	c := s.shard.engine.app.Open(s)
	if s.state >= stateClosing {
		c.Closed(s.reason.Plain())
		return
	}
	s.client = c
}

// receive handles one packet from the session's current transport.
func (s *Session) receive(p eio.Packet) {
	if !s.hears() {
		return
	}
	s.shard.traffic.Received++
	if s.shard.engine.debug.Load() {
		s.debugReceived(&p)
	}
	if r := s.shard.engine.limits.rates.Load(); r != nil {
		s.receiveLimited(&p, r)
		return
	}
	s.handle(&p)
}

// handle handles one packet that is within Limits.
func (s *Session) handle(p *eio.Packet) {
	switch p.Type {
	case eio.Message:
		if !s.shard.deaf {
			s.client.Message(p.Data, p.Binary)
		}
	case eio.Pong, eio.Ping:
		s.heartbeat(*p)
	case eio.Close:
		s.abort(ReasonTransportClose)
	default:
		// Open, upgrade and noop packets have no meaning here and are ignored.
	}
}
