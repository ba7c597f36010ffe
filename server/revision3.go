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

// socketID is the id of a new socket. An old client is not told: it makes its own of the session's id.
func (c *client) socketID(ns *Namespace) string {
	switch {
	case !c.old():
		return eio.NewSocketID(c.shard())
	case ns == c.srv.root:
		return c.sess.SID()
	}
	return ns.name + "#" + c.sess.SID()
}

// authOf is the auth payload of a CONNECT packet, as JSON; "" when there is none.
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
	c.send(c.srv.enc.connectError(name, invalidNamespace))
}

// connected is CONNECT, which tells an old client nothing but that.
func (c *client) connected(s *Socket) *eio.Frame {
	if !c.old() {
		pid := ""
		if r := s.recovery(); r != nil {
			pid = r.pid.String()
		}
		return c.srv.enc.connect(s.ns.name, s.id, pid)
	}
	return c.srv.enc.plain(sio.Connect, s.ns.name, nil)
}

// refusal is a CONNECT_ERROR without data, of a namespace by name.
func (c *client) refusal(namespace, message string) *eio.Frame {
	if !c.old() {
		return c.srv.enc.connectError(namespace, message)
	}
	// A string can always be encoded.
	data, _ := sio.AppendPlain(nil, message)
	return c.srv.enc.plain(sio.ConnectError, namespace, data)
}

// refusalOf is a CONNECT_ERROR with what the application says.
func (c *client) refusalOf(ns *Namespace, r *Refusal) (*eio.Frame, error) {
	value, err := c.srv.enc.value(r.Data)
	if err != nil {
		return nil, err
	}
	data, err := c.appendRefusal(nil, r, value)
	if err != nil {
		return nil, encodeError(err)
	}
	return c.srv.enc.plain(sio.ConnectError, ns.name, data), nil
}

// appendRefusal appends the payload of CONNECT_ERROR. An old client gets the data alone or, when that is nothing in
// JavaScript's eyes, the message.
func (c *client) appendRefusal(dst []byte, r *Refusal, value any) ([]byte, error) {
	if !c.old() {
		return sio.AppendConnectErrorPayload(dst, r.Message, value, r.HasData)
	}
	if r.HasData {
		out, err := sio.AppendPlain(dst, value)
		if err != nil {
			return dst, err
		}
		switch string(out[len(dst):]) {
		case "null", "false", "0", `""`:
		default:
			return out, nil
		}
	}
	return sio.AppendPlain(dst, r.Message)
}
