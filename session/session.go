package session

import (
	"log/slog"
	"sync/atomic"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/poller/wheel"
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
	defer s.EndOnPanic()
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

// receive handles one packet of the session's own transport.
func (s *Session) receive(p eio.Packet) {
	if !s.hears() {
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
