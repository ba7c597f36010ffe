package server

import (
	"time"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/room"
	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/server/internal/packets"
	"github.com/seed58c87869/siren/session"
)

// Operator selects the receivers of a broadcast. An immutable value, safe to share and to keep: each method returns a
// new one. Namespace.To, Socket.To and similar methods return one.
type Operator struct {
	ns     *Namespace
	from   *Socket
	rooms  []string
	users  []string
	except []string
	local  bool
	// foreign is set for a message of the cluster, which is in its order already.
	foreign bool
	flags   emitFlags
}

// To adds rooms: the broadcast goes to the sockets in any of them, once each. A socket's id is a room that holds that
// socket. Without any room the broadcast is for the whole namespace, so To of an empty list changes nothing.
func (o Operator) To(rooms ...string) Operator {
	o.rooms = append(o.rooms[:len(o.rooms):len(o.rooms)], rooms...)
	return o
}

// In is To.
func (o Operator) In(rooms ...string) Operator { return o.To(rooms...) }

// Except excludes the sockets in any of the rooms.
func (o Operator) Except(rooms ...string) Operator {
	o.except = append(o.except[:len(o.except):len(o.except)], rooms...)
	return o
}

// Volatile drops the event for sockets that cannot get it at once, because data waits for their connection, or no
// polling request of theirs is waiting.
func (o Operator) Volatile() Operator {
	o.flags.volatile = true
	return o
}

// Local keeps the broadcast on this node.
func (o Operator) Local() Operator {
	o.local = true
	return o
}

// Timeout bounds the wait for acknowledgements, and for the answers of other nodes, beside a deadline of the context; 0
// or less is the default again (Config.AckTimeout, Config.RequestTimeout). With a time below a millisecond, emits and
// what asks other nodes fail with ErrShortTimeout.
func (o Operator) Timeout(d time.Duration) Operator {
	o.flags.timeout = max(d, 0)
	return o
}

// Emit broadcasts an event, also to the sockets of other nodes if there are any. The event is encoded once. The result
// is the number of sockets of this node that it was posted for, as known at the call: a socket in several of the rooms
// counts for each, and excluded ones count too. Errors: ErrReserved, ErrEncode, ErrQueueFull and ErrClosed (nobody got
// it), ErrCluster (this node's sockets get it, others may not).
func (o Operator) Emit(event string, args ...any) (int, error) {
	if err := o.flags.check(); err != nil {
		return 0, err
	}
	if o.ns.history != nil {
		return o.emitKept(func(p *packets.Payload) error { return o.ns.srv.enc.AppendEvent(p, event, args) })
	}
	f, data, err := o.encode(packets.NoAck, event, args)
	if err != nil {
		return 0, err
	}
	return o.send(f, data)
}

// encode makes the frame of an event, and its data for those who did not ask for the frame: other nodes and listeners.
// It is empty when there are none.
func (o Operator) encode(id int64, event string, args []any) (*eio.Frame, Raw, error) {
	f, data, err := o.ns.srv.enc.EventFor(o.ns.name, id, event, args, o.elsewhere() || o.listened())
	if err == nil {
		o.flags.mark(f)
	}
	return f, data, err
}

// send posts an encoded event to the loops that have members, and tells the other nodes.
func (o Operator) send(f *eio.Frame, data Raw) (n int, err error) {
	if n, err = o.sendHere(f, data); err != nil {
		return n, err
	}
	return n, o.publish(data)
}

// sendHere posts an encoded event to the loops that have members.
func (o Operator) sendHere(f *eio.Frame, data Raw) (n int, err error) {
	b := o.broadcast(f, data)
	if !o.resolve(&b.target) {
		return 0, nil
	}
	if o.ns.history == nil {
		o.ns.srv.deflate(b)
	}
	return o.ns.srv.post(b)
}

// publish tells the other nodes, if there are any, of an event.
func (o Operator) publish(data Raw) error {
	if !o.elsewhere() {
		return nil
	}
	return o.ns.srv.node.publish(&cluster.Message{
		Kind: cluster.Broadcast, Namespace: o.ns.name, Data: data, Target: o.clusterTarget(0),
	})
}

// broadcast makes the task of a broadcast, all but its target.
func (o Operator) broadcast(f *eio.Frame, data Raw) *broadcast {
	b := &broadcast{ns: o.ns, frame: f, volatile: o.flags.volatile}
	b.target.Rooms = b.one[:0]
	if o.listened() {
		b.outgoing = newOutgoing(data)
	}
	return b
}

// listened reports whether there are listeners for outgoing events.
func (o Operator) listened() bool { return len(o.ns.hooks.Load().anyOutgoing) > 0 }

// elsewhere reports whether the operator includes other nodes.
func (o Operator) elsewhere() bool { return o.ns.srv.node != nil && !o.local }

// clusterTarget returns the operator for other nodes.
func (o Operator) clusterTarget(timeout time.Duration) cluster.Target {
	t := cluster.Target{Rooms: o.rooms, Users: o.users, Except: o.except, Volatile: o.flags.volatile, NoCompress: o.flags.plain, Timeout: timeout}
	if o.from != nil {
		t.Except = append(t.Except[:len(t.Except):len(t.Except)], o.from.id)
	}
	return t
}

// resolve looks up the names. It returns false if nobody can be selected.
func (o Operator) resolve(t *room.Target) bool {
	if o.from != nil {
		t.ExceptMember = &o.from.member
	}
	if len(o.rooms)+len(o.users) == 0 {
		t.Rooms = append(t.Rooms, o.ns.rooms.Everyone())
	}
	for _, name := range o.rooms {
		if r := o.ns.rooms.Lookup(name); r != nil {
			t.Rooms = append(t.Rooms, r)
		}
		if s := o.ns.sockets.Get(name); s != nil {
			t.Members = append(t.Members, &s.member)
		}
	}
	for _, user := range o.users {
		o.ns.users.Each(user, func(s *Socket) { t.Members = append(t.Members, &s.member) })
	}
	for _, name := range o.except {
		if r := o.ns.rooms.Lookup(name); r != nil {
			t.Except = append(t.Except, r)
		}
		if s := o.ns.sockets.Get(name); s != nil {
			t.ExceptMembers = append(t.ExceptMembers, &s.member)
		}
	}
	return len(t.Rooms)+len(t.Members) > 0
}

// broadcast is one broadcast on its way to the loops. Immutable; one value serves them all.
type broadcast struct {
	ns       *Namespace
	frame    *eio.Frame
	target   room.Target
	one      [1]*room.Room // the memory of target.Rooms, which is one room mostly
	volatile bool
	lead     int16     // the loop that counts it
	posted   int32     // the number of members that it was posted for
	outgoing *outgoing // nil unless there are listeners for outgoing events
}

// Run implements task.
func (b *broadcast) Run(loop int) {
	b.count(loop)
	b.ns.walk(loop, &b.target, b)
}

// count counts the broadcast on one of its loops. Loop-only.
func (b *broadcast) count(loop int) {
	if loop == int(b.lead) {
		b.ns.srv.tally.Broadcast(loop, b.ns.tally, int(b.posted))
	}
}

const (
	// deliverWork is the estimated time that a packet for one member takes, in nanoseconds. hearWork is that of a
	// listener for outgoing events.
	deliverWork = 40
	hearWork    = 200
)

// Work implements walk.Visitor.
func (b *broadcast) Work() int {
	if b.outgoing != nil {
		return deliverWork + hearWork
	}
	return deliverWork
}

// Visit implements walk.Visitor.
func (b *broadcast) Visit(_ int, members []*room.Member, _ int) { b.deliver(members) }

// Visited implements walk.Visitor.
func (b *broadcast) Visited(int) {}

// readAhead is the number of sockets that deliver reads before it serves the first of them. Sockets are scattered in
// memory; reading them together makes their cache misses overlap. With a million sockets it makes a broadcast more than
// twice as fast.
const readAhead = 32

// deliver queues the frame for the sockets that were selected. One that a delivery closed meanwhile takes nothing.
func (b *broadcast) deliver(selected []*room.Member) {
	if b.outgoing != nil {
		b.outgoing.tell(selected)
	}
	var sockets [readAhead]*Socket
	var clients [readAhead]*client
	var sessions [readAhead]*session.Session
	for len(selected) > 0 {
		n := min(len(selected), readAhead)
		for i, m := range selected[:n] {
			sockets[i] = m.Owner().(*Socket)
		}
		for i, s := range sockets[:n] {
			clients[i] = s.client
		}
		for i, c := range clients[:n] {
			sessions[i] = c.sess
		}
		session.ReadAhead(sessions[:n])
		b.serve(sockets[:n])
		selected = selected[n:]
	}
}

// serve queues the frame for sockets. One that panics ends, and the others are served.
func (b *broadcast) serve(sockets []*Socket) {
	done := 0
	defer func() {
		if done < len(sockets) {
			defer b.serve(sockets[done+1:])
			sockets[done].client.end(session.ReasonTransportError)
		}
	}()
	for ; done < len(sockets); done++ {
		sockets[done].deliver(b.frame, b.volatile)
	}
}

// post posts a broadcast to each loop that has members for it, and counts them. It posts to all of these loops or to
// none, so that a caller may try again after ErrQueueFull.
func (srv *Server) post(b *broadcast) (n int, err error) {
	// A server whose loops are not there yet has no members.
	for i := range srv.nloops {
		if !b.target.OnShard(i) {
			continue
		}
		if srv.host.Loop(i).Full() {
			return 0, srv.refused()
		}
		b.lead = int16(i)
		n += b.countOn(i)
	}
	b.posted = int32(n)
	for i := range srv.nloops {
		if b.target.OnShard(i) {
			srv.host.Loop(i).Post(b)
		}
	}
	return n, nil
}

// dispatch posts a task to each loop that has members of the target, or to none; before is called for each of them.
func (srv *Server) dispatch(target *room.Target, t task, before func(loop int)) error {
	for i := range srv.nloops {
		if target.OnShard(i) && srv.host.Loop(i).Full() {
			return srv.refused()
		}
	}
	for i := range srv.nloops {
		if target.OnShard(i) {
			before(i)
			srv.host.Loop(i).Post(t)
		}
	}
	return nil
}

// countOn returns the number of members on a loop, as known now.
func (b *broadcast) countOn(loop int) (n int) {
	for _, r := range b.target.Rooms {
		n += r.CountOn(loop)
	}
	for _, m := range b.target.Members {
		if m.Shard() == loop {
			n++
		}
	}
	return n
}
