package server

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room"
)

// Middleware runs before a socket is connected, off the event loop. An error refuses the connection with
// CONNECT_ERROR; see Refuse.
type Middleware func(ctx context.Context, s *Socket) error

// Namespace is a set of sockets with handlers of their own. Safe for concurrent use. Handlers may be added at any
// time; they hold for what comes after.
type Namespace struct {
	srv     *Server
	name    string
	rooms   *room.Directory
	shards  []*room.Shard
	sockets *socketMap
	// unreachable: no packet can carry the name, so no client can join.
	unreachable bool
	mu          sync.Mutex // held while hooks are replaced
	hooks       atomic.Pointer[hooks]
}

// hooks is everything that applications have registered. Immutable; changes replace it.
type hooks struct {
	use           []Middleware
	connect       []func(ctx context.Context, s *Socket) error
	disconnecting []func(s *Socket, r Reason)
	disconnect    []func(s *Socket, r Reason)
	events        map[string]*handler
	any           []func(ctx context.Context, m *Message)
	anyOutgoing   []func(s *Socket, event string, args []any)
	packet        []func(ctx context.Context, m *Message) error
	failed        []func(s *Socket, event string, err error)
}

func newNamespace(srv *Server, name string) *Namespace {
	ns := &Namespace{
		srv: srv, name: name, rooms: room.NewDirectory(srv.nloops), sockets: newSocketMap(),
		unreachable: !sio.ValidNamespace(name),
	}
	for i := range srv.nloops {
		ns.shards = append(ns.shards, room.NewShard(i))
	}
	ns.hooks.Store(&hooks{events: map[string]*handler{}})
	return ns
}

// Name is the namespace's name, with its leading slash.
func (ns *Namespace) Name() string { return ns.name }

// Server is the namespace's server.
func (ns *Namespace) Server() *Server { return ns.srv }

// change replaces the hooks by a copy that edit has changed.
func (ns *Namespace) change(edit func(h *hooks)) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	h := *ns.hooks.Load()
	events := make(map[string]*handler, len(h.events)+1)
	for k, v := range h.events {
		events[k] = v
	}
	h.events = events
	edit(&h)
	ns.hooks.Store(&h)
}

// with appends to a copy, so that older hooks keep their slices.
func with[T any](list []T, v T) []T { return append(list[:len(list):len(list)], v) }

// Use adds a middleware. They run in the order they were added.
func (ns *Namespace) Use(m Middleware) {
	ns.change(func(h *hooks) { h.use = with(h.use, m) })
}

// OnConnect adds a handler that runs, off the event loop, when a socket is about to be connected: after the
// middleware and before the CONNECT packet. An error refuses the connection; what the handler emits reaches the
// client after its CONNECT packet.
func (ns *Namespace) OnConnect(fn func(ctx context.Context, s *Socket) error) {
	ns.change(func(h *hooks) { h.connect = with(h.connect, fn) })
}

// OnDisconnecting adds a handler that runs before those of OnDisconnect, with Rooms as they were.
func (ns *Namespace) OnDisconnecting(fn func(s *Socket, r Reason)) {
	ns.change(func(h *hooks) { h.disconnecting = with(h.disconnecting, fn) })
}

// OnDisconnect adds a handler that runs once for each socket whose connect handlers all passed, after the events
// that came before its end. The socket is in no room any more as far as broadcasts go; Rooms still tells where it was.
func (ns *Namespace) OnDisconnect(fn func(s *Socket, r Reason)) {
	ns.change(func(h *hooks) { h.disconnect = with(h.disconnect, fn) })
}

// OnError adds a hook for the errors, those of Refuse included, and the panics of handlers. The event is "connection"
// for middleware and connect handlers and "disconnect" for disconnect handlers. It runs where the handler ran.
func (ns *Namespace) OnError(fn func(s *Socket, event string, err error)) {
	ns.change(func(h *hooks) { h.failed = with(h.failed, fn) })
}

// OnAny adds a listener for all incoming events, before packet middleware and handlers.
func (ns *Namespace) OnAny(fn func(ctx context.Context, m *Message)) {
	ns.change(func(h *hooks) { h.any = with(h.any, fn) })
}

// OnAnyOutgoing adds a listener for the events emitted to one socket by its own Emit; acknowledgements are no events
// and broadcasts are not listened to. It runs on the emitting goroutine; a panic in it is counted and logged.
func (ns *Namespace) OnAnyOutgoing(fn func(s *Socket, event string, args []any)) {
	ns.change(func(h *hooks) { h.anyOutgoing = with(h.anyOutgoing, fn) })
}

// UsePacket adds a middleware for incoming events: an error keeps the event from its handler, and goes to OnError
// and, if the client asked for one, into the acknowledgement.
func (ns *Namespace) UsePacket(fn func(ctx context.Context, m *Message) error) {
	ns.change(func(h *hooks) { h.packet = with(h.packet, fn) })
}

// Socket finds a socket by its id, from the time its connect handlers begin until its end; nil when there is none.
func (ns *Namespace) Socket(id string) *Socket { return ns.sockets.get(id) }

// Sockets is a snapshot of the namespace's sockets on this node.
func (ns *Namespace) Sockets() []*Socket { return ns.sockets.all() }

// Count is the number of the namespace's sockets on this node.
func (ns *Namespace) Count() int { return ns.sockets.len() }

// RoomCount is the number of sockets in a room on this node, those whose join is under way included.
func (ns *Namespace) RoomCount(name string) int {
	n := 0
	if r := ns.rooms.Lookup(name); r != nil {
		n = r.Count()
	}
	if s := ns.sockets.get(name); s != nil {
		n++
	}
	return n
}

// all aims at every socket of the namespace.
func (ns *Namespace) all() Operator { return Operator{ns: ns} }

// To aims at the sockets in any of the rooms. A socket's id is a room that holds that socket.
func (ns *Namespace) To(rooms ...string) Operator { return ns.all().To(rooms...) }

// In is To.
func (ns *Namespace) In(rooms ...string) Operator { return ns.To(rooms...) }

// Except aims at all sockets but those in any of the rooms.
func (ns *Namespace) Except(rooms ...string) Operator { return ns.all().Except(rooms...) }

// Volatile aims at all sockets that can take the event at once.
func (ns *Namespace) Volatile() Operator { return ns.all().Volatile() }

// Local aims at all sockets of this node.
func (ns *Namespace) Local() Operator { return ns.all().Local() }

// Emit broadcasts an event to all sockets of the namespace; see Operator.Emit.
func (ns *Namespace) Emit(event string, args ...any) (int, error) {
	return ns.all().Emit(event, args...)
}
