package server

import (
	"context"
	"slices"

	"github.com/seed58c87869/siren/room"
	"github.com/seed58c87869/siren/room/cluster"
)

// Sockets is a snapshot of the sockets of this node that the operator selects, by their Rooms as of now, in no order.
// With rooms other than socket ids it looks at all sockets of the namespace; FetchSockets looks at the rooms' alone.
func (o Operator) Sockets() []*Socket {
	return slices.DeleteFunc(o.candidates(), func(s *Socket) bool {
		return !o.spares(s) || len(o.rooms) > 0 && !slices.ContainsFunc(o.rooms, s.InRoom)
	})
}

// candidates are sockets among which are all that can be selected.
func (o Operator) candidates() []*Socket {
	var named []*Socket
	for _, name := range o.rooms {
		if o.ns.rooms.Lookup(name) != nil {
			return o.ns.sockets.all()
		}
		if s := o.ns.sockets.get(name); s != nil && !slices.Contains(named, s) {
			named = append(named, s)
		}
	}
	if len(o.rooms) == 0 {
		return o.ns.sockets.all()
	}
	return named
}

// spares reports whether the socket is not left out.
func (o Operator) spares(s *Socket) bool {
	return s != o.from && !slices.ContainsFunc(o.except, s.InRoom)
}

// SocketsJoin puts the sockets that the operator selects into rooms, those of other nodes too. It is done on the event
// loops: a broadcast that the same goroutine makes next includes them, but Socket.Rooms shows it a moment later. Rooms
// that a socket may not join, at its limit, are left out and counted. Errors: ErrQueueFull and ErrClosed
// (nothing is done), ErrCluster (other nodes may not know).
func (o Operator) SocketsJoin(rooms ...string) error { return o.move(rooms, true) }

// SocketsLeave takes the sockets that the operator selects out of rooms; see SocketsJoin.
func (o Operator) SocketsLeave(rooms ...string) error { return o.move(rooms, false) }

// DisconnectSockets disconnects the sockets that the operator selects, after what was sent to them before; with
// closeConns, their clients' connections. Errors are those of SocketsJoin.
func (o Operator) DisconnectSockets(closeConns bool) error {
	err := o.each(func(_ int, selected []*room.Member) {
		for _, m := range selected {
			if !m.Detached() {
				(&departure{m.Owner().(*Socket), closeConns}).Run(m.Shard())
			}
		}
	})
	if err != nil {
		return err
	}
	return o.tellOthers(&cluster.Message{Kind: cluster.DisconnectSockets, Close: closeConns})
}

// FetchSockets are all sockets of the namespace; see Operator.FetchSockets.
func (ns *Namespace) FetchSockets(ctx context.Context) ([]RemoteSocket, error) {
	return ns.all().FetchSockets(ctx)
}

// SocketsJoin puts all sockets of the namespace into rooms; see Operator.SocketsJoin.
func (ns *Namespace) SocketsJoin(rooms ...string) error { return ns.all().SocketsJoin(rooms...) }

// SocketsLeave takes all sockets of the namespace out of rooms; see Operator.SocketsJoin.
func (ns *Namespace) SocketsLeave(rooms ...string) error { return ns.all().SocketsLeave(rooms...) }

// DisconnectSockets disconnects all sockets of the namespace; see Operator.DisconnectSockets.
func (ns *Namespace) DisconnectSockets(closeConns bool) error {
	return ns.all().DisconnectSockets(closeConns)
}

// tellOthers publishes what was done here.
func (o Operator) tellOthers(m *cluster.Message) error {
	if !o.elsewhere() {
		return nil
	}
	m.Namespace, m.Target = o.ns.name, o.clusterTarget(0)
	return o.ns.srv.node.publish(m)
}

// each runs fn on the loops with the sockets that are selected there, behind what was posted before.
func (o Operator) each(fn func(loop int, selected []*room.Member)) error {
	t := &selection{ns: o.ns, visit: fn}
	if !o.resolve(&t.target) {
		return nil
	}
	return o.ns.srv.dispatch(&t.target, t, func() {})
}

// selection is work for the selected sockets on its way to the loops. Immutable; one value serves them all.
type selection struct {
	ns     *Namespace
	target room.Target
	visit  func(loop int, selected []*room.Member)
	// after, when set, runs when the loop is done, whether or not anybody was selected there.
	after func(loop int)
}

// Run implements task.
func (t *selection) Run(loop int) {
	t.ns.shards[loop].Select(&t.target, func(selected []*room.Member) { t.visit(loop, selected) })
	if t.after != nil {
		t.after(loop)
	}
}

// move is SocketsJoin and SocketsLeave. The rooms are held from here on, on each loop, so that the next broadcast finds
// them; the loops give them back.
func (o Operator) move(names []string, join bool) error {
	ns := o.ns
	mv := &move{ns: ns, join: join}
	t := &selection{ns: ns, visit: mv.visit, after: mv.settle}
	if len(names) > 0 && o.resolve(&t.target) {
		mv.moved = make([][]*Socket, ns.srv.nloops)
		var held []int
		for loop := range ns.srv.nloops {
			if t.target.OnShard(loop) {
				held = append(held, loop)
			}
		}
		mv.hold(names, held)
		if err := mv.post(t, held); err != nil {
			return err
		}
	}
	kind := cluster.SocketsLeave
	if join {
		kind = cluster.SocketsJoin
	}
	return o.tellOthers(&cluster.Message{Kind: kind, Rooms: slices.Clone(names)})
}

// move is a SocketsJoin or SocketsLeave on its way to the loops. It works on a socket's own list of rooms and on its
// membership in one go. But there may be a Join or Leave of the socket on its way, which was made before and comes
// behind it: so each loop looks once more, behind all that, that the membership is as the list says.
type move struct {
	ns    *Namespace
	join  bool
	rooms []*room.Room
	// moved are the sockets of each loop, from visit to settled. Loop-owned, each slice.
	moved [][]*Socket
}

// hold takes a reference of each room on each of the loops. For leaving, only rooms that there are.
func (mv *move) hold(names []string, loops []int) {
	for _, name := range names {
		r := mv.ns.rooms.Lookup(name)
		if mv.join {
			if len(loops) == 0 {
				continue
			}
			r, _ = mv.ns.rooms.Acquire(name, loops[0])
		} else if r == nil || len(loops) == 0 || !mv.ns.rooms.Retain(r, loops[0]) {
			continue
		}
		for _, loop := range loops[1:] {
			mv.ns.rooms.Retain(r, loop) // which we hold already
		}
		mv.rooms = append(mv.rooms, r)
	}
}

// release gives back what hold took for a loop.
func (mv *move) release(loop int) {
	for _, r := range mv.rooms {
		mv.ns.rooms.Release(r, loop)
	}
}

// post posts to all of the loops, or to none.
func (mv *move) post(t *selection, loops []int) error {
	srv := mv.ns.srv
	for _, loop := range loops {
		if srv.loops[loop].Full() {
			for _, held := range loops {
				mv.release(held)
			}
			return srv.refused()
		}
	}
	for _, loop := range loops {
		srv.loops[loop].Post(t)
	}
	return nil
}

// visit moves the sockets of a loop. Loop-only.
func (mv *move) visit(loop int, selected []*room.Member) {
	moved := make([]*Socket, 0, len(selected))
	for _, m := range selected {
		s := m.Owner().(*Socket)
		if s.move(mv.rooms, mv.join) {
			moved = append(moved, s)
		}
		s.follow(mv.rooms, loop)
	}
	mv.moved[loop] = moved
}

// settle is the end of the first pass over a loop.
func (mv *move) settle(loop int) { mv.ns.srv.loops[loop].Post((*moveAgain)(mv)) }

// moveAgain is the second look of a move.
type moveAgain move

// Run implements task.
func (ma *moveAgain) Run(loop int) {
	mv := (*move)(ma)
	for _, s := range mv.moved[loop] {
		s.follow(mv.rooms, loop)
	}
	mv.moved[loop] = nil
	mv.release(loop)
}

// move changes the socket's own list of rooms; it is true if that made a difference.
func (s *Socket) move(rooms []*room.Room, join bool) (moved bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return false
	}
	for _, r := range rooms {
		switch {
		case !join:
			moved = s.rooms.Remove(r.Name()) != nil || moved
		case r.Name() == s.id || s.rooms.Has(r.Name()):
		case s.mayJoin(r.Name()) != nil:
			s.ns.srv.stats.joinsRefused.Add(1)
		default:
			s.rooms.Add(r)
			moved = true
		}
	}
	return moved
}

// follow makes the socket a member of those of the rooms that are in its list, and no member of the others. The caller
// holds references of the rooms. Loop-only.
func (s *Socket) follow(rooms []*room.Room, loop int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return
	}
	for _, r := range rooms {
		switch in := s.rooms.Has(r.Name()); {
		case in == s.member.In(r):
		case in:
			s.ns.rooms.Retain(r, loop)
			s.ns.link(s, r, loop)
		default:
			s.ns.unlink(s, r, loop)
		}
	}
}
