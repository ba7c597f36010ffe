package server

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/server/internal/packets"
	"github.com/seed58c87869/siren/server/internal/refusal"
	"github.com/seed58c87869/siren/session"
)

// Message is an event from a client. In an inline handler it is valid only in the call; otherwise it may be kept, for
// instance to acknowledge later. Safe for concurrent use.
type Message struct {
	s     *Socket
	event string
	args  packets.Arguments
	id    uint64
	hasID bool
	acked atomic.Bool
	// onLoop: the handler that has it runs on the event loop.
	onLoop bool
	// direct: the message is valid only while an inline handler runs, so the acknowledgement may be left in late until
	// the handler has returned.
	direct bool
	// timed: its handlers are timed.
	timed bool
	late  *eio.Frame
}

// messageOverhead is what a waiting event counts for besides its payload.
const messageOverhead = 160

// Event returns the event's name.
func (m *Message) Event() string { return m.event }

// Socket returns the socket that sent the event.
func (m *Message) Socket() *Socket { return m.s }

// OnLoop reports whether the handler that has the message runs on the event loop; see Inline.
func (m *Message) OnLoop() bool { return m.onLoop }

// Len returns the number of arguments.
func (m *Message) Len() int { return m.args.Len() }

// Args returns the arguments, each a Raw.
func (m *Message) Args() []any { return m.args.All() }

// Arg returns the argument with that index, from 0, or a Raw without JSON if there is none.
func (m *Message) Arg(i int) Raw { return m.args.At(i) }

// Decode decodes the arguments, in order, into the values that dst points to. A dst without an argument stays
// unchanged, a nil dst skips its argument, and further arguments are ignored. Errors wrap ErrDecode.
func (m *Message) Decode(dst ...any) error { return m.args.Decode(m.s.ns.srv.enc.Library(), dst) }

// WantsAck reports whether the client asked for an acknowledgement that it has not got yet.
func (m *Message) WantsAck() bool { return m.hasID && !m.acked.Load() }

// Ack answers the client's callback. It does nothing if the client asked for no acknowledgement or has got it. After an
// error the client has not got one. Errors: ErrClosed, ErrEncode, ErrQueueFull.
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
	f, err := m.s.ns.srv.enc.Ack(m.s.ns.name, m.id, args)
	if err == nil {
		err = m.answerWith(f)
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

// answerWith sends the acknowledgement. While an inline handler runs and nothing waits that was posted to its loop, it
// is kept until the handler has returned, and then sent at once: that is the order in which the mailbox would send it,
// without a turn of the mailbox.
func (m *Message) answerWith(f *eio.Frame) error {
	if s := m.s; s.ns.logged() && s.ns.behind(func() { _ = s.answer(f, true) }) {
		return nil
	}
	if m.direct && m.s.client.loop().Idle() {
		m.s.client.sess.Deflate(f)
		m.late = f
		return nil
	}
	return m.s.answer(f, m.onLoop)
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
	c := &Message{s: m.s, event: m.event, args: m.args.Clone(), id: m.id, hasID: m.hasID}
	c.acked.Store(m.acked.Load())
	return c
}

// spareMessage is the message of a loop's inline handlers, which is theirs only in the call. It is nil while one has
// it. Loop-owned.
type spareMessage struct {
	m *Message

	_ [56]byte // each loop has a cache line of its own
}

// receive takes an event on the loop: inline handlers run at once, others through the socket's inbox. This is where the
// payload is copied, unless it is owned.
func (s *Socket) receive(p *sio.Packet, attachments [][]byte, owned bool) {
	srv, h := s.ns.srv, s.ns.hooks.Load()
	l := h.events[string(p.Event)]
	if own := s.ownHandlers(); own != nil {
		if o := own.events[string(p.Event)]; o != nil {
			l = o
		}
	}
	listened := len(h.any)+len(h.packet) > 0
	if debugs(srv.sio) {
		s.debugSocket("event", slog.String("event", string(p.Event)), slog.Int("bytes", len(p.Args)),
			slog.Int("attachments", len(attachments)), slog.Bool("ack", p.HasID), slog.Bool("handled", l != nil))
	}
	if l == nil && !listened && h.unhandled == nil && !(h.settings.echo && p.HasID) {
		srv.stats.unhandled.Add(1)
		return
	}
	if l != nil && !listened && l.inlineFor(s) && s.receiveInline(p, attachments, l) {
		return
	}
	m := &Message{s: s, id: p.ID, hasID: p.HasID, timed: s.ns.tally.Sample(s.shard())}
	m.args.Share(p, attachments)
	if l != nil {
		m.event = l.event
	} else {
		m.event = string(p.Event)
	}
	size := m.args.Bytes() + messageOverhead
	if !owned {
		m.args.Own()
	}
	if !s.inbox.PutCounted((*arrival)(m), size, &h.settings.inbox, s.client.loop().Memory(), (*crowded)(s)) {
		srv.stats.inboxFull.Add(1)
		srv.sio.Warn("inbox full, client disconnected", s.about(m.event)...)
		s.client.end(session.ReasonForcedServerClose)
	}
}

// receiveInline runs inline handlers on the loop, on the arguments as they were read. It returns false if none was left
// to take the event.
func (s *Socket) receiveInline(p *sio.Packet, attachments [][]byte, l *eventHandlers) bool {
	spare := &s.ns.srv.spares[s.shard()]
	m := spare.m
	if l.keepAcks || m == nil {
		m = new(Message)
	} else {
		spare.m = nil
	}
	m.s, m.event, m.id, m.hasID, m.onLoop, m.direct = s, l.event, p.ID, p.HasID, true, !l.keepAcks
	m.args.Share(p, attachments)
	m.timed = s.ns.tally.Sample(s.shard())
	ran := false
	for _, h := range l.list { // none of them is limited in number
		if h.once == nil || h.take() {
			ran = true
			m.run(h)
		}
	}
	if l.keepAcks {
		m.args = packets.Arguments{} // which the read buffer holds
		return ran
	}
	if m.late != nil {
		s.deliver(m.late, false)
	}
	*m = Message{}
	spare.m = m
	return ran
}

// arrival is a Message that waits for its handlers.
type arrival Message

// Do implements session.Job: listeners, packet middleware, then the handlers.
func (a *arrival) Do() {
	m := (*Message)(a)
	h := m.s.ns.hooks.Load()
	if len(h.any)+len(h.packet) == 0 {
		m.dispatch(h)
		return
	}
	returned := false
	defer m.answerUnless(&returned)
	m.listen(h)
	returned = true
}

// listen calls the listeners and the packet middleware, and then the handlers.
func (m *Message) listen(h *hooks) {
	s := m.s
	for _, fn := range h.any {
		_ = s.guard(m.event, func() error { fn(&s.ctx, m); return nil })
	}
	for _, fn := range h.packet {
		if err := s.guard(m.event, func() error { return fn(&s.ctx, m) }); err != nil {
			m.ackError(err)
			return
		}
	}
	m.dispatch(h)
}

// dispatch finds the handlers: the socket's own, or else those of its namespace.
func (m *Message) dispatch(h *hooks) {
	if own := m.s.ownHandlers(); own != nil && m.callAll(own.find(m.event)) {
		return
	}
	if m.callAll(h.find(m.event)) {
		return
	}
	m.rest(h)
}

// callAll runs the handlers, in order, but for those of Once that another event has taken. It returns false if there
// was none to run.
func (m *Message) callAll(l *eventHandlers) (ran bool) {
	if l == nil {
		return false
	}
	for _, h := range l.list {
		if h.take() {
			ran = true
			m.call(h)
		}
	}
	return ran
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

// run runs the handler; its error, or panic, answers a client that waits for an acknowledgement. It is guard with one
// deferred call for both.
func (m *Message) run(hd *handler) {
	if m.timed {
		defer m.s.ns.tally.Took(m.s.shard(), time.Now())
	}
	stage := stageRuns
	defer m.ended(&stage)
	err := hd.call(&m.s.ctx, m)
	stage = stageReturned
	if err != nil {
		m.s.handlerFailed(m.event, err)
	}
	stage = stageDone
	if err != nil {
		m.ackError(err)
	}
}

// The stages of a handler that run runs.
const (
	stageRuns     uint8 = iota
	stageReturned       // its error is passed on
	stageDone
)

// ended, deferred by run, deals with a handler, or an error hook, that panicked or ended its goroutine.
func (m *Message) ended(stage *uint8) {
	if *stage == stageDone {
		return
	}
	err := errGoexit
	if p := recover(); p != nil {
		err = m.s.panicked(m.event, p)
	} else if *stage == stageRuns {
		m.s.exited(m.event)
	}
	m.ackError(err)
}

// answerUnless answers a client whose handler has not returned: nobody comes back from runtime.Goexit.
func (m *Message) answerUnless(returned *bool) {
	if !*returned {
		m.ackError(errGoexit)
	}
}

// ackError answers with an error. A refusal's data is the application's and may fail to be encoded, or panic; then
// the client gets the text alone.
func (m *Message) ackError(err error) {
	if !m.WantsAck() {
		return
	}
	a := refusal.AnswerTo(err)
	if m.s.guard(m.event, func() error { return m.reply(a) }) != nil && a.Data != nil {
		_ = m.Ack(refusal.Answer{Error: a.Error})
	}
}
