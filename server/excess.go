package server

import (
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/session"
)

// inExcess is the acknowledgement of an event that Config.Limits drops.
var inExcess = []any{Raw{JSON: []byte(`{"error":"` + session.ReasonRateLimited.String() + `"}`)}}

// admits reports whether a complete packet is within Config.Limits, which count events and CONNECT packets. An event in
// excess is dropped, and its acknowledgement says so. A CONNECT in excess is refused, because its client would wait for
// an answer. Other packets are always handled: the server would wait for them.
func (c *client) admits(p *sio.Packet) bool {
	event := p.Type == sio.Event || p.Type == sio.BinaryEvent
	if c.sess.Admit(event || p.Type == sio.Connect) {
		return true
	}
	switch s := c.socket(p.Namespace); {
	case s == nil && !event:
		c.send(c.refusal(string(p.Namespace), session.ReasonRateLimited.String()))
	case s != nil && s.phase == phaseConnected && p.HasID:
		if f, err := c.srv.enc.Ack(s.ns.name, p.ID, inExcess); err == nil {
			c.sess.Send(f, false)
		}
	}
	return false
}
