package server

import (
	"context"
	"slices"
	"sync/atomic"
)

// ownHandlers are those of one socket, which few sockets have. Safe for concurrent use.
type ownHandlers struct {
	// table is made of list, and is what events are looked up in.
	table atomic.Pointer[handlerTable]
	list  []*handler // guarded by the socket's mutex; immutable slices
}

// On adds a handler of the socket's own for an event; see Namespace.On. The namespace's handlers of the same event do
// not run for this socket then, but its OnAny and UsePacket hold. Add it in a connect handler, so that no event comes
// before it. It costs memory for each socket; handlers that are the same for all sockets belong to the namespace. On0
// and its like take a Socket as well.
func (s *Socket) On(event string, fn func(ctx context.Context, m *Message), opts ...HandlerOption) Registration {
	need(fn != nil, "On")
	return s.handle(event, raw(fn), opts)
}

// Once is On for the socket's next event of that name alone: the handler is removed before it runs.
func (s *Socket) Once(event string, fn func(ctx context.Context, m *Message), opts ...HandlerOption) Registration {
	need(fn != nil, "Once")
	return s.handle(event, raw(fn), append(slices.Clone(opts), once))
}

// Off removes the socket's own handlers of an event.
func (s *Socket) Off(event string) {
	s.dropHandlers(func(h *handler) bool { return h.event == event })
}

// ownHandlers returns nil for a socket without handlers of its own.
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
	s.ns.srv.checkEvent(s.ns.name, event)
	hd := s.ns.srv.newHandler(event, call, opts)
	s.addHandler(hd)
	reg := Registration{func() { s.dropHandlers(func(h *handler) bool { return h == hd }) }}
	hd.spent(reg)
	return reg
}

func (s *Socket) addHandler(hd *handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := &s.extras().rarely().own
	for _, h := range own.list {
		hd.mustNotRepeat(h, "a socket of "+s.ns.name)
	}
	own.set(append(slices.Clone(own.list), hd))
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
		t.put(h, nil)
	}
	o.table.Store(t)
}
