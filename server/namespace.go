package server

import (
	"sync/atomic"
	"time"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room"
	"github.com/seed58c87869/siren/server/internal/history"
	"github.com/seed58c87869/siren/server/internal/roster"
)

// Namespace is a set of sockets with handlers of their own. Safe for concurrent use. Handlers may be added, and taken
// back, at any time; that holds for what comes after.
type Namespace struct {
	registry
	rooms   *room.Directory
	shards  []*room.Shard
	sockets *roster.Map[Socket]
	users   *userMap
	// unreachable: no packet can carry the name, so no client can join.
	unreachable bool
	// history is nil without Config.Recovery. Immutable.
	history *history.History
	// child is what a namespace has that a ParentNamespace made; nil for others. Immutable.
	child *child
	// moves counts, for each loop, the SocketsJoin and SocketsLeave that it has not come to.
	moves atomic.Int64
	// asks are the broadcasts that wait for acknowledgements.
	asks askTable
	// watch is told what happens to rooms; nil while nobody listens.
	watch atomic.Pointer[roomWatch]
	// serverSide handles the events of other nodes; nil while there are no handlers.
	serverSide atomic.Pointer[serverSide]
}

func newNamespace(srv *Server, name string) *Namespace {
	ns := &Namespace{
		rooms: room.NewDirectory(srv.nloops), sockets: roster.New[Socket](roster.Stripes), users: newUserMap(roster.Stripes),
		unreachable: !sio.ValidNamespace(name),
	}
	ns.start(srv, name)
	return ns
}

// newChild makes a namespace that a client named: one of very many, perhaps.
func newChild(p *ParentNamespace, name string) *Namespace {
	ns := &Namespace{rooms: room.NewSmallDirectory(p.srv.nloops), sockets: roster.New[Socket](roster.SmallStripes), users: newUserMap(roster.SmallStripes)}
	ns.child = &child{parent: p, ns: ns}
	ns.start(p.srv, name)
	return ns
}

func (ns *Namespace) start(srv *Server, name string) {
	ns.init(srv, name)
	ns.rooms.Reserve(ns.sockets.Taken)
	if srv.cfg.Recovery.MaxDisconnection > 0 {
		ns.history = srv.newHistory(ns.sockets.Forget)
	}
	for i := range srv.nloops {
		ns.shards = append(ns.shards, room.NewShard(i))
	}
}

// Name is the namespace's name, with its leading slash.
func (ns *Namespace) Name() string { return ns.name }

// Server is the namespace's server.
func (ns *Namespace) Server() *Server { return ns.srv }

// Socket finds a socket by its id, from the time its connect handlers begin until its end; nil when there is none.
func (ns *Namespace) Socket(id string) *Socket { return ns.sockets.Get(id) }

// Sockets is a snapshot of the namespace's sockets on this node.
func (ns *Namespace) Sockets() []*Socket { return ns.sockets.All() }

// SocketCount is the number of the namespace's sockets on this node; see Count for those of all nodes.
func (ns *Namespace) SocketCount() int { return ns.sockets.Len() }

// RoomCount is the number of sockets in a room on this node, those whose join is under way included.
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

// Timeout aims at all sockets, with a time-out for acknowledgements; see Operator.Timeout.
func (ns *Namespace) Timeout(d time.Duration) Operator { return ns.all().Timeout(d) }

// Emit broadcasts an event to all sockets of the namespace; see Operator.Emit.
func (ns *Namespace) Emit(event string, args ...any) (int, error) {
	return ns.all().Emit(event, args...)
}
