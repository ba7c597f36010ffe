package server

import (
	"sync/atomic"
	"time"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room"
	"github.com/seed58c87869/siren/server/internal/collect"
	"github.com/seed58c87869/siren/server/internal/history"
	"github.com/seed58c87869/siren/server/internal/roster"
	"github.com/seed58c87869/siren/server/internal/tally"
	"github.com/seed58c87869/siren/server/internal/users"
	"github.com/seed58c87869/siren/server/internal/walk"
)

// Namespace is a set of sockets with common handlers. Safe for concurrent use. Handlers may be added and removed at any
// time; a change affects later events.
type Namespace struct {
	registry
	rooms   *room.Directory
	shards  []*room.Shard
	sockets *roster.Map[Socket]
	users   *users.Map[Socket]
	// tally counts. Immutable.
	tally *tally.Space
	// unreachable means that no packet can contain the name, so no client can join.
	unreachable bool
	// history is nil without Config.Recovery. Immutable.
	history *history.History
	// child is the further state of a namespace that a ParentNamespace has made; nil for others. Immutable.
	child *child
	// moves counts, over all loops, the SocketsJoin and SocketsLeave that a loop has not done yet.
	moves atomic.Int64
	// asks has the broadcasts that wait for acknowledgements.
	asks collect.IDs
	// watch gets the room events; nil while nobody listens.
	watch atomic.Pointer[roomWatch]
	// serverSide handles the events of other nodes; nil while there are no handlers.
	serverSide atomic.Pointer[serverSide]
}

func newNamespace(srv *Server, name string) *Namespace {
	ns := &Namespace{
		rooms: room.NewDirectory(srv.nloops), sockets: roster.New[Socket](roster.Stripes), users: newUsers(roster.Stripes),
		unreachable: !sio.ValidNamespace(name),
	}
	ns.start(srv, name)
	return ns
}

// newChild makes a namespace for a client. There may be very many.
func newChild(p *ParentNamespace, name string) *Namespace {
	ns := &Namespace{rooms: room.NewSmallDirectory(p.srv.nloops), sockets: roster.New[Socket](roster.SmallStripes), users: newUsers(roster.SmallStripes)}
	ns.child = &child{parent: p, ns: ns}
	ns.start(p.srv, name)
	return ns
}

func (ns *Namespace) start(srv *Server, name string) {
	ns.init(srv, name, ns)
	ns.tally = srv.tally.Space(ns.IsChild())
	ns.rooms.Reserve(ns.sockets.Taken)
	if srv.cfg.Recovery.MaxDisconnection > 0 {
		ns.history = srv.newHistory(ns.sockets.Forget)
		if log := srv.node.log(); log != nil {
			ns.history.Follow(log, name, ns.frameOf)
		}
	}
	for i := range srv.nloops {
		ns.shards = append(ns.shards, room.NewShard(i))
	}
}

// walk visits the members that a target selects on a loop; see walk.Members. Loop-only.
func (ns *Namespace) walk(loop int, target *room.Target, v walk.Visitor) {
	walk.Members(ns.srv.host.Loop(loop), loop, ns.shards[loop], target, v)
}

// Name returns the namespace's name, with its leading slash.
func (ns *Namespace) Name() string { return ns.name }

// Server returns the namespace's server.
func (ns *Namespace) Server() *Server { return ns.srv }

// Socket returns the socket with that id, or nil. It finds a socket from the start of its connect handlers until its
// end.
func (ns *Namespace) Socket(id string) *Socket { return ns.sockets.Get(id) }

// Sockets returns a snapshot of the namespace's sockets on this node.
func (ns *Namespace) Sockets() []*Socket { return ns.sockets.All() }

// SocketCount returns the number of the namespace's sockets on this node; see Count for all nodes.
func (ns *Namespace) SocketCount() int { return ns.sockets.Len() }

// RoomCount returns the number of sockets in a room on this node, including those that are joining.
func (ns *Namespace) RoomCount(name string) int {
	n := 0
	if r := ns.rooms.Lookup(name); r != nil {
		n = r.Count()
	}
	if s := ns.sockets.Get(name); s != nil {
		n++
	}
	return n
}

// all selects all sockets of the namespace.
func (ns *Namespace) all() Operator { return Operator{ns: ns} }

// To selects the sockets in any of the rooms. A socket's id is a room that holds that socket.
func (ns *Namespace) To(rooms ...string) Operator { return ns.all().To(rooms...) }

// In is To.
func (ns *Namespace) In(rooms ...string) Operator { return ns.To(rooms...) }

// Except selects all sockets except those in any of the rooms.
func (ns *Namespace) Except(rooms ...string) Operator { return ns.all().Except(rooms...) }

// Volatile selects all sockets that can get the event at once.
func (ns *Namespace) Volatile() Operator { return ns.all().Volatile() }

// Local selects all sockets of this node.
func (ns *Namespace) Local() Operator { return ns.all().Local() }

// Timeout selects all sockets, with a time-out for acknowledgements; see Operator.Timeout.
func (ns *Namespace) Timeout(d time.Duration) Operator { return ns.all().Timeout(d) }

// Emit broadcasts an event to all sockets of the namespace; see Operator.Emit.
func (ns *Namespace) Emit(event string, args ...any) (int, error) {
	return ns.all().Emit(event, args...)
}
