package server

import "context"

// Handle sets a typed handler for an event with one argument; what it returns is the acknowledgement, if the client
// asked for one. A missing argument is the zero value, further ones are left alone. An error, or a panic, becomes
// {"error": text} in the acknowledgement (see Refuse for the text) and goes to OnError.
func Handle[In, Out any](on Handlers, event string, fn func(ctx context.Context, s *Socket, in In) (Out, error), opts ...HandlerOption) Registration {
	return on.handle(event, func(ctx context.Context, m *Message) error {
		var in In
		if err := m.Decode(&in); err != nil {
			return err
		}
		out, err := fn(ctx, m.s, in)
		if err != nil || !m.WantsAck() {
			return err
		}
		return m.reply(out)
	}, opts)
}

// Handle0 sets a handler for an event without arguments. A client that asked for an acknowledgement gets an empty one.
func Handle0(on Handlers, event string, fn func(ctx context.Context, s *Socket) error, opts ...HandlerOption) Registration {
	return on.handle(event, func(ctx context.Context, m *Message) error {
		return m.done(fn(ctx, m.s))
	}, opts)
}

// Handle1 is Handle without a result: the acknowledgement is empty.
func Handle1[A any](on Handlers, event string, fn func(ctx context.Context, s *Socket, a A) error, opts ...HandlerOption) Registration {
	return on.handle(event, func(ctx context.Context, m *Message) error {
		var a A
		if err := m.Decode(&a); err != nil {
			return err
		}
		return m.done(fn(ctx, m.s, a))
	}, opts)
}

// Handle2 is Handle1 for two arguments.
func Handle2[A, B any](on Handlers, event string, fn func(ctx context.Context, s *Socket, a A, b B) error, opts ...HandlerOption) Registration {
	return on.handle(event, func(ctx context.Context, m *Message) error {
		var a A
		var b B
		if err := m.Decode(&a, &b); err != nil {
			return err
		}
		return m.done(fn(ctx, m.s, a, b))
	}, opts)
}

// Handle3 is Handle1 for three arguments.
func Handle3[A, B, C any](on Handlers, event string, fn func(ctx context.Context, s *Socket, a A, b B, c C) error, opts ...HandlerOption) Registration {
	return on.handle(event, func(ctx context.Context, m *Message) error {
		var a A
		var b B
		var c C
		if err := m.Decode(&a, &b, &c); err != nil {
			return err
		}
		return m.done(fn(ctx, m.s, a, b, c))
	}, opts)
}

// done is the end of a handler without a result.
func (m *Message) done(err error) error {
	if err != nil {
		return err
	}
	return m.reply()
}
