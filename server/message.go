package server

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/session"
)

// Message is an event that came from a client. In an inline handler it is valid only in the call; elsewhere it may
// be kept, for instance to acknowledge later. Safe for concurrent use.
type Message struct {
	s     *Socket
	event string
	args  arguments
	id    uint64
	hasID bool
	acked atomic.Bool
	// onLoop: the handler that has it runs on the event loop.
	onLoop bool
}

// messageOverhead is what a waiting event counts for besides its payload.
const messageOverhead = 160

// Event is the event's name.
func (m *Message) Event() string { return m.event }

// Socket is the socket that the event came from.
func (m *Message) Socket() *Socket { return m.s }

// Len is the number of arguments.
func (m *Message) Len() int { return m.args.n }

// Args are the arguments, each a Raw.
func (m *Message) Args() []any { return m.args.all() }

// Arg is the argument with that index, from 0; a Raw without JSON when there is none.
func (m *Message) Arg(i int) Raw { return m.args.at(i) }

// Decode decodes the arguments into the values that dst points to, in order. A dst without an argument stays as it
// is, and so does one that is nil; more arguments than dst are left alone. Errors wrap ErrDecode.
func (m *Message) Decode(dst ...any) error { return m.args.decode(m.s.ns.srv.enc.json, dst) }

// WantsAck reports whether the client asked for an acknowledgement that it has not got yet.
func (m *Message) WantsAck() bool { return m.hasID && !m.acked.Load() }

// Ack answers the client's callback. It does nothing when the client asked for none, or has its answer already. After
// an error the client has none yet. Errors: ErrClosed, ErrEncode, ErrQueueFull.
func (m *Message) Ack(args ...any) error {
	if !m.hasID || m.acked.Swap(true) {
		return nil
	}
	sent := false
	defer func() {
		if !sent { // a value may also panic when it is encoded
			m.acked.Store(false)
		}
	}()
	if m.s.closed.Load() {
		return ErrClosed
	}
	f, err := m.s.ns.srv.enc.ack(m.s.ns.name, m.id, args)
	if err == nil {
		err = m.s.answer(f, m.onLoop)
	}
	if err != nil {
		return err
	}
	sent = true
	if debugs(m.s.ns.srv.sio) {
		m.s.debugSocket("acknowledged", slog.String("event", m.event), slog.Uint64("ack", m.id))
	}
	return nil
}

// reply acknowledges for a handler that has returned. That the client has gone meanwhile is no error of the handler.
func (m *Message) reply(args ...any) error {
	if err := m.Ack(args...); !errors.Is(err, ErrClosed) {
		return err
	}
	return nil
}

// Clone copies a message, so that one of an inline handler may be kept. The copy acknowledges for itself.
func (m *Message) Clone() *Message {
	c := &Message{s: m.s, event: m.event, args: m.args.clone(), id: m.id, hasID: m.hasID}
	c.acked.Store(m.acked.Load())
	return c
}

// receive takes an event on the loop: an inline handler runs at once, others through the socket's inbox. This is
// where the payload is copied, unless it is owned.
func (s *Socket) receive(p *sio.Packet, attachments [][]byte, owned bool) {
	srv, h := s.ns.srv, s.ns.hooks.Load()
	hd := h.events[string(p.Event)]
	listened := len(h.any)+len(h.packet) > 0
	if debugs(srv.sio) {
		s.debugSocket("event", slog.String("event", string(p.Event)), slog.Int("bytes", len(p.Args)),
			slog.Int("attachments", len(attachments)), slog.Bool("ack", p.HasID), slog.Bool("handled", hd != nil))
	}
	if hd == nil && !listened && !(srv.cfg.EchoUnhandled && p.HasID) {
		srv.stats.unhandled.Add(1)
		return
	}
	m := &Message{s: s, args: arguments{p.Args, attachments, p.NArgs}, id: p.ID, hasID: p.HasID}
	if hd != nil {
		m.event = hd.event
	} else {
		m.event = string(p.Event)
	}
	if hd != nil && hd.inline && hd.slots == nil && !listened {
		m.onLoop = true
		m.run(hd)
		return
	}
	size := len(p.Args) + messageOverhead
	for _, a := range attachments {
		size += len(a)
	}
	if !owned {
		m.args.json = append([]byte(nil), p.Args...)
	}
	if !s.inbox.Put(m, size, &srv.inbox) {
		srv.stats.inboxFull.Add(1)
		srv.sio.Warn("inbox full, client disconnected", s.about(m.event)...)
		s.client.end(session.ReasonForcedServerClose)
	}
}

// Do implements session.Job: listeners, packet middleware, then the handler.
func (m *Message) Do() {
	s := m.s
	h := s.ns.hooks.Load()
	for _, fn := range h.any {
		_ = s.guard(m.event, func() error { fn(&s.ctx, m); return nil })
	}
	for _, fn := range h.packet {
		if err := s.guard(m.event, func() error { return fn(&s.ctx, m) }); err != nil {
			m.ackError(err)
			return
		}
	}
	hd := h.events[m.event]
	switch {
	case hd != nil:
		m.call(hd)
	case s.ns.srv.cfg.EchoUnhandled:
		_ = m.Ack(m.Args()...)
	default:
		s.ns.srv.stats.unhandled.Add(1)
	}
}

// call runs the handler, or begins to.
func (m *Message) call(hd *handler) {
	if hd.slots == nil {
		m.run(hd)
		return
	}
	running := &m.s.ns.srv.jobs
	running.Add(1)
	hd.slots <- struct{}{}
	go func() {
		defer running.Add(-1)
		defer func() { <-hd.slots }()
		m.run(hd)
	}()
}

// run runs the handler; its error, or panic, answers a client that waits for an acknowledgement.
func (m *Message) run(hd *handler) {
	if err := m.s.guard(m.event, func() error { return hd.call(&m.s.ctx, m) }); err != nil {
		m.ackError(err)
	}
}

// ackError answers with an error. A refusal's data is the application's and may fail to be encoded, or panic; then
// the client gets the text alone.
func (m *Message) ackError(err error) {
	if !m.WantsAck() {
		return
	}
	a := newAckError(err)
	if m.s.guard(m.event, func() error { return m.reply(a) }) != nil && a.Data != nil {
		_ = m.Ack(ackError{Error: a.Error})
	}
}

// handler is what was registered for an event. Immutable.
type handler struct {
	event  string
	inline bool
	slots  chan struct{} // as many as may run at a time; nil for one that is ordered
	call   func(ctx context.Context, m *Message) error
}

// HandlerOption changes how a handler runs.
type HandlerOption func(*handler)

// Inline runs the handler on the event loop: without a copy or a goroutine, but it must not block, and what it gets
// is valid only in the call. It may overtake events of the same socket that wait for other handlers. A namespace
// with OnAny or UsePacket runs its inline handlers like the others.
func Inline() HandlerOption { return func(h *handler) { h.inline = true } }

// Concurrent runs the handler on a goroutine of its own for each event, of any socket, but no more than n at a time:
// an event over that waits, and so do the events of its socket. Its events are in no order with others, and may still
// be handled when the socket's disconnect handlers run. It overrides Inline.
func Concurrent(n int) HandlerOption {
	return func(h *handler) { h.slots = make(chan struct{}, max(n, 1)) }
}

// On sets the handler of an event, in place of the one before. It gets the raw message, and acknowledges it itself,
// now or later. Event names that Socket.IO uses itself never come; one is logged.
func (ns *Namespace) On(event string, fn func(ctx context.Context, m *Message), opts ...HandlerOption) {
	ns.handle(event, func(ctx context.Context, m *Message) error {
		fn(ctx, m)
		return nil
	}, opts)
}

func (ns *Namespace) handle(event string, call func(ctx context.Context, m *Message) error, opts []HandlerOption) {
	if sio.Reserved(event) {
		ns.srv.sio.Warn("a handler for a reserved event name never runs", "ns", ns.name, "event", event)
	}
	h := &handler{event: event, call: call}
	for _, o := range opts {
		o(h)
	}
	ns.change(func(hs *hooks) { hs.events[event] = h })
}

// Off removes the handler of an event.
func (ns *Namespace) Off(event string) {
	ns.change(func(h *hooks) { delete(h.events, event) })
}
