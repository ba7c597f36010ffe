package engineio

import (
	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/server/internal/host"
	"github.com/seed58c87869/siren/session"
)

// Socket is a plain Engine.IO session for use from any goroutine: a Session itself is its event loop's. It sends
// in the order of the calls of one goroutine. Immutable, safe for concurrent use; it costs nothing to make and to keep.
type Socket struct{ s *Session }

// Session returns the session itself, for use on its event loop. Its methods are quicker there.
func (e Socket) Session() *Session { return e.s }

// SendText sends a text message, which must be UTF-8. It is copied. Errors: ErrClosed, ErrQueueFull.
func (e Socket) SendText(text string) error {
	return e.post(eio.NewText(append([]byte{byte(eio.Message)}, text...)))
}

// SendBinary sends a binary message. It is copied. Errors: ErrClosed, ErrQueueFull.
func (e Socket) SendBinary(data []byte) error { return e.post(eio.NewBinary(data)) }

func (e Socket) post(f *eio.Frame) error {
	if !e.s.Open() {
		return ErrClosed
	}
	// All loops of a Host have it.
	if !e.s.Shard().Loop().(host.Loop).TryPost(&delivery{e.s, f}) {
		return ErrQueueFull
	}
	return nil
}

// delivery is a message on its way to its session's loop.
type delivery struct {
	s *Session
	f *eio.Frame
}

// Run implements task.
func (d *delivery) Run(int) {
	defer d.s.EndOnPanic()
	d.s.Send(d.f, false)
}

// Close ends the session after what was sent before.
func (e Socket) Close() {
	e.s.Shard().Loop().PostFunc(func() { e.s.Close(session.ReasonForcedClose) })
}

// ID returns the session's id, a secret of the client and the server.
func (e Socket) ID() string { return e.s.SID() }

// Open reports whether the session is not over yet.
func (e Socket) Open() bool { return e.s.Open() }

// Transport returns the transport in use now.
func (e Socket) Transport() session.Transport { return e.s.Transport() }

// Handshake returns the session's first request.
func (e Socket) Handshake() *session.Handshake { return e.s.Handshake() }

// Retune changes the session's settings; see Session.Retune.
func (e Socket) Retune(change func(t *session.Tuning)) error { return e.s.Retune(change) }
