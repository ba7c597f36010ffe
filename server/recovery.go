package server

import (
	"cmp"
	"slices"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room"
	"github.com/seed58c87869/siren/server/internal/collect"
	"github.com/seed58c87869/siren/server/internal/history"
	"github.com/seed58c87869/siren/server/internal/keyed"
	"github.com/seed58c87869/siren/server/internal/packets"
	"github.com/seed58c87869/siren/server/internal/shown"
	"github.com/seed58c87869/siren/session"
)

// Recovery lets clients that lost their connection for a while continue as if they had not (connection state recovery
// of Socket.IO 4.6): with the same socket id, rooms and values, and with the events that they missed. It is on if
// MaxDisconnection is set.
//
// It costs a lock in each namespace, which every emitted event takes, and memory for recent events: those within
// MaxDisconnection and a heartbeat (PingInterval and twice PingTimeout, in which the loss of a client may go
// unnoticed). Every event gets one more argument, its offset, which clients hide. Volatile events, events with an
// acknowledgement and acknowledgements are not stored. The rooms of a socket at its end decide which events it missed,
// as in the reference. The connect handlers of a socket that comes back run after the disconnect handlers of its former
// life.
//
// In a cluster whose adapter has a log (cluster.Log) clients come back at any node, and their sessions are with the
// broker. Events then reach the node's own clients when the log returns them, in the order that all nodes have, or
// without it when the broker does not answer in time. What the node does next with its sockets, Leave excepted, is done
// behind them. A socket that comes back from another node has the values of Shared keys alone.
type Recovery struct {
	// MaxDisconnection is how long a client may be absent. Default 0: recovery is off, and other settings are an error.
	// The reference's default, when it is switched on, is 2 minutes.
	MaxDisconnection time.Duration
	// RunMiddlewares runs the namespace's middleware for recovered sockets too. Connect handlers always run.
	RunMiddlewares bool
	// MaxPackets bounds the events stored in each namespace. Default 100,000. A client that missed more is a new
	// client.
	MaxPackets int
	// MaxBytes bounds the bytes of the stored events, as sent on a WebSocket. Default 64 MiB. A client that missed more
	// than half of Queue.MaxBytes is a new client too.
	MaxBytes int
	// MaxSessions bounds the absent clients in each namespace. Default 100,000; above it the one that has been absent
	// for longest is forgotten.
	MaxSessions int
	// RestoreTimeout bounds the wait for a client's session, and for what it missed, where the cluster keeps them: it
	// is a new client then. Default 1 second, so that a broker that does not answer holds up nobody for longer.
	RestoreTimeout time.Duration
}

// Defaults of Recovery.
const (
	defaultRecoveryPackets  = 100_000
	defaultRecoveryBytes    = 64 << 20
	defaultRecoverySessions = 100_000
	defaultRestoreTimeout   = time.Second
)

// newHistory makes the history of a namespace.
func (srv *Server) newHistory(forget func(id string)) *history.History {
	c := &srv.cfg
	h := history.New(history.Limits{
		MaxDisconnection: c.Recovery.MaxDisconnection,
		Heartbeat: session.HeartbeatMax(
			cmp.Or(c.PingInterval, session.DefaultPingInterval), cmp.Or(c.PingTimeout, session.DefaultPingTimeout)),
		MaxPackets: c.Recovery.MaxPackets, MaxBytes: c.Recovery.MaxBytes, MaxSessions: c.Recovery.MaxSessions,
		MaxReplay: c.Queue.MaxBytes / 2,
	}, &srv.stats.recovery, forget)
	h.Now, h.After = srv.clock.Now, srv.clock.After
	return h
}

// recovery is the state of a socket that may come back, see Config.Recovery. Immutable once the socket is announced,
// except for the fields that its loop owns.
type recovery struct {
	pid history.PrivateID
	// recovered is set if the socket has come back.
	recovered bool
	// base and arrived are awaySocket's, as far as they are known before the end.
	base    history.Base
	arrived time.Duration
	// connected is when CONNECT was sent, and what was held for the socket, by the history's clock. Loop-owned.
	connected time.Duration
	// back is what the socket has come back with; nil once it is connected. Loop-owned.
	back *comeback
}

// comeback is the state that a socket has come back with. Immutable.
type comeback struct {
	// missed are the events that it is sent before CONNECT.
	missed []*eio.Frame
	// farewell is that of its former life.
	farewell *history.Farewell
}

// Recovered reports whether the socket has come back after its client had lost its connection: it has its former id,
// rooms and values, and the client gets the events that it missed. See Config.Recovery.
func (s *Socket) Recovered() bool {
	r := s.recovery()
	return r != nil && r.recovered
}

// recovery returns nil for sockets that cannot come back.
func (s *Socket) recovery() *recovery {
	if e := s.extra.Load(); e != nil {
		if r := e.rare.Load(); r != nil {
			return r.recovery
		}
	}
	return nil
}

// beginRecoverable begins a socket of a namespace with recovery: one that comes back, or a new one that may. back is
// the session that was taken for it, in a cluster with a log. Loop-only.
func (c *client) beginRecoverable(ns *Namespace, auth string, back *history.Recalled) {
	s := &Socket{ns: ns, client: c, auth: auth}
	r := new(recovery)
	e := new(extra)
	e.rare.Store(&rare{recovery: r})
	s.extra.Store(e)
	pid, after := history.Asked(auth)
	returns := false
	switch {
	case pid == "":
	case ns.logged():
		returns = ns.history.Return(back, s.comeBack)
	default:
		returns = ns.history.Restore(pid, after, s.comeBack)
	}
	if !returns {
		r.pid, s.id = history.NewPrivateID(), c.socketID(ns)
		s.member.Init(c.shard(), s)
	}
	if returns && back != nil && e.values.Load() == nil {
		e.values.Store(shown.Values(back.Session().Data))
	}
	c.sockets.Add(s)
	(*introduced)(s).count(true)
	admit := func() { s.inbox.PutAlways((*connection)(s), &c.srv.inbox) }
	h := ns.hooks.Load()
	switch {
	case r.back != nil && r.back.farewell != nil:
		ns.history.Afterwards(r.back.farewell, admit)
	case len(h.use)+len(h.connect) > 0:
		admit()
	default:
		s.passed = true
		s.announce()
		c.loop().Post(&verdict{s: s})
	}
}

// comeBack gives a new socket the state of the absent one, in all of its rooms. It returns false and does nothing if
// the socket cannot join them all. Called with the history's lock held, so that the socket is back in its rooms before
// later events and after earlier ones. Loop-only.
func (s *Socket) comeBack(a *history.Away, missed []*eio.Frame) bool {
	ns, w := s.ns, s.ns.watch.Load()
	if len(a.Rooms) > s.settings().maxRooms || ns.sockets.Get(a.ID) != nil || s.client.loop().Full() || !w.Reserve(len(a.Rooms)) {
		return false
	}
	rooms := make([]*room.Room, len(a.Rooms))
	for i, name := range a.Rooms {
		if rooms[i], _ = ns.rooms.Acquire(name, s.shard()); rooms[i] == nil {
			for _, r := range rooms[:i] {
				ns.rooms.Release(r, s.shard())
			}
			w.Arrived(len(a.Rooms))
			return false
		}
	}
	e := s.extra.Load()
	*s.recovery() = recovery{pid: a.PID, recovered: true, base: a.Base, arrived: a.Arrived, back: &comeback{missed, a.Farewell}}
	if v, ok := a.Values.(*keyed.Values); ok {
		e.values.Store(v)
	}
	e.user.User = a.User
	s.id = a.ID
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

// replay sends the missed events. Loop-only.
func (s *Socket) replay() {
	r := s.recovery()
	if r == nil {
		return
	}
	r.connected = s.ns.history.Now()
	if r.back == nil {
		return
	}
	for _, f := range r.back.missed {
		s.client.sess.Send(f, false)
	}
	r.back = nil
}

// mayComeBack reports whether the socket may come back after an end for that reason: if it was connected, or about to
// come back. Loop-only.
func (s *Socket) mayComeBack(reason Reason) bool {
	r := s.recovery()
	return r != nil && reason.Reconnects() && (s.phase == phaseConnected || s.phase == phaseEntered && r.recovered)
}

// goAway ends a socket that may come back, in one step, so that an event finds it either connected or absent.
// Loop-only.
func (s *Socket) goAway(bye *goodbye) (owed []*collect.Debt[Socket]) {
	s.ns.history.Leave(func(now time.Duration) *history.Away {
		owed = s.detach()
		s.ns.sockets.Leave(s.id, s)
		return s.awayWith(bye, now)
	})
	return owed
}

// awayWith returns the state with which the socket may come back; bye is nil if it has no disconnect handlers. Called
// with the history's lock held, when the socket is detached. Loop-only.
func (s *Socket) awayWith(bye *goodbye, now time.Duration) *history.Away {
	r, e := s.recovery(), s.extra.Load()
	s.mu.Lock()
	a := &history.Away{PID: r.pid, ID: s.id, Rooms: s.rooms.Names(&s.member), Base: r.base, Arrived: r.arrived, User: e.user.User}
	if bye != nil {
		s.ownValues() // its handlers may set some
	}
	s.mu.Unlock()
	a.Values = e.values.Load()
	if proven := now - s.client.sess.HeartbeatMax(); r.back == nil && proven > r.connected {
		a.Arrived = proven
	}
	switch {
	case r.back != nil && r.back.farewell != nil && !r.back.farewell.Over:
		a.Farewell = r.back.farewell // its own handlers have not begun
	case bye != nil:
		a.Farewell = new(history.Farewell)
		bye.farewell = a.Farewell
	}
	if s.ns.logged() {
		bye.away = a
	}
	return a
}

// emitKept emits an event and stores it for the socket's return, unless it is volatile.
func (s *Socket) emitKept(r *recovery, fill func(p *packets.Payload) error, flags emitFlags) error {
	if s.ns.logged() {
		return s.emitLogged(r, fill, flags)
	}
	p := packets.NewPayload(sio.Event, s.ns.name, packets.NoAck)
	defer p.Release()
	if err := fill(p); err != nil {
		return err
	}
	return s.ns.keep(p, &flags, &history.Audience{Rooms: []string{s.id}}, func(f *eio.Frame) error {
		switch {
		case !s.closed.Load():
			return s.place(f, flags.volatile) // compressing would keep the lock for a while
		case !flags.volatile && s.ns.history.Awaits(r.pid):
			return nil
		}
		return ErrClosed
	})
}

// emitKept broadcasts an event and stores it for absent sockets, unless it is volatile.
func (o Operator) emitKept(fill func(p *packets.Payload) error) (n int, err error) {
	p := packets.NewPayload(sio.Event, o.ns.name, packets.NoAck)
	defer p.Release()
	if err = fill(p); err != nil {
		return 0, err
	}
	if o.ns.logged() {
		return o.emitLogged(p.Data())
	}
	var data Raw
	if o.elsewhere() || o.listened() {
		data = p.Data()
	}
	var sent *eio.Frame
	err = o.ns.keep(p, &o.flags, o.audience(), func(f *eio.Frame) (err error) {
		sent = f
		n, err = o.sendHere(f, data)
		return err
	})
	if err != nil {
		return n, err
	}
	if n > 0 {
		// Not under the history's lock: compressing takes a while. A loop that has come to the packet first has done
		// it.
		o.ns.srv.host.Engine().Deflate(sent)
	}
	return n, o.publish(data)
}

// audience returns the operator by names.
func (o Operator) audience() *history.Audience {
	a := &history.Audience{Rooms: o.rooms, Users: o.users, Except: o.except}
	if o.from != nil {
		a.Except = append(slices.Clip(o.except), o.from.id)
	}
	return a
}

// keep gives the event with that payload its offset, sends it, and keeps it unless it is volatile.
func (ns *Namespace) keep(p *packets.Payload, flags *emitFlags, to *history.Audience, send func(f *eio.Frame) error) error {
	end := p.End()
	if flags.volatile {
		to = nil
	}
	return ns.history.Record(to, func(offset string) (*eio.Frame, error) {
		p.SetLast(end, offset)
		f, err := ns.srv.enc.Frame(p)
		if err == nil {
			flags.mark(f)
		}
		return f, err
	}, send)
}

// forgetHistory ends recovery, because nobody comes back to a closed server.
func (srv *Server) forgetHistory() {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	for _, ns := range srv.spaces {
		if ns.history != nil {
			ns.history.Close()
		}
	}
}
