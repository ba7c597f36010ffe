package server

import (
	"slices"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room"
	"github.com/seed58c87869/siren/server/internal/packets"
)

// recovery is what a socket has that may come back, see Config.Recovery. Immutable once the socket is announced, but for
// what its loop owns.
type recovery struct {
	pid privateID
	// recovered: the socket has come back.
	recovered bool
	// base and arrived are awaySocket's, as far as they are known before the end.
	base    uint64
	arrived time.Duration
	// connected is when CONNECT was sent, and what was held for the socket, by the history's clock. Loop-owned.
	connected time.Duration
	// back is what the socket has come back with; nil once it is connected. Loop-owned.
	back *comeback
}

// comeback is what a socket comes back with. Immutable.
type comeback struct {
	// missed are the events that it is sent before CONNECT.
	missed []*eio.Frame
	// farewell is that of its former life.
	farewell *farewell
}

// Recovered reports whether this is a socket that its client had lost for a while: it has its id, its rooms and its values
// again, and the client gets the events that it missed. Immutable. See Config.Recovery.
func (s *Socket) Recovered() bool {
	r := s.recovery()
	return r != nil && r.recovered
}

// recovery is nil for sockets that cannot come back.
func (s *Socket) recovery() *recovery {
	if e := s.extra.Load(); e != nil {
		if r := e.rare.Load(); r != nil {
			return r.recovery
		}
	}
	return nil
}

// beginRecoverable begins a socket of a namespace with recovery: one that comes back, or a new one that may. Loop-only.
func (c *client) beginRecoverable(ns *Namespace, auth string) {
	s := &Socket{ns: ns, client: c, auth: auth}
	r := new(recovery)
	e := new(extra)
	e.rare.Store(&rare{recovery: r})
	s.extra.Store(e)
	pid, after := recoveryOf(auth)
	if pid == "" || !ns.history.restore(pid, after, s.comeBack) {
		r.pid, s.id = newPrivateID(), c.socketID(ns)
		s.member.Init(c.shard(), s)
	}
	c.sockets.add(s)
	(*introduced)(s).count(true)
	admit := func() { s.inbox.PutAlways((*connection)(s), &c.srv.inbox) }
	h := ns.hooks.Load()
	switch {
	case r.back != nil && r.back.farewell != nil:
		ns.history.afterwards(r.back.farewell, admit)
	case len(h.use)+len(h.connect) > 0:
		admit()
	default:
		s.passed = true
		s.announce()
		c.loop().Post(&verdict{s: s})
	}
}

// comeBack makes a new socket the one that was away, in all of its rooms; it is false, and nothing is done, when it cannot
// join them all. Called with the history's lock held, so that the socket is back in its rooms before anything else is
// emitted, and behind what was. Loop-only.
func (s *Socket) comeBack(a *awaySocket, missed []*eio.Frame) bool {
	ns, w := s.ns, s.ns.watch.Load()
	if len(a.rooms) > s.settings().maxRooms || s.client.loop().Full() || !w.reserve(len(a.rooms)) {
		return false
	}
	rooms := make([]*room.Room, len(a.rooms))
	for i, name := range a.rooms {
		if rooms[i], _ = ns.rooms.Acquire(name, s.shard()); rooms[i] == nil {
			for _, r := range rooms[:i] {
				ns.rooms.Release(r, s.shard())
			}
			w.arrived(len(a.rooms))
			return false
		}
	}
	e := s.extra.Load()
	*s.recovery() = recovery{pid: a.pid, recovered: true, base: a.base, arrived: a.arrived, back: &comeback{missed, a.farewell}}
	e.values.Store(a.values)
	e.user = a.user
	s.id = a.id
	s.member.Init(s.shard(), s)
	s.introduce()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range rooms {
		s.client.loop().Post(s.operation(r, true, w))
		s.rooms.Join(r, false)
	}
	return true
}

// recoveryOf finds the private id and the offset in an auth payload; the id is "" when there is none.
func recoveryOf(auth string) (pid, after string) {
	var a struct {
		PID    string `json:"pid"`
		Offset string `json:"offset"`
	}
	if auth == "" || sio.Unmarshal([]byte(auth), nil, &a) != nil {
		return "", ""
	}
	return a.PID, a.Offset
}

// replay sends what the socket missed. Loop-only.
func (s *Socket) replay() {
	r := s.recovery()
	if r == nil {
		return
	}
	r.connected = s.ns.history.now()
	if r.back == nil {
		return
	}
	for _, f := range r.back.missed {
		s.client.sess.Send(f, false)
	}
	r.back = nil
}

// mayComeBack reports whether the socket may come back after an end for that reason: one that was connected, or that was
// about to come back. Loop-only.
func (s *Socket) mayComeBack(reason Reason) bool {
	r := s.recovery()
	return r != nil && recoverable(reason) && (s.phase == phaseConnected || s.phase == phaseEntered && r.recovered)
}

// goAway ends a socket that may come back: in one go, so that an event finds it either connected or away. Loop-only.
func (s *Socket) goAway(bye *goodbye) (owed []*debt) {
	s.ns.history.leave(func(now time.Duration) *awaySocket {
		owed = s.detach()
		s.ns.sockets.leave(s)
		return s.awayWith(bye, now)
	})
	return owed
}

// awayWith is what the socket will come back with; bye is nil when it has no disconnect handlers. Called with the history's
// lock held, when the socket is detached. Loop-only.
func (s *Socket) awayWith(bye *goodbye, now time.Duration) *awaySocket {
	r, e := s.recovery(), s.extra.Load()
	s.mu.Lock()
	a := &awaySocket{pid: r.pid, id: s.id, rooms: s.rooms.Names(&s.member), base: r.base, arrived: r.arrived, user: e.user}
	if bye != nil {
		s.ownValues() // its handlers may set some
	}
	s.mu.Unlock()
	a.values = e.values.Load()
	if proven := now - s.client.sess.HeartbeatMax(); r.back == nil && proven > r.connected {
		a.arrived = proven
	}
	switch {
	case r.back != nil && r.back.farewell != nil && !r.back.farewell.over:
		a.farewell = r.back.farewell // its own handlers have not begun
	case bye != nil:
		a.farewell = new(farewell)
		bye.farewell = a.farewell
	}
	return a
}

// emitKept emits an event that the socket gets also when it is away and comes back, unless it is volatile.
func (s *Socket) emitKept(r *recovery, fill func(p *packets.Payload) error, flags emitFlags) error {
	p := packets.NewPayload(sio.Event, s.ns.name, packets.NoAck)
	defer p.Release()
	if err := fill(&p); err != nil {
		return err
	}
	return s.ns.keep(&p, &flags, &audience{rooms: []string{s.id}}, func(f *eio.Frame) error {
		switch {
		case !s.closed.Load():
			return s.place(f, flags.volatile) // compressing would keep the lock for a while
		case !flags.volatile && s.ns.history.awaits(r.pid):
			return nil
		}
		return ErrClosed
	})
}

// emitKept broadcasts an event that those who are away get when they come back, unless it is volatile.
func (o Operator) emitKept(fill func(p *packets.Payload) error) (n int, err error) {
	p := packets.NewPayload(sio.Event, o.ns.name, packets.NoAck)
	defer p.Release()
	if err = fill(&p); err != nil {
		return 0, err
	}
	var data Raw
	if o.elsewhere() || o.listened() {
		data = p.Data()
	}
	var sent *eio.Frame
	err = o.ns.keep(&p, &o.flags, o.audience(), func(f *eio.Frame) (err error) {
		sent = f
		n, err = o.sendHere(f, data)
		return err
	})
	if err != nil {
		return n, err
	}
	if n > 0 {
		// Not under the history's lock: compressing takes a while. A loop that has come to the packet first has done it.
		o.ns.srv.engine.Deflate(sent)
	}
	return n, o.publish(data)
}

// audience is the operator by names.
func (o Operator) audience() *audience {
	a := &audience{rooms: o.rooms, users: o.users, except: o.except}
	if o.from != nil {
		a.except = append(slices.Clip(o.except), o.from.id)
	}
	return a
}

// keep gives the event with that payload its offset, sends it, and keeps it unless it is volatile.
func (ns *Namespace) keep(p *packets.Payload, flags *emitFlags, to *audience, send func(f *eio.Frame) error) error {
	end := p.End()
	if flags.volatile {
		to = nil
	}
	return ns.history.record(to, func(offset string) (*eio.Frame, error) {
		p.SetLast(end, offset)
		f, err := ns.srv.enc.Frame(p)
		if err == nil {
			flags.mark(f)
		}
		return f, err
	}, send)
}

// forgetHistory is the end of recovery: nobody comes back to a server that is closed.
func (srv *Server) forgetHistory() {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	for _, ns := range srv.spaces {
		if ns.history != nil {
			ns.history.close()
		}
	}
}
