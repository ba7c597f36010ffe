package server

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/seed58c87869/siren/codec/sio"
)

// handler is what was registered for an event. Immutable, but for once.
type handler struct {
	event string
	// typed: it is one of On0 and its like, of which an event has one at each place.
	typed  bool
	inline bool
	// inlineIf, if set, decides for each event whether the handler runs on the event loop.
	inlineIf func(s *Socket) bool
	// keepsAck: the handler may acknowledge after it has returned, so its message is not used again.
	keepsAck bool
	slots    chan struct{} // as many as may run at a time; nil for one that is ordered
	call     func(ctx context.Context, m *Message) error
	once     *onceState // nil for one that stays
}

// onceState is of a handler for one event. Safe for concurrent use.
type onceState struct {
	taken atomic.Bool
	// reg is known a moment after others may find the handler.
	reg atomic.Pointer[Registration]
}

// HandlerOption changes how a handler runs.
type HandlerOption func(*handler)

// Inline runs the handler on the event loop, without a copy or a goroutine. The handler must not block (Request,
// CallAll and other calls that wait for answers fail with ErrOnLoop), and must not end its goroutine (runtime.Goexit),
// which is the loop's. Its arguments are valid only in the call. It may overtake events of the same socket that wait
// for other handlers. A namespace with OnAny or UsePacket runs its inline handlers like the others.
func Inline() HandlerOption { return func(h *handler) { h.inline = true } }

// InlineIf is Inline for the events of sockets for which cond returns true; for others the handler runs off the loop,
// like one without this option. Message.OnLoop tells the handler. cond runs on the event loop, for each event: it must
// be quick and must not block.
func InlineIf(cond func(s *Socket) bool) HandlerOption {
	return func(h *handler) { h.inline, h.inlineIf = true, cond }
}

// Concurrent runs the handler on a separate goroutine for each event, at most n at a time for all sockets together: n
// bounds what the handler uses, such as connections to a database. Above n an event waits, and so do the later events
// of its socket. Its events have no order with others, and may still be handled when the socket's disconnect handlers
// run. It overrides Inline.
func Concurrent(n int) HandlerOption {
	return func(h *handler) { h.slots = make(chan struct{}, max(n, 1)) }
}

// once makes a handler one for the next event alone.
func once(h *handler) { h.once = new(onceState) }

func (srv *Server) newHandler(event string, call func(ctx context.Context, m *Message) error, opts []HandlerOption) *handler {
	h := &handler{event: event, call: call}
	for _, o := range opts {
		o(h)
	}
	if h.inline {
		srv.guestsOnLoops.Store(true)
	}
	return h
}

// spent tells how the handler is removed when its event has come, which may have been in this very moment.
func (h *handler) spent(reg Registration) {
	if h.once == nil {
		return
	}
	h.once.reg.Store(&reg)
	if h.once.taken.Load() {
		reg.Remove()
	}
}

// take reports whether this event is the handler's: of several that come at once, one is.
func (h *handler) take() bool {
	if h.once == nil {
		return true
	}
	if h.once.taken.Swap(true) {
		return false
	}
	if reg := h.once.reg.Load(); reg != nil {
		reg.Remove()
	}
	return true
}

// eventHandlers are the handlers of an event at one place, in the order of their registration. Immutable once its table
// is made.
type eventHandlers struct {
	event string
	// place is the registry that they belong to; nil for a socket's own.
	place *registry
	list  []*handler
	// inline: all of them run on the event loop.
	inline bool
	// conditional: some run there for some sockets only.
	conditional bool
	// keepAcks: one of them may acknowledge after it has returned.
	keepAcks bool
}

// inlineFor reports whether the handlers run on the event loop for the socket's event.
func (l *eventHandlers) inlineFor(s *Socket) bool {
	if l.conditional {
		for _, h := range l.list {
			if h.inlineIf != nil && !h.inlineIf(s) {
				return false
			}
		}
	}
	return l.inline
}

// handlerTable are the handlers by event. Immutable once made.
type handlerTable struct {
	events map[string]*eventHandlers
}

// find returns the handlers of an event; nil when there are none.
func (t *handlerTable) find(event string) *eventHandlers { return t.events[event] }

// put adds a handler to a table that is being made, in place of those of other places.
func (t *handlerTable) put(h *handler, place *registry) {
	if t.events == nil {
		t.events = make(map[string]*eventHandlers)
	}
	l := t.events[h.event]
	if l == nil || l.place != place {
		l = &eventHandlers{event: h.event, place: place, inline: true}
		t.events[h.event] = l
	}
	l.list = append(l.list, h)
	l.inline = l.inline && h.inline && h.slots == nil
	l.conditional = l.conditional || h.inlineIf != nil
	l.keepAcks = l.keepAcks || h.keepsAck
}

// mustNotRepeat panics when both are typed handlers of the same event: one of them would answer in vain.
func (h *handler) mustNotRepeat(old *handler, place string) {
	if h.typed && old.typed && h.event == old.event {
		panic(fmt.Sprintf("server: %s has a typed handler for the event %q already", place, h.event))
	}
}

// need panics when a function that the caller of api must give is nil.
func need(ok bool, api string) {
	if !ok {
		panic("server: " + api + ": the function is nil")
	}
}

// checkEvent panics for the name of an event that clients cannot send.
func (srv *Server) checkEvent(place, event string) {
	hint := "Socket.IO keeps the name to itself"
	switch event {
	case "connection":
		srv.sio.Warn("a handler for an event that clients send is named \"connection\"; OnConnect runs when they connect",
			"ns", place)
		return
	case "connect":
		hint = "use OnConnect"
	case "disconnect":
		hint = "use OnDisconnect"
	case "disconnecting":
		hint = "use OnDisconnecting"
	case "connect_error":
		hint = "it is sent to a client when Use or OnConnect return an error"
	}
	if sio.Reserved(event) {
		panic(fmt.Sprintf("server: a handler for the event %q in %q would never run: %s", event, place, hint))
	}
}
