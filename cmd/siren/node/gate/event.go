package gate

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/seed58c87869/siren/cmd/siren/node/value"
	"github.com/seed58c87869/siren/cmd/siren/node/webhook"
	"github.com/seed58c87869/siren/server"
)

// maxAttachments bounds the binary attachments of an event that the backend sends, as the API does.
const maxAttachments = 10

// own are the events of the node's own, for which * does not stand.
var own = []string{"join", "leave", "publish", tokenEvent}

// reserved are events that only the node sends.
var reserved = []string{tokenEvent, expiringEvent}

// Sends reports whether a client's event goes to the backend. Event then handles it.
func (g *Gate) Sends(event string, r *Rule) bool {
	s := g.current.Load()
	return s.hooks != nil && s.Event && len(r.Events) > 0 &&
		(slices.Contains(r.Events, event) || slices.Contains(r.Events, "*") && !slices.Contains(own, event))
}

// Event tells the backend of a client's event, waits for the answer and carries it out: events are sent, then the
// client's acknowledgement is called. It must not be called on an event loop.
func (g *Gate) Event(_ context.Context, m *server.Message) {
	set, s := g.current.Load(), m.Socket()
	d := set.describe(s)
	d.Event = m.Event()
	args, err := arguments(m)
	if err != nil || set.hooks == nil {
		set.debug(s, "event not sent to the backend", err)
		_ = m.Ack(refused{"unavailable"})
		return
	}
	d.Args = args
	answer, err := set.hooks.Event(context.Background(), d) // as in admit
	if err != nil {
		set.debug(s, "event not answered by the backend", err)
		_ = m.Ack(refused{"unavailable"})
		return
	}
	for _, e := range answer.Emit {
		if err := emit(s.Namespace(), e); err != nil {
			set.hooks.Complain(err)
		}
	}
	reply, err := values(answer.Ack)
	if err != nil {
		set.hooks.Complain(err)
	}
	_ = m.Ack(reply...)
}

// arguments are those of an event as JSON.
func arguments(m *server.Message) (args jsontext.Value, err error) {
	args = append(args, '[')
	for i := range m.Len() {
		if i > 0 {
			args = append(args, ',')
		}
		if args, err = value.Append(args, m.Arg(i)); err != nil {
			return nil, err
		}
	}
	return append(args, ']'), nil
}

// values are arguments that the backend wants to be sent.
func values(all []jsontext.Value) ([]any, error) {
	var args []any
	left := maxAttachments
	for _, v := range all {
		raw, err := value.Parse(v, left)
		if err != nil {
			return nil, err
		}
		left -= len(raw.Attachments)
		args = append(args, raw)
	}
	return args, nil
}

var (
	errReserved = errors.New("the event is the node's own")
	errRooms    = errors.New("rooms: events in the answer to a connect go to the client alone")
)

// emit sends an event in the answer to an event. Without rooms it is for the whole namespace, as in the API.
func emit(ns *server.Namespace, e webhook.Emit) error {
	args, err := values(e.Args)
	switch {
	case err != nil:
		return err
	case slices.Contains(reserved, e.Event):
		return errReserved
	case e.Rooms != nil && len(e.Rooms) == 0:
		return nil // an empty list is nobody
	}
	to := ns.To(e.Rooms...)
	if len(e.Except) > 0 {
		to = to.Except(e.Except...)
	}
	_, err = to.Emit(e.Event, args...)
	return err
}

// emitTo sends the events in the answer to a connect to the client.
func (s *settings) emitTo(sock *server.Socket, all []webhook.Emit) {
	for _, e := range all {
		args, err := values(e.Args)
		switch {
		case err != nil:
		case slices.Contains(reserved, e.Event):
			err = errReserved
		case e.Rooms != nil || e.Except != nil:
			err = errRooms
		default:
			err = sock.Emit(e.Event, args...)
		}
		if err != nil && !errors.Is(err, server.ErrClosed) {
			s.hooks.Complain(err)
		}
	}
}

// gone is the disconnect handler.
func (g *Gate) gone(s *server.Socket, reason server.Reason) {
	text := reason.String()
	if _, ok := s.Identity().(*expired); ok {
		text = "token expired"
	}
	g.tell(s, text)
}

// Abandon tells the backend of the end of a client that a connect handler behind the Gate's refuses.
func (g *Gate) Abandon(s *server.Socket) { g.left(s) }

// left tells the backend of a client that it has let in and that never came.
func (g *Gate) left(s *server.Socket) { g.tell(s, server.ReasonTransportClose.String()) }

func (g *Gate) tell(s *server.Socket, reason string) {
	set := g.current.Load()
	if set.hooks == nil || !set.Disconnect {
		return
	}
	d := set.describe(s)
	d.Reason = reason
	if err := set.hooks.Disconnect(d); err != nil {
		set.debug(s, "the backend is not told of a client's end", err)
	}
}

// describe is what hooks tell of a socket.
func (s *settings) describe(sock *server.Socket) *webhook.Data {
	h := sock.Handshake()
	d := &webhook.Data{
		Namespace: sock.Namespace().Name(), Socket: sock.ID(), User: sock.User(), Address: h.Address(),
		Headers: make(map[string]string), Query: make(map[string]any), Auth: splitAuth(h.RawAuth()).rest,
	}
	if c := Claims(sock); c != nil {
		d.Claims = jsontext.Value(c.Text())
	}
	if len(s.Headers) > 0 {
		all := h.Headers()
		for _, name := range s.Headers {
			if list := all.Values(name); len(list) > 0 {
				d.Headers[strings.ToLower(name)] = strings.Join(list, ", ")
			}
		}
	}
	for name, list := range h.Query() {
		d.Query[name] = list[0]
		if len(list) > 1 {
			d.Query[name] = list
		}
	}
	return d
}
