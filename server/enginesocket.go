package server

import (
	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/session"
)

// EngineSocket is a plain Engine.IO session for use from any goroutine: a Session itself is its event loop's. It sends
// in the order of the calls of one goroutine. Immutable, safe for concurrent use; it costs nothing to make and to keep.
type EngineSocket struct{ s *Session }

// NewEngineSocket is the session's, as Config.Engine gets it.
func NewEngineSocket(s *Session) EngineSocket { return EngineSocket{s} }

// SendText sends a text message, which must be UTF-8. It is copied. Errors: ErrClosed, ErrQueueFull.
func (e EngineSocket) SendText(text string) error {
	return e.post(eio.NewText(append([]byte{byte(eio.Message)}, text...)))
}

// SendBinary sends a binary message. It is copied. Errors: ErrClosed, ErrQueueFull.
func (e EngineSocket) SendBinary(data []byte) error { return e.post(eio.NewBinary(data)) }

func (e EngineSocket) post(f *eio.Frame) error {
	if !e.s.Open() {
		return ErrClosed
	}
	// The server's own loops, and those it is attached to, are all EventLoops.
	if !e.s.Shard().Loop().(EventLoop).TryPost(&engineDelivery{e.s, f}) {
		return ErrQueueFull
	}
	return nil
}

// engineDelivery is a message on its way to its session's loop.
type engineDelivery struct {
	s *Session
	f *eio.Frame
}

// Run implements task.
func (d *engineDelivery) Run(int) {
	defer d.s.EndOnPanic()
	d.s.Send(d.f, false)
}

// Close ends the session after what was sent before.
func (e EngineSocket) Close() {
	e.s.Shard().Loop().PostFunc(func() { e.s.Close(session.ReasonForcedClose) })
}

// ID is the session's id, a secret of the client and the server.
func (e EngineSocket) ID() string { return e.s.SID() }

// Open reports whether the session is not over yet.
func (e EngineSocket) Open() bool { return e.s.Open() }

// Transport is the transport in use now.
func (e EngineSocket) Transport() Transport { return e.s.Transport() }

// Handshake is the session's first request.
func (e EngineSocket) Handshake() *RequestInfo { return e.s.Handshake() }

// Retune changes the session's settings; see Session.Retune.
func (e EngineSocket) Retune(change func(t *Tuning)) error { return e.s.Retune(change) }
