package server

import (
	"log/slog"
	"slices"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/room"
	"github.com/seed58c87869/siren/server/internal/collect"
	"github.com/seed58c87869/siren/server/internal/history"
	"github.com/seed58c87869/siren/server/internal/refusal"
	"github.com/seed58c87869/siren/server/internal/tally"
)

// phase is the state of a socket in its life, as its loop sees it. It only increases.
type phase uint8

const (
	// phaseAsked: the middleware runs.
	phaseAsked phase = iota
	// phaseEntered: the connect handlers run; the socket is in its namespace, and what is sent to it waits for CONNECT.
	phaseEntered
	phaseConnected
	phaseClosed
)

// The texts of refusals without a reason of the application's.
const (
	notAuthorized     = "Not authorized"
	invalidNamespace  = "Invalid namespace"
	tooManyNamespaces = "Too many namespaces"
	authTooLarge      = "Auth payload too large"
	namespacesFull    = "No room for another namespace"
)

// connection is the job of connecting a socket, off the loop: middleware, then connect handlers.
type connection Socket

// Do implements session.Job.
func (c *connection) Do() {
	s := (*Socket)(c)
	finished := false
	defer func() {
		if !finished { // by runtime.Goexit: a verdict there must be
			s.client.loop().Post(&verdict{s, tally.Failed, s.client.refusal(s.ns.name, notAuthorized)})
		}
	}()
	s.admit()
	finished = true
}

// admit runs the middleware and the connect handlers.
func (s *Socket) admit() {
	h := s.ns.hooks.Load()
	use := h.use
	if s.Recovered() && !s.ns.srv.cfg.Recovery.RunMiddlewares {
		use = nil
	}
	for _, fn := range use {
		if !s.ask(fn) {
			return
		}
	}
	if !s.announce() {
		return
	}
	for _, fn := range h.connect {
		if !s.ask(fn) {
			return
		}
	}
	s.passed = true
	s.client.loop().Post(&verdict{s: s})
}

// ask runs a middleware or a connect handler. The refusal is encoded here, off the loop, because encoding its data may
// run the application's code (MarshalJSON).
func (s *Socket) ask(fn Middleware) bool {
	err := s.guard(eventConnection, func() error { return fn(&s.ctx, s) })
	if err != nil {
		s.client.loop().Post(&verdict{s, tally.ResultOf(err), s.refusal(err)})
	}
	return err == nil
}

// refusal returns the CONNECT_ERROR for a handler's error.
func (s *Socket) refusal(err error) *eio.Frame {
	r, ok := refusal.As(err)
	if !ok {
		return s.client.refusal(s.ns.name, notAuthorized)
	}
	var f *eio.Frame
	err = s.guard(eventConnection, func() (err error) {
		f, err = s.client.refusalOf(s.ns, r)
		return err
	})
	if err != nil {
		return s.client.refusal(s.ns.name, r.Message)
	}
	return f
}

// announce counts a socket that has passed the middleware in its namespace and makes it findable, so that packets of
// its connect handlers reach it too. It returns false if the socket has ended.
func (s *Socket) announce() bool {
	r := s.recovery()
	if r == nil || r.recovered {
		return s.introduce()
	}
	return s.ns.history.Enter(func(base history.Base, now time.Duration) bool {
		r.base, r.arrived = base, now
		return s.introduce()
	})
}

// introduce does the work of announce. For a socket that may come back, it is called with the history's lock held.
func (s *Socket) introduce() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return false
	}
	if s.announced {
		return true
	}
	s.ns.rooms.Retain(s.ns.rooms.Everyone(), s.shard())
	s.announced = true
	// Whoever finds the socket posts behind its entry.
	s.client.loop().Post((*entry)(s))
	s.ns.sockets.Add(s.id, s)
	s.ns.users.Add(s)
	return true
}

// entry is the task that makes a socket a member of its namespace.
type entry Socket

// Run implements task.
func (e *entry) Run(int) {
	s := (*Socket)(e)
	defer s.client.sess.EndOnPanic()
	s.enter()
}

// enter makes the socket a member of its namespace, which has counted it already. From now on broadcasts are held for
// it. Loop-only.
func (s *Socket) enter() {
	loop, everyone := s.shard(), s.ns.rooms.Everyone()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != phaseAsked || !s.ns.shards[loop].Join(&s.member, everyone) {
		s.ns.rooms.Release(everyone, loop)
		return
	}
	s.phase = phaseEntered
}

// verdict is the result of the middleware and the connect handlers.
type verdict struct {
	s       *Socket
	result  tally.Result
	refusal *eio.Frame // nil if a parser of the application's failed
}

// Run implements task.
func (v *verdict) Run(int) {
	defer v.s.client.sess.EndOnPanic()
	if v.result != tally.Connected {
		v.s.refuse(v.refusal, v.result)
		return
	}
	v.s.accept()
}

// accept sends CONNECT and the packets that waited for it. Loop-only.
func (s *Socket) accept() {
	if s.phase != phaseEntered {
		return
	}
	s.phase = phaseConnected
	s.marks.Or(markConnected)
	s.ns.srv.tally.Connected(s.shard(), s.ns.tally)
	c := s.client
	c.stopConnectTimer()
	s.replay()
	c.send(c.connected(s))
	pending := s.release()
	for _, f := range pending {
		c.sess.Send(f, false)
	}
	if debugs(s.ns.srv.sio) {
		s.debugSocket("connected")
	}
}

// refuse sends CONNECT_ERROR. The client's connection stays open. Loop-only.
func (s *Socket) refuse(f *eio.Frame, why tally.Result) {
	if !s.end(ReasonServerLeft) {
		return
	}
	s.ns.tally.Connect(s.shard(), why)
	s.client.sockets.Remove(s)
	s.client.send(f)
	if debugs(s.ns.srv.sio) {
		s.debugSocket("refused")
	}
}

// departure is a Disconnect on its way to the loop.
type departure struct {
	s         *Socket
	closeConn bool
	reason    Reason
}

// Run implements task.
func (d *departure) Run(int) {
	defer d.s.client.sess.EndOnPanic()
	if d.closeConn {
		d.s.client.disconnect()
		return
	}
	d.s.leave(d.reason)
}

// leave takes the socket out of its namespace and tells the client, unless the client has left itself. Loop-only.
func (s *Socket) leave(r Reason) {
	switch s.phase {
	case phaseClosed:
		return
	case phaseAsked:
		s.refuse(s.client.refusal(s.ns.name, notAuthorized), tally.Denied)
		return
	case phaseEntered:
		s.accept()
	}
	if r.Plain() == ReasonServerLeft {
		s.client.send(s.ns.srv.enc.Disconnect(s.ns.name))
	}
	s.close(r)
	s.client.sockets.Remove(s)
	s.client.hasLeft(s.ns.name)
}

// close ends a socket that is not refused. Loop-only.
func (s *Socket) close(r Reason) {
	if s.end(r) && debugs(s.ns.srv.sio) {
		s.debugSocket("disconnected", slog.String("reason", r.String()))
	}
}

// end ends the socket: it leaves its rooms at once, its context ends, and so do the waits for its acknowledgements. Its
// disconnect handlers are called if its connect handlers passed. It returns false if the socket has ended before.
// Loop-only.
func (s *Socket) end(r Reason) bool {
	if s.phase == phaseClosed {
		return false
	}
	why := r
	r = why.Plain()
	s.ns.srv.deadlines[s.shard()].Remove(s)
	mayComeBack := s.mayComeBack(r)
	if s.phase == phaseConnected {
		s.ns.srv.tally.Loop(s.shard()).Disconnected(why)
	}
	s.phase = phaseClosed
	(*introduced)(s).count(false)
	s.ns.srv.stats.late.Add(uint64(len(s.release())))
	var owed []*collect.Debt[Socket]
	var bye *goodbye
	if mayComeBack {
		bye = s.goodbye(r)
		owed = s.goAway(bye)
	} else {
		owed = s.detach()
		s.ns.sockets.Remove(s.id, s)
		bye = s.goodbye(r)
	}
	s.ctx.Cancel(r)
	for _, d := range owed {
		d.Wait.Inquiry().Left(s.shard())
	}
	if bye != nil {
		s.inbox.PutAlways(bye, &s.ns.srv.inbox)
	} else {
		s.ns.srv.dynamic.drop(s.ns)
	}
	return true
}

// goodbye returns the job of the disconnect handlers, or nil if there are none for the socket. The socket has ended, or
// was announced.
func (s *Socket) goodbye(r Reason) *goodbye {
	// Nobody announces a socket that has ended.
	if h := s.ns.hooks.Load(); !s.announced || len(h.disconnect)+len(h.disconnecting) == 0 && !s.ns.logged() {
		return nil
	}
	return &goodbye{s: s, reason: r}
}

// detach closes the socket and takes it out of its rooms. Its Rooms stay as they were. Loop-only.
func (s *Socket) detach() (owed []*collect.Debt[Socket]) {
	loop := s.shard()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed.Store(true)
	s.ns.users.Remove(s)
	s.ns.shards[loop].Detach(&s.member, func(r *room.Room) { s.ns.unlinked(s, r, loop) })
	return s.debts.Take()
}

// goodbye is the job of a socket's disconnect handlers.
type goodbye struct {
	s      *Socket
	reason Reason
	// farewell is nil unless the socket may come back. away is nil unless its session is kept by the cluster's broker.
	farewell *history.Farewell
	away     *history.Away
}

// Do implements session.Job. It runs after the connect handlers in the inbox, so passed is final.
func (g *goodbye) Do() {
	s := g.s
	// Its namespace stays as long as the handlers may have something to say there.
	defer s.ns.srv.dynamic.drop(s.ns)
	defer s.ns.history.Over(g.farewell)
	defer s.save(g.away)
	if !s.passed {
		return
	}
	h := s.ns.hooks.Load()
	for _, fn := range slices.Concat(h.disconnecting, h.disconnect) {
		_ = s.guard(eventDisconnect, func() error { fn(s, g.reason); return nil })
	}
}
