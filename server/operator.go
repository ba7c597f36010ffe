package server

import (
	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/room"
	"github.com/seed58c87869/siren/session"
)

// Operator says whom a broadcast is for. An immutable value, safe to share and to keep: each method returns another
// one. Get one from Namespace.To, Socket.To and their like.
type Operator struct {
	ns     *Namespace
	from   *Socket
	rooms  []string
	except []string
	local  bool
	flags  emitFlags
}

// To adds rooms; the broadcast goes to the sockets in any of them, once each. A socket's id is a room that holds
// that socket. Without any room the broadcast is for the whole namespace, so To of an empty list changes nothing.
func (o Operator) To(rooms ...string) Operator {
	o.rooms = append(o.rooms[:len(o.rooms):len(o.rooms)], rooms...)
	return o
}

// In is To.
func (o Operator) In(rooms ...string) Operator { return o.To(rooms...) }

// Except leaves out the sockets in any of the rooms.
func (o Operator) Except(rooms ...string) Operator {
	o.except = append(o.except[:len(o.except):len(o.except)], rooms...)
	return o
}

// Volatile drops the event for those that cannot take it at once: their connection has data waiting, or no polling
// request of theirs waits.
func (o Operator) Volatile() Operator {
	o.flags.volatile = true
	return o
}

// Local keeps the broadcast on this node.
func (o Operator) Local() Operator {
	o.local = true
	return o
}

// Emit broadcasts an event. It is encoded once. The result is the number of sockets it was posted for, as far as
// their loops had told when it was called: a socket in several of the rooms counts for each, and one that is left
// out counts too. Errors: ErrReserved, ErrEncode, ErrQueueFull (some loops may have got it), ErrClosed.
func (o Operator) Emit(event string, args ...any) (int, error) {
	f, err := o.ns.srv.enc.event(o.ns.name, noAck, event, args)
	if err != nil {
		return 0, err
	}
	return o.send(f)
}

// send posts an encoded packet to the loops that have members.
func (o Operator) send(f *eio.Frame) (int, error) {
	b := &broadcast{ns: o.ns, frame: f, volatile: o.flags.volatile}
	if !o.resolve(&b.target) {
		return 0, nil
	}
	return o.ns.srv.post(b)
}

// resolve looks the names up; it is false when nobody can be meant.
func (o Operator) resolve(t *room.Target) bool {
	if o.from != nil {
		t.ExceptMember = &o.from.member
	}
	if len(o.rooms) == 0 {
		t.Rooms = []*room.Room{o.ns.rooms.Everyone()}
	}
	for _, name := range o.rooms {
		if r := o.ns.rooms.Lookup(name); r != nil {
			t.Rooms = append(t.Rooms, r)
		}
		if s := o.ns.sockets.get(name); s != nil {
			t.Members = append(t.Members, &s.member)
		}
	}
	for _, name := range o.except {
		if r := o.ns.rooms.Lookup(name); r != nil {
			t.Except = append(t.Except, r)
		}
		if s := o.ns.sockets.get(name); s != nil {
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
	volatile bool
}

// Run implements task.
func (b *broadcast) Run(loop int) { b.ns.shards[loop].Select(&b.target, b.deliver) }

// readAhead is how many sockets are looked at before the first of them gets the frame. Sockets lie anywhere in memory:
// one after the other their cache misses add up, side by side they overlap. With a million sockets it makes a broadcast
// more than twice as fast.
const readAhead = 32

// deliver queues the frame for the sockets that were selected. One that a delivery closed meanwhile takes nothing.
func (b *broadcast) deliver(selected []*room.Member) {
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
		for _, s := range sockets[:n] {
			s.deliver(b.frame, b.volatile)
		}
		selected = selected[n:]
	}
}

// post hands a broadcast to each loop that has members for it, and counts them. It is all of them or none, so that a
// caller may try again after ErrQueueFull: no loop is posted to when one has no room.
func (srv *Server) post(b *broadcast) (n int, err error) {
	// A server whose loops are not there yet has no members.
	for i := range srv.nloops {
		if b.target.OnShard(i) && srv.loops[i].Full() {
			return 0, srv.refused()
		}
	}
	for i := range srv.nloops {
		if b.target.OnShard(i) {
			srv.loops[i].Post(b)
			n += b.countOn(i)
		}
	}
	return n, nil
}

// countOn is the number of members on a loop, as far as it has told.
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
