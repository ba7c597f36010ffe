package server

import (
	"context"
	"slices"
	"sync"

	"github.com/seed58c87869/siren/server/internal/edits"
)

// Middleware runs before a socket is connected, off the event loop. An error refuses the connection with CONNECT_ERROR;
// see Refuse.
type Middleware func(ctx context.Context, s *Socket) error

// Handlers is what event handlers are registered with: a Namespace, a ParentNamespace or a Socket. Of several
// handlers for one event a socket's own run, or else those of its namespace, or else those of the namespace's parent.
type Handlers interface {
	On(event string, fn func(ctx context.Context, m *Message), opts ...HandlerOption) Registration
	Once(event string, fn func(ctx context.Context, m *Message), opts ...HandlerOption) Registration
	Off(event string)

	handle(event string, call func(ctx context.Context, m *Message) error, opts []HandlerOption) Registration
}

// Space is a Namespace or a ParentNamespace, for registrations with either. Safe for concurrent use.
type Space interface {
	Handlers
	Use(m Middleware) Registration
	UsePacket(fn func(ctx context.Context, m *Message) error) Registration
	OnConnect(fn func(ctx context.Context, s *Socket) error) Registration
	OnDisconnecting(fn func(s *Socket, r Reason)) Registration
	OnDisconnect(fn func(s *Socket, r Reason)) Registration
	OnDeadline(fn func(s *Socket)) Registration
	OnError(fn func(s *Socket, event string, err error)) Registration
	OnAny(fn func(ctx context.Context, m *Message)) Registration
	OnAnyOutgoing(fn func(s *Socket, event string, args []any)) Registration
	OnUnhandled(fn func(ctx context.Context, m *Message) error) Registration
	Configure(c NamespaceConfig) error
}

var (
	_ Space    = (*Namespace)(nil)
	_ Space    = (*ParentNamespace)(nil)
	_ Handlers = (*Socket)(nil)
)

// Registration is the result of registering a handler, a listener or a middleware. Immutable, safe for concurrent use;
// the zero value removes nothing.
type Registration struct{ remove func() }

// Remove removes the handler, listener or middleware, for later events. Further calls do nothing.
func (r Registration) Remove() {
	if r.remove != nil {
		r.remove()
	}
}

// hooks has everything that was registered for the sockets of a namespace. Immutable; changes replace it.
type hooks struct {
	use           []Middleware
	connect       []func(ctx context.Context, s *Socket) error
	disconnecting []func(s *Socket, r Reason)
	disconnect    []func(s *Socket, r Reason)
	deadline      []func(s *Socket)
	handlerTable
	any         []func(ctx context.Context, m *Message)
	anyOutgoing []func(s *Socket, event string, args []any)
	packet      []func(ctx context.Context, m *Message) error
	// unhandled takes the events that no handler does; nil for none.
	unhandled func(ctx context.Context, m *Message) error
	failed    []func(s *Socket, event string, err error)
	// settings are the namespace's; never nil.
	settings *settings
}

// registry stores the registrations of a namespace or a parent of namespaces. Safe for concurrent use.
type registry struct {
	srv  *Server
	name string
	// hooks are made from the inherited registrations, followed by the registry's own.
	hooks edits.List[hooks, *Namespace]
	mu    sync.Mutex // guards making what few namespaces have
}

// edit is one registration. Its tag is a *handler or a *NamespaceConfig, or nil for others.
type edit = edits.Edit[hooks]

// init prepares the registry. ns is the namespace that it belongs to, or nil for a parent.
func (r *registry) init(srv *Server, name string, ns *Namespace) {
	r.srv, r.name = srv, name
	r.hooks.Init(ns, &srv.hooks)
}

// change registers a change of the hooks: apply is called now, and whenever they are made again.
func (r *registry) change(apply func(h *hooks)) Registration { return r.add(&edit{Apply: apply}) }

// add adds a registration. Settings replace earlier ones.
func (r *registry) add(e *edit) Registration {
	hd, _ := e.Tag.(*handler)
	_, settings := e.Tag.(*NamespaceConfig)
	return Registration{r.hooks.Add(e, func(old *edit) bool {
		if other, ok := old.Tag.(*handler); ok && hd != nil {
			hd.mustNotRepeat(other, "the namespace "+r.name)
		}
		_, same := old.Tag.(*NamespaceConfig)
		return !settings || !same
	})}
}

// with appends to a copy, so that older hooks keep their slices.
func with[T any](list []T, v T) []T { return append(list[:len(list):len(list)], v) }

// Use adds a middleware. Middleware runs in the order in which it was added.
func (r *registry) Use(m Middleware) Registration {
	need(m != nil, "Use")
	return r.change(func(h *hooks) { h.use = with(h.use, m) })
}

// OnConnect adds a handler that runs, off the event loop, before a socket is connected: after the middleware and before
// the CONNECT packet. An error refuses the connection. Packets that the handler emits reach the client after its
// CONNECT packet.
func (r *registry) OnConnect(fn func(ctx context.Context, s *Socket) error) Registration {
	need(fn != nil, "OnConnect")
	return r.change(func(h *hooks) { h.connect = with(h.connect, fn) })
}

// OnDisconnecting adds a handler that runs before those of OnDisconnect, while Rooms still returns the socket's rooms.
func (r *registry) OnDisconnecting(fn func(s *Socket, r Reason)) Registration {
	need(fn != nil, "OnDisconnecting")
	return r.change(func(h *hooks) { h.disconnecting = with(h.disconnecting, fn) })
}

// OnDisconnect adds a handler that runs once for each socket whose connect handlers all passed, after its earlier
// events. Broadcasts to rooms do not reach the socket any more; Rooms still returns its last rooms.
func (r *registry) OnDisconnect(fn func(s *Socket, r Reason)) Registration {
	need(fn != nil, "OnDisconnect")
	return r.change(func(h *hooks) { h.disconnect = with(h.disconnect, fn) })
}

// OnError adds a hook for the errors, including those of Refuse, and the panics of handlers. The event is "connection"
// for middleware and connect handlers and "disconnect" for disconnect handlers. The hook runs where the handler ran.
func (r *registry) OnError(fn func(s *Socket, event string, err error)) Registration {
	need(fn != nil, "OnError")
	return r.change(func(h *hooks) { h.failed = with(h.failed, fn) })
}

// OnAny adds a listener for all incoming events, before packet middleware and handlers.
func (r *registry) OnAny(fn func(ctx context.Context, m *Message)) Registration {
	need(fn != nil, "OnAny")
	return r.change(func(h *hooks) { h.any = with(h.any, fn) })
}

// OnAnyOutgoing adds a listener for the events emitted to a socket, by its own Emit or by a broadcast, for which it is
// called once for each receiver. Acknowledgements are not events. For a socket's own Emit it runs on the emitting
// goroutine, before the event is sent. For a broadcast it runs among the socket's handlers, some time after, and the
// arguments are Raw values; if the socket's inbox is full, the call is left out and counted. A panic is counted and
// logged.
func (r *registry) OnAnyOutgoing(fn func(s *Socket, event string, args []any)) Registration {
	need(fn != nil, "OnAnyOutgoing")
	return r.change(func(h *hooks) { h.anyOutgoing = with(h.anyOutgoing, fn) })
}

// UsePacket adds a middleware for incoming events. If it returns an error, the event's handler does not run, and the
// error goes to OnError and, if the client asked for one, into the acknowledgement.
func (r *registry) UsePacket(fn func(ctx context.Context, m *Message) error) Registration {
	need(fn != nil, "UsePacket")
	return r.change(func(h *hooks) { h.packet = with(h.packet, fn) })
}

// On adds a handler of an event, besides those that there are. All run, in the order in which they were added. It gets
// the raw message, and acknowledges it itself, now or later; of several acknowledgements the first counts. A socket's
// own handlers of an event take the place of its namespace's, and a child's those of its parent. Names of events that
// no client can send, such as "disconnect", panic.
func (r *registry) On(event string, fn func(ctx context.Context, m *Message), opts ...HandlerOption) Registration {
	need(fn != nil, "On")
	return r.handle(event, raw(fn), opts)
}

// Once is On for the next such event alone, whichever socket sends it: the handler is removed before it runs. See
// Socket.Once for the next event of one socket.
func (r *registry) Once(event string, fn func(ctx context.Context, m *Message), opts ...HandlerOption) Registration {
	need(fn != nil, "Once")
	return r.handle(event, raw(fn), append(slices.Clone(opts), once))
}

// Off removes the handlers of an event, including those of Once. Handlers that a child namespace has from its parent
// stay.
func (r *registry) Off(event string) {
	r.hooks.Drop(func(e *edit) bool {
		h, ok := e.Tag.(*handler)
		return ok && h.event == event
	})
}

// raw wraps a handler that acknowledges itself.
func raw(fn func(ctx context.Context, m *Message)) func(ctx context.Context, m *Message) error {
	return func(ctx context.Context, m *Message) error {
		fn(ctx, m)
		return nil
	}
}

// handle implements Handlers.
func (r *registry) handle(event string, call func(ctx context.Context, m *Message) error, opts []HandlerOption) Registration {
	r.srv.checkEvent(r.name, event)
	hd := r.srv.newHandler(event, call, opts)
	reg := r.add(&edit{Tag: hd, Apply: func(h *hooks) { h.put(hd, r) }})
	hd.spent(reg)
	return reg
}
