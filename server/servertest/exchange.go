package servertest

import (
	"slices"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/server"
)

// Emit sends an event. When it returns, the server has handled the event and its consequences. A []byte, at any depth,
// is sent as an attachment.
func (c *Client) Emit(event string, args ...any) {
	c.ts().t.Helper()
	c.emit(-1, event, args)
	c.ts().did()
}

// Ask is Emit with a request for an acknowledgement, which may come later.
func (c *Client) Ask(event string, args ...any) *Answer {
	c.ts().t.Helper()
	if c.answers == nil {
		c.answers = map[uint64]*Answer{}
	}
	a := &Answer{}
	id := c.asked
	c.asked++
	c.answers[id] = a
	c.emit(int64(id), event, args)
	c.ts().did()
	return a
}

// Answer is a requested acknowledgement.
type Answer struct {
	reply Event
	came  bool
}

// Reply returns the server's answer; it returns false if there is none yet.
func (a *Answer) Reply() (Event, bool) { return a.reply, a.came }

// EmitAck is Emit with a request for an acknowledgement, which it returns. Without one, it ends the test.
func (c *Client) EmitAck(event string, args ...any) Event {
	c.ts().t.Helper()
	a := c.Ask(event, args...)
	if !c.ts().await(func() bool { return a.came }) {
		c.ts().t.Fatalf("servertest: no acknowledgement of %s came; %s", describe(event, args), c.state())
	}
	return a.reply
}

// Expect takes the next received event, which must have that name and those arguments: it decodes an argument into a
// pointer, and compares it with any other value. Further arguments are ignored. A different event, or none, ends the
// test.
func (c *Client) Expect(event string, args ...any) Event {
	c.ts().t.Helper()
	if !c.ts().await(func() bool { return len(c.events) > 0 }) {
		c.ts().t.Fatalf("servertest: %s got nothing, want %s; %s", c.ns, describe(event, args), c.state())
	}
	e := c.events[0]
	if why := e.differs(event, args); why != "" {
		c.ts().t.Fatalf("servertest: %s: %s\nwant:\n\t%s\ngot, in this order:%s", c.ns, why, describe(event, args), list(c.events))
	}
	c.events = c.events[1:]
	return e
}

// ExpectNothing settles, and ends the test if an event was received that was not taken.
func (c *Client) ExpectNothing() {
	c.ts().t.Helper()
	c.ts().await(func() bool { return false })
	if len(c.events) > 0 {
		c.ts().t.Fatalf("servertest: %s should have got nothing, but got:%s", c.ns, list(c.events))
	}
}

// Events settles and takes all received events.
func (c *Client) Events() []Event {
	c.ts().t.Helper()
	c.ts().await(func() bool { return false })
	out := c.events
	c.events = nil
	return slices.Clone(out)
}

// On calls fn for each later event of that name, instead of Expect and Events. The result of fn is the acknowledgement,
// if the server asked for one. fn is called while the test's goroutine is in a call of this package, and must not call
// the package itself. A nil fn ends it.
func (c *Client) On(event string, fn func(e Event) []any) {
	if c.handlers == nil {
		c.handlers = map[string]func(e Event) []any{}
	}
	if c.handlers[event] = fn; fn == nil {
		delete(c.handlers, event)
	}
}

// state describes the client for a failure.
func (c *Client) state() string {
	switch r := c.Refused(); {
	case r != nil:
		return "the client was refused: " + r.Message
	case c.reason != "":
		return "the client is disconnected: " + c.reason
	case c.id == "":
		return "the client is not connected yet"
	case c.link.paused:
		return "the client does not read"
	}
	return "the server has nothing left to do"
}

// emit sends an event.
func (c *Client) emit(id int64, event string, args []any) {
	c.ts().t.Helper()
	if c.id == "" || c.reason != "" {
		c.ts().t.Fatalf("servertest: cannot emit %s: %s", describe(event, args), c.state())
	}
	c.send(sio.AppendEvent([]byte("4"), c.ns, id, event, args))
}

func (c *Client) ack(id uint64, args []any) { c.send(sio.AppendAck([]byte("4"), c.ns, id, args)) }

// send sends an encoded packet and its attachments.
func (c *Client) send(text []byte, attachments [][]byte, err error) {
	c.ts().t.Helper()
	if err != nil {
		c.ts().t.Fatalf("servertest: cannot encode: %v", err)
	}
	packets := []packet{{text: string(text)}}
	for _, a := range attachments {
		packets = append(packets, packet{binary: append([]byte{}, a...)})
	}
	c.link.send(packets...)
}

// receive handles a packet for the socket.
func (c *Client) receive(p *sio.Packet, attachments [][]byte) {
	switch p.Type {
	case sio.Connect:
		var info struct{ SID, PID string }
		if sio.Unmarshal(p.Data, nil, &info) == nil {
			c.id, c.pid = info.SID, info.PID
		}
	case sio.ConnectError:
		c.refused(p)
	case sio.Disconnect:
		c.ended(reasonServer)
	case sio.Event, sio.BinaryEvent:
		e := newEvent(c, p, attachments)
		c.noteOffset(e)
		if fn := c.handlers[e.Name]; fn == nil {
			c.events = append(c.events, e)
		} else if reply := fn(e); e.asks {
			c.ack(e.id, reply)
		}
	default:
		if a := c.answers[p.ID]; a != nil && p.HasID {
			delete(c.answers, p.ID)
			a.reply, a.came = newEvent(c, p, attachments), true
			a.reply.asks = false
		}
	}
}

// refused takes a CONNECT_ERROR.
func (c *Client) refused(p *sio.Packet) {
	var body struct {
		Message string
		Data    server.Raw
	}
	_ = sio.Unmarshal(p.Data, nil, &body)
	c.refusal = &Refusal{Message: body.Message, Data: body.Data.Clone()}
	c.ended("connect error")
}
