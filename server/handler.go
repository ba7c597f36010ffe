package server

import (
	"context"
	"sync/atomic"
)

// handler is what was registered for an event. Immutable, but for once.
type handler struct {
	event  string
	inline bool
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

// Inline runs the handler on the event loop: without a copy or a goroutine, but it must not block (Request, CallAll and
// what else waits for answers fail with ErrOnLoop), nor end its goroutine (runtime.Goexit), which is the loop's; and what
// it gets is valid only in the call. It may overtake events
// of the same socket that wait for other handlers. A namespace with OnAny or UsePacket runs its inline handlers like
// the others.
func Inline() HandlerOption { return func(h *handler) { h.inline = true } }

// Concurrent runs the handler on a goroutine of its own for each event, but no more than n at a time, those of all
// sockets together: what it bounds is what the handler uses, such as connections to a data base. An event over that
// waits, and so do the events of its socket. Its events are in no order with others, and may still be handled when
// the socket's disconnect handlers run. It overrides Inline.
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

// free reports whether the handler takes events still.
func (h *handler) free() bool { return h.once == nil || !h.once.taken.Load() }

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

// handlerTable are the handlers by event. Immutable once made.
type handlerTable struct {
	events map[string]*handler
	// next are those of Once, the oldest first; nil when there are none, as in most tables.
	next map[string][]*handler
}

// find is the handler that takes the next event of that name.
func (t *handlerTable) find(event string) *handler {
	for _, h := range t.next[event] {
		if h.free() {
			return h
		}
	}
	return t.events[event]
}

// put adds a handler to a table that is being made.
func (t *handlerTable) put(h *handler) {
	if h.once != nil {
		if t.next == nil {
			t.next = make(map[string][]*handler)
		}
		t.next[h.event] = append(t.next[h.event], h)
		return
	}
	if t.events == nil {
		t.events = make(map[string]*handler)
	}
	t.events[h.event] = h
}
