package server

import (
	"slices"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/sio"
)

// recovery is what a socket has that may come back, see Config.Recovery. Immutable once the socket is made, but for
// missed.
type recovery struct {
	pid string
	// recovered: the socket has come back.
	recovered bool
	// missed are the events that it is sent before CONNECT. Loop-owned.
	missed []*eio.Frame
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
		return e.recovery
	}
	return nil
}

// beginRecoverable begins a socket of a namespace with recovery: one that comes back, or a new one that may. Loop-only.
func (c *client) beginRecoverable(ns *Namespace, auth string) {
	s := &Socket{ns: ns, client: c, auth: auth}
	r := new(recovery)
	s.extra.Store(&extra{recovery: r})
	if pid, after := recoveryOf(auth); pid != "" {
		_, r.missed = ns.history.restore(pid, after, func(a *awaySocket) { s.comeBack(r, a) })
	}
	if !r.recovered {
		r.pid, s.id = newPID(), c.socketID(ns)
		s.member.Init(c.shard(), s)
	}
	c.sockets.add(s)
	if h := ns.hooks.Load(); len(h.use)+len(h.connect) > 0 {
		s.inbox.PutAlways((*connection)(s), &c.srv.inbox)
		return
	}
	s.passed = true
	s.announce()
	c.loop().Post(&verdict{s: s})
}

// comeBack makes a new socket the one that was away. Called with the history's lock held, so that the socket is back in
// its rooms before anything else is emitted, and behind what was.
func (s *Socket) comeBack(r *recovery, a *awaySocket) {
	s.id, r.pid, r.recovered = a.id, a.pid, true
	s.member.Init(s.shard(), s)
	s.extra.Load().values = a.values
	s.announce()
	_ = s.Join(a.rooms...) // it was in them
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
	for _, f := range r.missed {
		s.client.sess.Send(f, false)
	}
	r.missed = nil
}

// goAway lets a connected socket that has ended come back. Loop-only.
func (s *Socket) goAway() {
	r := s.recovery()
	s.mu.Lock()
	a := &awaySocket{pid: r.pid, id: s.id, rooms: s.rooms.Names(&s.member)}
	if v := s.extra.Load().values; v != nil {
		a.values = &values{slices.Clone(v.list)} // the old socket's handlers may change theirs still
	}
	s.mu.Unlock()
	s.ns.history.leave(a)
}

// emitKept emits an event that the socket gets also when it is away and comes back.
func (s *Socket) emitKept(r *recovery, fill func(p *payload) error, flags emitFlags) error {
	p := newPayload(sio.Event, s.ns.name, noAck)
	defer p.release()
	if err := fill(&p); err != nil {
		return err
	}
	return s.ns.keep(&p, &flags, &audience{rooms: []string{s.id}}, func(f *eio.Frame) error {
		switch {
		case !s.closed.Load():
			return s.place(f, false) // compressing would keep the lock for a while
		case s.ns.history.awaits(r.pid):
			return nil
		}
		return ErrClosed
	})
}

// emitKept broadcasts an event that those who are away get when they come back.
func (o Operator) emitKept(fill func(p *payload) error) (n int, err error) {
	p := newPayload(sio.Event, o.ns.name, noAck)
	defer p.release()
	if err = fill(&p); err != nil {
		return 0, err
	}
	var data Raw
	if o.elsewhere() || o.listened() {
		data = p.data()
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
	a := &audience{rooms: o.rooms, except: o.except}
	if o.from != nil {
		a.except = append(slices.Clip(o.except), o.from.id)
	}
	return a
}

// keep gives the event with that payload its offset, sends it and keeps it.
func (ns *Namespace) keep(p *payload, flags *emitFlags, to *audience, send func(f *eio.Frame) error) error {
	end := len(p.text) - 1 // the bracket
	return ns.history.record(to, func(offset string) (*eio.Frame, error) {
		p.text = append(append(append(p.text[:end], `,"`...), offset...), `"]`...)
		f, err := ns.srv.enc.frame(p)
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
