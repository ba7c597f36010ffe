package server

import (
	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/session"
)

// What is different for clients of Socket.IO protocol 4, those of Engine.IO 3: connecting. All other packets are the
// same. The functions that take no loop are safe for concurrent use, because a session's protocol never changes.

// old reports whether the client speaks the older protocols.
func (c *client) old() bool { return c.sess.Protocol() == eio.Protocol3 }

// connectRoot joins the namespace "/", which the client takes for granted. Loop-only.
func (c *client) connectRoot() {
	c.connect(&sio.Packet{Type: sio.Connect, Namespace: []byte(c.srv.root.name)})
}

// socketID returns the id of a new socket. An old client is not told: it makes its own of the session's id.
func (c *client) socketID(ns *Namespace) string {
	switch {
	case !c.old():
		return eio.NewSocketID(c.shard())
	case ns == c.srv.root:
		return c.sess.SID()
	}
	return ns.name + "#" + c.sess.SID()
}

// authOf returns the auth payload of a CONNECT packet, as JSON; "" when there is none.
func (c *client) authOf(p *sio.Packet) string {
	if c.old() {
		return string(sio.AppendQuery(nil, p.Query))
	}
	return string(p.Data)
}

// queried handles a packet whose namespace has a query string. Only old clients say something with one; to others it is
// part of a name that no namespace has. Loop-only.
func (c *client) queried(p *sio.Packet) {
	if p.Type != sio.Connect {
		c.end(session.ReasonForcedServerClose)
		return
	}
	name := string(p.Namespace) + "?" + string(p.Query)
	c.send(c.srv.enc.ConnectError(name, invalidNamespace))
}

// connected is CONNECT, which tells an old client nothing but that.
func (c *client) connected(s *Socket) *eio.Frame {
	if !c.old() {
		pid := ""
		if r := s.recovery(); r != nil {
			pid = string(r.pid)
		}
		return c.srv.enc.Connect(s.ns.name, s.id, pid)
	}
	return c.srv.enc.Plain(sio.Connect, s.ns.name, nil)
}

// refusal returns a CONNECT_ERROR without data, of a namespace by name.
func (c *client) refusal(namespace, message string) *eio.Frame {
	return c.srv.enc.Refuse(namespace, message, c.old())
}

// refusalOf returns a CONNECT_ERROR with what the application says.
func (c *client) refusalOf(ns *Namespace, r *Refusal) (*eio.Frame, error) {
	return c.srv.enc.RefuseWith(ns.name, r.Message, r.Data, r.HasData, c.old())
}
