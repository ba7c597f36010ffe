package server

import (
	"context"
	"slices"
	"time"

	"github.com/seed58c87869/siren/room"
	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/server/internal/collect"
	"github.com/seed58c87869/siren/server/internal/walk"
)

// Sockets returns a snapshot of the sockets of this node that the operator selects, by their present Rooms, in no
// order. With rooms other than socket ids it looks at all sockets of the namespace; FetchSockets looks only at those of
// the rooms.
func (o Operator) Sockets() []*Socket {
	var t room.Target
	if !o.resolve(&t) {
		return nil
	}
	f := newSocketFilter(o, &t)
	var out []*Socket
	if len(t.Rooms) > 0 {
		out = o.ns.sockets.All()
	} else {
		for m := range f.members {
			out = append(out, m.Owner().(*Socket))
		}
	}
	return slices.DeleteFunc(out, func(s *Socket) bool { return !f.selects(s) })
}

// SocketsJoin puts the sockets that the operator selects into rooms, including those of other nodes. It is done on the
// event loops, in the order of the calls with each socket's own Join and Leave: a broadcast that the same goroutine
// makes next includes them, but Socket.Rooms shows it a moment later. Rooms that a socket may not join, at its limit or
// because of the name, are left out and counted. Errors: ErrQueueFull and ErrClosed (nothing is done), ErrCluster
// (other nodes may not know).
func (o Operator) SocketsJoin(rooms ...string) error { return o.move(rooms, true) }

// SocketsLeave takes the sockets that the operator selects out of rooms; see SocketsJoin.
func (o Operator) SocketsLeave(rooms ...string) error { return o.move(rooms, false) }

// DisconnectSockets disconnects the sockets that the operator selects, after what was sent to them before; with
// closeConns, their clients' connections. Errors are those of SocketsJoin.
func (o Operator) DisconnectSockets(closeConns bool) error {
	if err := o.inOrder(func() error { return o.disconnect(closeConns, nil) }); err != nil {
		return err
	}
	return o.tellOthers(&cluster.Message{Kind: cluster.DisconnectSockets, Close: closeConns})
}

// disconnect is DisconnectSockets on this node, counted by c if there is one.
func (o Operator) disconnect(closeConns bool, c *collect.Census) error {
	t := &selection{ns: o.ns, cost: departWork, census: c, fn: func(_ int, selected []*room.Member) {
		walk.Each(selected, func(m *room.Member) {
			if !m.Detached() {
				(&departure{m.Owner().(*Socket), closeConns, ReasonServerLeft}).Run(m.Shard())
			}
		})
	}}
	if !o.resolve(&t.target) {
		return nil
	}
	return o.ns.srv.dispatch(&t.target, t, c.Expect)
}

// FetchSockets returns all sockets of the namespace; see Operator.FetchSockets.
func (ns *Namespace) FetchSockets(ctx context.Context) ([]RemoteSocket, error) {
	return ns.all().FetchSockets(ctx)
}

// Count returns the number of sockets of the namespace, on all nodes; see Operator.Count.
func (ns *Namespace) Count(ctx context.Context) (int, error) { return ns.all().Count(ctx) }

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

// selection is a task for the selected sockets on the loops. Immutable; one value serves them all.
type selection struct {
	ns     *Namespace
	target room.Target
	// fn does the work for some of the sockets, which takes about cost nanoseconds for each.
	fn   func(loop int, selected []*room.Member)
	cost int
	// after, when set, runs when the loop is done, whether or not anybody was selected there.
	after func(loop int)
	// census, if set, counts the sockets.
	census *collect.Census
}

// departWork is the estimated time of a Disconnect, in nanoseconds.
const departWork = int(5 * time.Microsecond)

// Run implements task.
func (t *selection) Run(loop int) { t.ns.walk(loop, &t.target, t) }

// Work implements walk.Visitor.
func (t *selection) Work() int { return t.cost }

// Visit implements walk.Visitor.
func (t *selection) Visit(loop int, members []*room.Member, _ int) {
	t.census.Add(members)
	t.fn(loop, members)
}

// Visited implements walk.Visitor.
func (t *selection) Visited(loop int) {
	if t.after != nil {
		t.after(loop)
	}
	t.census.Pass(loop)
}

// move does SocketsJoin and SocketsLeave. It holds the rooms on each loop, so that the next broadcast finds them; the
// loops release them.
func (o Operator) move(names []string, join bool) error {
	if err := o.inOrder(func() error { return o.moveHere(names, join, nil) }); err != nil {
		return err
	}
	kind := cluster.SocketsLeave
	if join {
		kind = cluster.SocketsJoin
	}
	return o.tellOthers(&cluster.Message{Kind: kind, Rooms: slices.Clone(names)})
}

// moveHere is move on this node, counted by c if there is one.
func (o Operator) moveHere(names []string, join bool, c *collect.Census) error {
	ns := o.ns
	mv := &move{ns: ns, join: join}
	cost := moveWork * (1 + len(names))
	t := &selection{ns: ns, cost: cost, fn: mv.visit, after: mv.done, census: c}
	if len(names) == 0 || !o.resolve(&t.target) {
		return nil
	}
	if w := ns.watch.Load(); join && w.Full() {
		ns.srv.stats.queueFull.Add(1)
		return ErrQueueFull
	}
	var held []int
	for loop := range ns.srv.nloops {
		if t.target.OnShard(loop) {
			held = append(held, loop)
		}
	}
	mv.hold(names, held)
	return mv.post(t, held, c)
}

// move is a SocketsJoin or SocketsLeave on its way to the loops. Immutable once it is posted.
type move struct {
	ns    *Namespace
	join  bool
	rooms []*room.Room
	// taken has names that no room can have, because they are ids of sockets.
	taken []string
}

// hold takes a reference of each room on each of the loops. For leaving, only rooms that there are.
func (mv *move) hold(names []string, loops []int) {
	for _, name := range names {
		r := mv.ns.rooms.Lookup(name)
		if mv.join {
			if len(loops) == 0 {
				continue
			}
			if r, _ = mv.ns.rooms.Acquire(name, loops[0]); r == nil {
				mv.taken = append(mv.taken, name)
				continue
			}
		} else if r == nil || len(loops) == 0 || !mv.ns.rooms.Retain(r, loops[0]) {
			continue
		}
		for _, loop := range loops[1:] {
			mv.ns.rooms.Retain(r, loop) // which we hold already
		}
		mv.rooms = append(mv.rooms, r)
	}
}

// done releases the references that hold took for a loop.
func (mv *move) done(loop int) {
	for _, r := range mv.rooms {
		mv.ns.rooms.Release(r, loop)
	}
	mv.ns.moves.Add(-1)
}

// post posts to all of the loops, or to none; c, if there is one, expects them.
func (mv *move) post(t *selection, loops []int, c *collect.Census) error {
	srv := mv.ns.srv
	mv.ns.moves.Add(int64(len(loops)))
	for _, loop := range loops {
		if srv.host.Loop(loop).Full() {
			for _, held := range loops {
				mv.done(held)
			}
			return srv.refused()
		}
	}
	for _, loop := range loops {
		c.Expect(loop)
		srv.host.Loop(loop).Post(t)
	}
	return nil
}

// moveWork is the estimated time of joining or leaving one room, in nanoseconds.
const moveWork = 250

// visit moves sockets of a loop; a panic at one does not keep it from the others. Loop-only.
func (mv *move) visit(loop int, selected []*room.Member) {
	done := 0
	defer func() {
		if done < len(selected) {
			mv.visit(loop, selected[done+1:])
		}
	}()
	for ; done < len(selected); done++ {
		selected[done].Owner().(*Socket).move(mv, loop)
	}
}

// move makes the socket join or leave the rooms. Loop-only.
func (s *Socket) move(mv *move, loop int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return
	}
	ns := s.ns
	for _, name := range mv.taken {
		if name != s.id {
			ns.srv.stats.joinsRefused.Add(1)
		}
	}
	for _, r := range mv.rooms {
		switch {
		case s.member.In(r) == mv.join:
			continue
		case !mv.join:
			ns.unlink(s, r, loop)
		case !s.mayBeMoved(r):
			ns.srv.stats.joinsRefused.Add(1)
			continue
		default:
			ns.rooms.Retain(r, loop)
			ns.link(s, r, loop)
		}
		s.rooms.Moved(r, mv.join)
	}
}

// mayBeMoved reports whether the limits let the socket into one more room. A room that a Join on its way decides about
// counts already. Called with the lock held.
func (s *Socket) mayBeMoved(r *room.Room) bool {
	return !s.ns.watch.Load().Full() && (s.rooms.Has(&s.member, r) || s.mayJoin(r.Name()) == nil)
}
