package server

import (
	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/sio"
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

// appendConnected appends CONNECT, which tells an old client nothing but that.
func (c *client) appendConnected(dst []byte, s *Socket) []byte {
	if !c.old() {
		return sio.AppendConnectSID(dst, s.ns.name, s.id)
	}
	// Without a payload there is nothing that cannot be encoded.
	out, _ := sio.AppendConnect(dst, s.ns.name, nil)
	return out
}

// refusal is a CONNECT_ERROR without data.
func (c *client) refusal(ns *Namespace, message string) *eio.Frame {
	if !c.old() {
		return connectError(ns.name, message)
	}
	// A string can always be encoded.
	out, _ := sio.AppendConnectErrorValue([]byte{byte(eio.Message)}, ns.name, message)
	return eio.NewText(out)
}

// appendRefusal appends CONNECT_ERROR. An old client gets the data alone or, when that is nothing in JavaScript's eyes,
// the message.
func (c *client) appendRefusal(dst []byte, ns *Namespace, r *Refusal) ([]byte, error) {
	if !c.old() {
		return sio.AppendConnectError(dst, ns.name, r.Message, r.Data, r.HasData)
	}
	if r.HasData {
		out, err := sio.AppendConnectErrorValue(dst, ns.name, r.Data)
		if err != nil {
			return dst, err
		}
		head := len(dst) + len(sio.AppendDisconnect(nil, ns.name)) // as long as that of any packet without an id
		switch string(out[head:]) {
		case "null", "false", "0", `""`:
		default:
			return out, nil
		}
	}
	return sio.AppendConnectErrorValue(dst, ns.name, r.Message)
}
