package server

import "context"

// Ack acknowledges a client's event with any number of values, like Message.Ack. Handlers of OnAck0 to OnAck3 get one;
// it may be kept and called later, from any goroutine. It does nothing if the client asked for no acknowledgement or
// has got it. Errors: ErrClosed, ErrEncode, ErrQueueFull.
type Ack func(args ...any) error

// OnAck0 sets a typed handler that acknowledges by itself, with its Ack: before it returns, or later. A handler that
// returns nil without having done so leaves the client waiting; an error that it returns is the acknowledgement, unless
// there was one. See On0 for the rest.
func OnAck0(
	on Handlers, event string, fn func(ctx context.Context, s *Socket, ack Ack) error, opts ...HandlerOption,
) Registration {
	return typed(on, "OnAck0", event, fn != nil, func(ctx context.Context, m *Message) error {
		return fn(ctx, m.s, m.Ack)
	}, withAck(opts))
}

// OnAck1 is OnAck0 for an event with one argument.
func OnAck1[A any](
	on Handlers, event string, fn func(ctx context.Context, s *Socket, a A, ack Ack) error, opts ...HandlerOption,
) Registration {
	return typed(on, "OnAck1", event, fn != nil, func(ctx context.Context, m *Message) error {
		var a A
		if err := m.Decode(&a); err != nil {
			return err
		}
		return fn(ctx, m.s, a, m.Ack)
	}, withAck(opts))
}

// OnAck2 is OnAck0 for an event with two arguments.
func OnAck2[A, B any](
	on Handlers, event string, fn func(ctx context.Context, s *Socket, a A, b B, ack Ack) error, opts ...HandlerOption,
) Registration {
	return typed(on, "OnAck2", event, fn != nil, func(ctx context.Context, m *Message) error {
		var a A
		var b B
		if err := m.Decode(&a, &b); err != nil {
			return err
		}
		return fn(ctx, m.s, a, b, m.Ack)
	}, withAck(opts))
}

// OnAck3 is OnAck0 for an event with three arguments.
func OnAck3[A, B, C any](
	on Handlers, event string, fn func(ctx context.Context, s *Socket, a A, b B, c C, ack Ack) error, opts ...HandlerOption,
) Registration {
	return typed(on, "OnAck3", event, fn != nil, func(ctx context.Context, m *Message) error {
		var a A
		var b B
		var c C
		if err := m.Decode(&a, &b, &c); err != nil {
			return err
		}
		return fn(ctx, m.s, a, b, c, m.Ack)
	}, withAck(opts))
}

// withAck adds what the handlers of OnAck0 to OnAck3 need.
func withAck(opts []HandlerOption) []HandlerOption {
	return append(opts[:len(opts):len(opts)], func(h *handler) { h.keepsAck = true })
}
