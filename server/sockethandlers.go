package server

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/seed58c87869/siren/codec/sio"
)

// ownHandlers are those of one socket, which few sockets have. Safe for concurrent use.
type ownHandlers struct {
	// table is made of list, and is what events are looked up in.
	table atomic.Pointer[handlerTable]
	list  []*handler // guarded by the socket's mutex; immutable slices
}

// On sets the socket's own handler of an event, in place of its own one before. It comes before the namespace's
// handler of the same event, which then does not run; OnAny and UsePacket of the namespace hold for it too. Add it in
// a connect handler, so that no event comes before it. It costs memory for each socket; handlers that are the same for
// all sockets belong to the namespace. Handle and its like take a Socket as well.
func (s *Socket) On(event string, fn func(ctx context.Context, m *Message), opts ...HandlerOption) Registration {
	return s.handle(event, raw(fn), opts)
}

// Once adds a handler for the socket's next event of that name, which is gone before it runs. It comes before that of
// On; several are taken in the order they were added.
func (s *Socket) Once(event string, fn func(ctx context.Context, m *Message), opts ...HandlerOption) Registration {
	return s.handle(event, raw(fn), append(slices.Clone(opts), once))
}

// Off removes the socket's own handlers of an event.
func (s *Socket) Off(event string) {
	s.dropHandlers(func(h *handler) bool { return h.event == event })
}

// ownHandlers is nil for a socket without handlers of its own.
func (s *Socket) ownHandlers() *handlerTable {
	if e := s.extra.Load(); e != nil {
		if r := e.rare.Load(); r != nil {
			return r.own.table.Load()
		}
	}
	return nil
}

// handle implements Handlers.
func (s *Socket) handle(event string, call func(ctx context.Context, m *Message) error, opts []HandlerOption) Registration {
	if sio.Reserved(event) {
		s.ns.srv.sio.Warn("a handler for a reserved event name never runs", s.about(event)...)
	}
	hd := s.ns.srv.newHandler(event, call, opts)
	s.mu.Lock()
	own := &s.extras().rarely().own
	list := slices.Clone(own.list)
	if hd.once == nil {
		list = slices.DeleteFunc(list, func(h *handler) bool { return h.once == nil && h.event == event })
	}
	own.set(append(list, hd))
	s.mu.Unlock()
	reg := Registration{func() { s.dropHandlers(func(h *handler) bool { return h == hd }) }}
	hd.spent(reg)
	return reg
}

func (s *Socket) dropHandlers(gone func(h *handler) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.extra.Load(); e != nil {
		if r := e.rare.Load(); r != nil {
			r.own.set(slices.DeleteFunc(slices.Clone(r.own.list), gone))
		}
	}
}

// set is called with the lock held.
func (o *ownHandlers) set(list []*handler) {
	o.list = list
	if len(list) == 0 {
		o.list = nil
		o.table.Store(nil)
		return
	}
	t := new(handlerTable)
	for _, h := range list {
		t.put(h)
	}
	o.table.Store(t)
}
