package server

import "context"

// On0 sets the typed handler of an event. The handler takes no arguments and has no result: when it returns nil, a
// client that asked for an acknowledgement gets an empty one. When it returns an error, or panics, that goes to the
// OnError hooks, and the acknowledgement is {"error": text}; see Refuse for the text.
//
// The names tell what a handler takes and gives. On0 to On3 have that many arguments and no result. Reply0 to Reply3
// have a result, which is the acknowledgement. OnAck0 to OnAck3 get an Ack, with which they acknowledge by themselves.
// In all of them an argument that the client left out, or null, is the zero value, and further arguments are ignored.
//
// An event has one typed handler in each Namespace, ParentNamespace or Socket; a second one panics. Handlers of
// Namespace.On run beside it. Remove the Registration to set another one.
func On0(
	on Handlers, event string, fn func(ctx context.Context, s *Socket) error, opts ...HandlerOption,
) Registration {
	return typed(on, "On0", event, fn != nil, func(ctx context.Context, m *Message) error {
		return m.done(fn(ctx, m.s))
	}, opts)
}

// On1 is On0 for an event with one argument.
func On1[A any](
	on Handlers, event string, fn func(ctx context.Context, s *Socket, a A) error, opts ...HandlerOption,
) Registration {
	return typed(on, "On1", event, fn != nil, func(ctx context.Context, m *Message) error {
		var a A
		if err := m.Decode(&a); err != nil {
			return err
		}
		return m.done(fn(ctx, m.s, a))
	}, opts)
}

// On2 is On0 for an event with two arguments.
func On2[A, B any](
	on Handlers, event string, fn func(ctx context.Context, s *Socket, a A, b B) error, opts ...HandlerOption,
) Registration {
	return typed(on, "On2", event, fn != nil, func(ctx context.Context, m *Message) error {
		var a A
		var b B
		if err := m.Decode(&a, &b); err != nil {
			return err
		}
		return m.done(fn(ctx, m.s, a, b))
	}, opts)
}

// On3 is On0 for an event with three arguments.
func On3[A, B, C any](
	on Handlers, event string, fn func(ctx context.Context, s *Socket, a A, b B, c C) error, opts ...HandlerOption,
) Registration {
	return typed(on, "On3", event, fn != nil, func(ctx context.Context, m *Message) error {
		var a A
		var b B
		var c C
		if err := m.Decode(&a, &b, &c); err != nil {
			return err
		}
		return m.done(fn(ctx, m.s, a, b, c))
	}, opts)
}

// typed sets the typed handler of an event for the function of that name. ok tells that there is a handler.
func typed(
	on Handlers, function, event string, ok bool, call func(ctx context.Context, m *Message) error, opts []HandlerOption,
) Registration {
	need(ok, function)
	return on.handle(event, call, append(opts[:len(opts):len(opts)], asTyped))
}

// asTyped makes a handler the typed one of its event.
func asTyped(h *handler) { h.typed = true }

// done ends a handler without a result.
func (m *Message) done(err error) error {
	if err != nil {
		return err
	}
	return m.reply()
}
