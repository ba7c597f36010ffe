package server

import "context"

// OnUnhandled sets a handler for the events that no other handler takes, in place of an earlier one and of
// Config.EchoUnhandled. It runs off the event loop, in the order of the socket's events. An error becomes {"error":
// text} in the acknowledgement, as that of any handler (see Refuse for the text).
func (r *registry) OnUnhandled(fn func(ctx context.Context, m *Message) error) Registration {
	need(fn != nil, "OnUnhandled")
	return r.change(func(h *hooks) { h.unhandled = fn })
}

// rest takes an event that no handler does.
func (m *Message) rest(h *hooks) {
	switch {
	case h.unhandled != nil:
		m.run(&handler{event: m.event, call: h.unhandled})
	case h.settings.echo:
		_ = m.Ack(m.Args()...)
	default:
		m.s.ns.srv.stats.unhandled.Add(1)
	}
}
