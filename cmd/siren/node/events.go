package node

import (
	"context"
	"errors"
	"log/slog"

	"github.com/seed58c87869/siren/cmd/siren/node/gate"
	"github.com/seed58c87869/siren/server"
)

// The events that clients may send, and the node's own.
const (
	joinEvent    = "join"
	leaveEvent   = "leave"
	publishEvent = "publish"
	countEvent   = "count"
)

// reserved are the events of the node's own, which clients cannot publish. Socket.IO's own are the server's to refuse.
var reserved = map[string]bool{countEvent: true, "token": true, "token-expiring": true}

// Acknowledgements.
type (
	status struct {
		Status string `json:"status"`
	}
	published struct {
		Status string `json:"status"`
		// Count is the number of sockets that the event was sent to.
		Count int `json:"count"`
	}
	failure struct {
		Error string `json:"error"`
	}
)

const statusOK = "ok"

// call is an event of a client that the node handles, in its namespace and under the rule of that.
type call struct {
	m      *server.Message
	socket *server.Socket
	rule   *rule
}

// handleEvents registers the events of clients. Those of the node run on the event loop, all of them, so that a
// client's events keep their order: none waits for anything. One that the rule sends to the backend runs off the loop,
// like all that the backend gets.
func (n *Node) handleEvents(on server.Space, of func(ns *server.Namespace) *space) {
	sends := func(s *server.Socket, event string) bool {
		sp := of(s.Namespace())
		if sp == nil {
			return false
		}
		r := sp.rule.Load()
		return r != nil && n.gate.Sends(event, r.gate)
	}
	for _, h := range []struct {
		event string
		do    func(c call) (any, error)
	}{{joinEvent, join}, {leaveEvent, leave}, {publishEvent, publish}} {
		on.On(h.event, func(ctx context.Context, m *server.Message) {
			s := m.Socket()
			if !m.OnLoop() && sends(s, h.event) {
				n.gate.Event(ctx, m)
				return
			}
			sp := of(s.Namespace())
			if sp == nil {
				return // the socket has left
			}
			r := sp.rule.Load()
			if r == nil {
				return // the namespace has lost its rule, and its sockets are about to leave
			}
			n.answer(m, func() (any, error) { return h.do(call{m, s, r}) })
		}, server.InlineIf(func(s *server.Socket) bool { return !sends(s, h.event) }))
	}
	on.OnUnhandled(func(ctx context.Context, m *server.Message) error {
		if sends(m.Socket(), m.Event()) {
			n.gate.Event(ctx, m)
			return nil
		}
		n.answer(m, func() (any, error) { return nil, refusal("unknown event") })
		return nil
	})
}

// answer acknowledges an event with what do returns.
func (n *Node) answer(m *server.Message, do func() (any, error)) {
	reply, err := do()
	if err != nil {
		text := clientText(err)
		n.refused(m, text, err)
		reply = failure{text}
	}
	if err := m.Ack(reply); err != nil && !errors.Is(err, server.ErrClosed) {
		n.log.Warn("an acknowledgement could not be sent", "ns", m.Socket().Namespace().Name(), "id", m.Socket().ID(),
			"event", m.Event(), "err", err)
	}
}

// refused logs, at debug level, why an event was refused.
func (n *Node) refused(m *server.Message, text string, err error) {
	ctx := context.Background()
	if !n.log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	s := m.Socket()
	attrs := []slog.Attr{
		slog.String("ns", s.Namespace().Name()), slog.String("id", s.ID()), slog.String("event", m.Event()),
		slog.String("error", text),
	}
	if text != err.Error() {
		attrs = append(attrs, slog.Any("cause", err))
	}
	n.log.LogAttrs(ctx, slog.LevelDebug, "event refused", attrs...)
}

// refusal is an error whose text the client reads.
type refusal string

func (r refusal) Error() string { return string(r) }

const (
	errNotAllowed    = refusal("not allowed")
	errReservedEvent = refusal("the event name is reserved")
	errArguments     = refusal("further arguments are not allowed")
)

// clientText is what the client reads of an error.
func clientText(err error) string {
	var r refusal
	switch {
	case errors.As(err, &r):
		return string(r)
	case errors.Is(err, server.ErrRoomTaken):
		return "the room is a client's own"
	case errors.Is(err, server.ErrReserved):
		return string(errReservedEvent)
	case errors.Is(err, server.ErrQueueFull):
		return "the server is busy"
	case errors.Is(err, server.ErrTooManyAttachments):
		return "too many attachments"
	}
	return "internal error"
}

// single returns the only argument of the event.
func (c call) single() (server.Raw, error) {
	if c.m.Len() > 1 {
		return server.Raw{}, errArguments
	}
	return c.m.Arg(0), nil
}

func join(c call) (any, error) {
	names, err := c.rooms()
	if err != nil {
		return nil, err
	}
	claims := gate.Claims(c.socket)
	var added []string
	for _, name := range names {
		if name != c.socket.ID() && !(c.rule.mayJoin(name) && claims.AllowsJoin(name)) {
			return nil, errNotAllowed
		}
		if !c.socket.InRoom(name) {
			added = append(added, name)
		}
	}
	if err := c.socket.Join(added...); err != nil {
		_ = c.socket.Leave(added...) // all or none
		if errors.Is(err, server.ErrTooManyRooms) {
			return nil, tooMany(c.rule.roomsMax, "rooms")
		}
		return nil, err
	}
	return status{statusOK}, nil
}

// leave needs no rule: nobody is kept in a room.
func leave(c call) (any, error) {
	names, err := c.rooms()
	if err != nil {
		return nil, err
	}
	if err := c.socket.Leave(names...); err != nil {
		return nil, err
	}
	return status{statusOK}, nil
}

// rooms returns the names in the only argument.
func (c call) rooms() ([]string, error) {
	in, err := c.single()
	if err != nil {
		return nil, err
	}
	return namesOf("rooms", in)
}

func publish(c call) (any, error) {
	in, err := c.single()
	if err != nil {
		return nil, err
	}
	p, err := readPublication(in)
	if err != nil {
		return nil, err
	}
	if err := c.mayPublish(&p); err != nil {
		return nil, err
	}
	ns := c.socket.Namespace()
	if !p.all && len(p.rooms) == 0 {
		return published{statusOK, 0}, nil // an empty list is nobody
	}
	to := ns.To(p.rooms...)
	if len(p.except) > 0 {
		to = to.Except(p.except...)
	}
	count, err := to.Emit(p.event, p.args...)
	if err != nil {
		return nil, err
	}
	return published{statusOK, count}, nil
}

// mayPublish checks a publication against the rule.
func (c call) mayPublish(p *publication) error {
	if reserved[p.event] {
		return errReservedEvent
	}
	claims := gate.Claims(c.socket)
	if !c.rule.Publish || p.all && !(c.rule.mayPublishToAll() && claims.AllowsPublishToAll()) {
		return errNotAllowed
	}
	for _, room := range p.rooms {
		if !c.rule.mayPublish(room) || !claims.AllowsPublish(room) {
			return errNotAllowed
		}
	}
	return nil
}
