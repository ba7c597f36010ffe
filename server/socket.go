package server

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"

	"github.com/seed58c87869/siren/room"
	"github.com/seed58c87869/siren/server/internal/collect"
	"github.com/seed58c87869/siren/server/internal/early"
	"github.com/seed58c87869/siren/server/internal/packets"
	"github.com/seed58c87869/siren/server/internal/socketctx"
	"github.com/seed58c87869/siren/session"
)

// Socket is one client in one namespace. Safe for concurrent use, except for fields marked otherwise.
type Socket struct {
	ns     *Namespace
	client *client
	id     string
	auth   string // the payload of CONNECT, or the query of protocol 3, as JSON. Changed on the loop, with mu held
	ctx    socketctx.Context
	inbox  session.Inbox
	// closed is what anybody may ask of the phase.
	closed atomic.Bool
	// due is the place in the loop's deadlines, from 1; 0 without a deadline. Loop-owned.
	due int32

	// Loop-owned.
	member  room.Member
	pending *early.Packets // nil unless something was sent before CONNECT
	phase   phase
	heard   bool // the client has sent a packet to the socket, so it knows that it is connected
	// passed reports whether all connect handlers passed. Owned by the inbox's goroutine.
	passed bool
	// announced means that the connect handlers were called, or that there are none. Guarded by mu.
	announced bool
	// marks are marks of the socket's life, each set once. Safe for concurrent use.
	marks atomic.Uint32

	mu sync.Mutex // guards what follows, and the order of what is posted about it
	// rooms show what rooms the socket is in, and was in at its end. It guards the rooms of member, too.
	rooms room.View
	debts collect.Debts[Socket]
	// extra is nil while there is nothing of it. Stored with the mutex held.
	extra atomic.Pointer[extra]
}

// The marks of a socket's life.
const (
	// markLeaves and markCloses: the departure of that kind was posted.
	markLeaves = 1 << iota
	markCloses
	// markConnected: CONNECT was sent, as anybody may ask.
	markConnected
	// markAsked: a drain waits for what the log has to return. markReturned: it has.
	markAsked
	markReturned
)

// ID returns the socket's id. Other clients may know it, unless Protocol is 3: see Config.AllowEIO3.
func (s *Socket) ID() string { return s.id }

// Namespace returns the socket's namespace.
func (s *Socket) Namespace() *Namespace { return s.ns }

// Server returns the socket's server.
func (s *Socket) Server() *Server { return s.ns.srv }

// Context returns a context that ends with the socket; its context.Cause is the Reason. Handlers get it as their first
// argument.
func (s *Socket) Context() context.Context { return &s.ctx }

// Handshake returns the session's first request with the auth payload of the socket's CONNECT packet. In protocol 3 the
// auth payload is the query after the namespace, an object of strings.
func (s *Socket) Handshake() Handshake {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Handshake{RequestInfo: s.client.sess.Handshake(), auth: s.auth, lib: s.ns.srv.enc.Library()}
}

// Handshake is the request and the auth payload with which a client connected. Immutable.
type Handshake struct {
	*RequestInfo
	auth string
	lib  packets.Library // nil for the built-in library
}

// RawAuth returns a copy of the auth payload as JSON; nil when there was none.
func (h Handshake) RawAuth() json.RawMessage {
	if h.auth == "" {
		return nil
	}
	return json.RawMessage(h.auth)
}

// MarshalJSON gives a handshake the form that socket.handshake has in the reference: an object with headers, time,
// address, xdomain, secure, issued, url, query and auth.
func (h Handshake) MarshalJSON() ([]byte, error) {
	auth := h.RawAuth()
	if auth == nil {
		auth = json.RawMessage("{}")
	}
	return h.Data(auth).MarshalJSON()
}

// Auth decodes the auth payload into dst, which stays unchanged if there was none. Errors wrap ErrDecode.
func (h Handshake) Auth(dst any) error {
	if len(h.auth) == 0 {
		return nil
	}
	return packets.DecodeWith(h.lib, []byte(h.auth), nil, dst)
}

// Transport returns the transport in use now.
func (s *Socket) Transport() Transport { return s.client.sess.Transport() }

// ClientID names the socket's connection, which its client's sockets in other namespaces share. It is the first half of
// the Engine.IO session's id, whose rest is a secret: who knows all of it can take part in the session.
func (s *Socket) ClientID() string {
	sid := s.client.sess.SID()
	return sid[:len(sid)/2]
}

// Protocol returns the Engine.IO protocol revision of the client: 4, or 3 with Config.AllowEIO3.
func (s *Socket) Protocol() int { return s.client.sess.Protocol() }

// Connected reports whether the socket is connected: it has not ended and was not refused.
func (s *Socket) Connected() bool { return !s.closed.Load() }

// Emit sends an event to the client. Inside a connect handler it reaches the client after its CONNECT packet.
// Errors: ErrClosed, ErrReserved, ErrEncode, ErrQueueFull.
func (s *Socket) Emit(event string, args ...any) error { return s.emit(event, args, emitFlags{}) }

// Send emits the event "message".
func (s *Socket) Send(args ...any) error { return s.Emit("message", args...) }

func (s *Socket) shard() int { return s.client.shard() }

// Broadcast selects all sockets of the namespace except this one.
func (s *Socket) Broadcast() Operator { return Operator{ns: s.ns, from: s} }

// To selects the sockets in any of the rooms, except this one.
func (s *Socket) To(rooms ...string) Operator { return s.Broadcast().To(rooms...) }

// In is To.
func (s *Socket) In(rooms ...string) Operator { return s.To(rooms...) }

// Except selects all sockets of the namespace, except this one and those in any of the rooms.
func (s *Socket) Except(rooms ...string) Operator { return s.Broadcast().Except(rooms...) }

// Disconnect takes the socket out of its namespace, after what was emitted before. With closeConn, it closes the
// client's whole connection, including its sockets in other namespaces.
func (s *Socket) Disconnect(closeConn bool) { s.depart(closeConn, ReasonServerLeft) }

// DisconnectFor is Disconnect(false) for a reason of which LoopStats.Ended should tell, such as ReasonTokenExpired. The
// client and the handlers are told ReasonServerLeft, in the words of the reference.
func (s *Socket) DisconnectFor(r Reason) { s.depart(false, r) }

func (s *Socket) depart(closeConn bool, r Reason) {
	kind := uint32(markLeaves)
	if closeConn {
		kind = markCloses
	}
	if s.marks.Or(kind)&kind == 0 { // or a loop that is behind would have any number of them
		post := func() { s.client.loop().Post(&departure{s, closeConn, r}) }
		if !s.ns.behind(post) {
			post()
		}
	}
}
