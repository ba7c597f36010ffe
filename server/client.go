package server

import (
	"context"
	"log/slog"
	"slices"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/poller/wheel"
	"github.com/seed58c87869/siren/server/internal/history"
	"github.com/seed58c87869/siren/server/internal/partial"
	"github.com/seed58c87869/siren/server/internal/roster"
	"github.com/seed58c87869/siren/server/internal/tally"
	"github.com/seed58c87869/siren/session"
)

// client is the Socket.IO side of one session. It parses packets and has the sockets, one per namespace. Loop-owned.
type client struct {
	srv     *Server
	sess    *session.Session
	partial *partial.Packet // nil while no packet is incomplete, with the default parser
	sockets roster.List[Socket]
	joins   *joins // nil once a namespace was joined, unless parents are asked for another one, or one was left
}

// joins is the state of a client that joins namespaces: a timer that ends a session which joins none, the questions to
// parents, and the namespaces that it has left. It is separate so that connected clients do not need it. Loop-owned.
type joins struct {
	wheel.Timer
	c      *client
	asking *asking // nil unless parents are asked for a namespace
	// left has the names of the namespaces in which the client had a connected socket.
	left []string
}

// Expire implements wheel.Expirer. Sockets whose handlers still run have not joined.
func (j *joins) Expire(int64) {
	defer j.c.sess.EndOnPanic()
	j.c.end(session.ReasonForcedServerClose)
}

// join returns the joins and makes it if necessary.
func (c *client) join() *joins {
	if c.joins == nil {
		c.joins = &joins{c: c}
		c.joins.Init(c.joins)
	}
	return c.joins
}

// joined releases the joins if it is empty.
func (c *client) joined() {
	if j := c.joins; j.asking == nil && !j.Scheduled() && j.left == nil {
		c.joins = nil
	}
}

func newClient(srv *Server, sess *session.Session) *client {
	c := &client{srv: srv, sess: sess}
	if c.old() {
		c.connectRoot()
		return c
	}
	c.loop().Wheel().Schedule(&c.join().Timer, wheel.Deadline(c.loop().Now(), srv.cfg.ConnectTimeout))
	return c
}

// shard returns the index of the session's loop. Safe for concurrent use, as is loop.
func (c *client) shard() int { return c.sess.Shard().Index() }

func (c *client) loop() eventLoop { return c.srv.host.Loop(c.shard()) }

func (c *client) stopConnectTimer() {
	if c.joins != nil {
		c.loop().Wheel().Cancel(&c.joins.Timer)
		c.joined()
	}
}

// Message implements session.Client.
func (c *client) Message(data []byte, binary bool) {
	if c.srv.enc.Parsed() {
		c.decode(data, binary)
		return
	}
	if binary {
		c.attachment(data)
		return
	}
	if c.partial != nil {
		c.invalid(errTextBetween)
		return
	}
	var p sio.Packet
	if err := sio.Parse(data, &c.srv.limits, &p); err != nil {
		c.invalid(err)
		return
	}
	if p.Attachments > 0 {
		c.partial = partial.Begin(c, c.loop(), c.srv.cfg.AttachmentTimeout, data, &p)
		return
	}
	c.packet(&p, nil, false)
}

// invalid ends the connection of a client that violated the protocol.
func (c *client) invalid(err error) {
	if debugs(c.srv.sio) {
		c.srv.sio.LogAttrs(context.Background(), slog.LevelDebug, "invalid packet",
			slog.String("addr", c.sess.Handshake().Address()), slog.Any("err", err))
	}
	c.end(session.ReasonForcedClose)
}

// packet handles one complete packet. owned means that its views need no copy.
func (c *client) packet(p *sio.Packet, attachments [][]byte, owned bool) {
	if c.sess.Limited() && !c.admits(p) {
		return
	}
	if p.Query != nil && !c.old() {
		c.queried(p)
		return
	}
	s := c.socket(p.Namespace)
	switch {
	case c.sess.Quiet() && p.Type != sio.Ack && p.Type != sio.BinaryAck && p.Type != sio.Disconnect:
		// The session is about to end. The client tells by the missing acknowledgement.
	case p.Type == sio.Connect:
		c.asksToConnect(p, s)
	case p.Type == sio.ConnectError:
		c.end(session.ReasonForcedServerClose)
	case s == nil || s.phase != phaseConnected:
		c.stray(p)
	default:
		s.heard = true
		s.packet(p, attachments, owned)
	}
}

// packet handles a packet of a connected socket. Loop-only.
func (s *Socket) packet(p *sio.Packet, attachments [][]byte, owned bool) {
	switch p.Type {
	case sio.Disconnect:
		s.leave(ReasonClientLeft)
	case sio.Ack, sio.BinaryAck:
		s.acknowledged(p, attachments, owned)
	default:
		if p.Data == nil { // an event without a name
			s.ns.srv.stats.unhandled.Add(1)
			return
		}
		s.receive(p, attachments, owned)
	}
}

// asksToConnect handles CONNECT; s is the client's socket in that namespace, or nil. A client may send CONNECT again
// before it gets the answer to the first one: one answer serves both. Like the reference server, it ends the connection
// if the namespace is connected, but only after a packet to the socket has shown that the client knows.
func (c *client) asksToConnect(p *sio.Packet, s *Socket) {
	switch {
	case s != nil && s.heard:
		c.end(session.ReasonForcedServerClose)
	case s == nil && !c.asks(p.Namespace):
		c.connect(p)
	}
}

// stray handles a packet for a namespace in which the client has no connected socket. If there was a socket, the packet
// is late, because both sides may end a socket while packets of the other are on their way: it is counted and ignored.
// Otherwise the client violates the protocol.
func (c *client) stray(p *sio.Packet) {
	switch {
	case c.joins == nil || !slices.Contains(c.joins.left, string(p.Namespace)):
		c.end(session.ReasonForcedServerClose)
	case p.Type == sio.Ack || p.Type == sio.BinaryAck:
		c.srv.stats.unknownAcks.Add(1)
	case p.Type != sio.Disconnect:
		c.srv.stats.unhandled.Add(1)
	}
}

// hasLeft notes that the client had a socket in a namespace. It keeps the latest Config.MaxNamespaces names.
func (c *client) hasLeft(ns string) {
	j := c.join()
	if slices.Contains(j.left, ns) {
		return
	}
	if len(j.left) >= c.srv.cfg.MaxNamespaces {
		j.left = slices.Delete(j.left, 0, 1)
	}
	j.left = append(j.left, ns)
}

// socket returns the socket in that namespace, or nil. It searches the list, which is short: nearly always one socket.
func (c *client) socket(ns []byte) *Socket {
	if s := c.sockets.First(); s != nil && s.ns.name == string(ns) {
		return s
	}
	for s := range c.sockets.All {
		if s.ns.name == string(ns) {
			return s
		}
	}
	return nil
}

// connect handles CONNECT for a namespace that the client has not joined.
func (c *client) connect(p *sio.Packet) {
	ns := c.srv.namespace(p.Namespace)
	dynamic := ns == nil && len(c.srv.dynamic.all()) > 0 && sio.ValidNamespace(string(p.Namespace))
	if ns == nil && !dynamic {
		c.srv.tally.Unknown.Connect(c.shard(), tally.Refused)
		c.send(c.srv.enc.ConnectError(string(p.Namespace), invalidNamespace))
		return
	}
	auth, refusal := c.authOf(p), ""
	switch {
	case c.joining() >= c.srv.cfg.MaxNamespaces:
		refusal = tooManyNamespaces
	case len(auth) > c.srv.cfg.MaxAuthBytes:
		refusal = authTooLarge
	case dynamic:
		c.ask(string(p.Namespace), auth, nil)
		return
	case ns.logged() && !c.old() && history.Asks(auth):
		c.ask(string(p.Namespace), auth, ns)
		return
	default:
		c.beginSocket(ns, auth, nil)
		return
	}
	counts := c.srv.tally.Dynamic
	if ns != nil {
		counts = ns.tally
		c.srv.dynamic.drop(ns)
	}
	counts.Connect(c.shard(), tally.Refused)
	c.send(c.refusal(string(p.Namespace), refusal))
}

// beginSocket makes a socket in a namespace that is held for it. back is the session with which it comes back.
func (c *client) beginSocket(ns *Namespace, auth string, back *history.Recalled) {
	if ns.history != nil && !c.old() {
		c.beginRecoverable(ns, auth, back)
		return
	}
	s := &Socket{ns: ns, client: c, id: c.socketID(ns), auth: auth}
	s.member.Init(c.shard(), s)
	c.sockets.Add(s)
	(*introduced)(s).count(true)
	if h := ns.hooks.Load(); len(h.use)+len(h.connect) > 0 {
		s.inbox.PutAlways((*connection)(s), &c.srv.inbox)
		return
	}
	s.passed, s.announced = true, true
	ns.rooms.Retain(ns.rooms.Everyone(), c.shard())
	s.enter()
	ns.sockets.Add(s.id, s)
	s.accept()
}

// disconnect ends all sockets and closes the connection, as the server's decision.
func (c *client) disconnect() {
	for s := c.sockets.Last(); s != nil; s = c.sockets.Last() {
		s.leave(ReasonServerLeft)
		c.sockets.Remove(s)
	}
	c.end(session.ReasonForcedServerClose)
}

// send sends a packet of the protocol itself. If f is nil, because a parser of the application failed, it ends the
// connection, because the client would wait for the packet forever.
func (c *client) send(f *eio.Frame) {
	if f == nil {
		c.end(session.ReasonForcedServerClose)
		return
	}
	c.sess.Send(f, false)
}

// end closes the session, which calls Closed.
func (c *client) end(r session.Reason) { c.sess.Close(r) }

// Closed implements session.Client.
func (c *client) Closed(session.Reason) {
	r := c.sess.Reason()
	c.stopConnectTimer()
	c.stopAsking(r)
	c.drop()
	sockets := c.sockets
	c.sockets = roster.List[Socket]{}
	for s := range sockets.All {
		s.close(r)
	}
}
