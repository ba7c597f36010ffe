package server

import "context"

// Reply0 sets a typed handler whose result is the acknowledgement, if the client asked for one; see On0 for the rest.
func Reply0[R any](
	on Handlers, event string, fn func(ctx context.Context, s *Socket) (R, error), opts ...HandlerOption,
) Registration {
	return typed(on, "Reply0", event, fn != nil, func(ctx context.Context, m *Message) error {
		r, err := fn(ctx, m.s)
		return m.answer(r, err)
	}, opts)
}

// Reply1 is Reply0 for an event with one argument.
func Reply1[A, R any](
	on Handlers, event string, fn func(ctx context.Context, s *Socket, a A) (R, error), opts ...HandlerOption,
) Registration {
	return typed(on, "Reply1", event, fn != nil, func(ctx context.Context, m *Message) error {
		var a A
		if err := m.Decode(&a); err != nil {
			return err
		}
		r, err := fn(ctx, m.s, a)
		return m.answer(r, err)
	}, opts)
}

// Reply2 is Reply0 for an event with two arguments.
func Reply2[A, B, R any](
	on Handlers, event string, fn func(ctx context.Context, s *Socket, a A, b B) (R, error), opts ...HandlerOption,
) Registration {
	return typed(on, "Reply2", event, fn != nil, func(ctx context.Context, m *Message) error {
		var a A
		var b B
		if err := m.Decode(&a, &b); err != nil {
			return err
		}
		r, err := fn(ctx, m.s, a, b)
		return m.answer(r, err)
	}, opts)
}

// Reply3 is Reply0 for an event with three arguments.
func Reply3[A, B, C, R any](
	on Handlers, event string, fn func(ctx context.Context, s *Socket, a A, b B, c C) (R, error), opts ...HandlerOption,
) Registration {
	return typed(on, "Reply3", event, fn != nil, func(ctx context.Context, m *Message) error {
		var a A
		var b B
		var c C
		if err := m.Decode(&a, &b, &c); err != nil {
			return err
		}
		r, err := fn(ctx, m.s, a, b, c)
		return m.answer(r, err)
	}, opts)
}

// answer ends a handler with a result.
func (m *Message) answer(result any, err error) error {
	if err != nil || !m.WantsAck() {
		return err
	}
	return m.reply(result)
}
