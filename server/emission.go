package server

import (
	"context"
	"fmt"
	"time"

	"github.com/seed58c87869/siren/server/internal/packets"
)

// Emission holds flags for the next event to one socket. An immutable value, safe to share and to keep: each method
// returns a new one. Socket.Volatile, Socket.Timeout and Socket.Compress return one. It is for one socket what an
// Operator is for many.
type Emission struct {
	s     *Socket
	flags emitFlags
}

// emitFlags are what Emission and Operator have in common. An immutable value.
type emitFlags struct {
	// volatile drops the event for those that cannot take it at once.
	volatile bool
	// timeout bounds the wait for an acknowledgement; 0 is Config.AckTimeout, unless a context has a deadline.
	timeout time.Duration
	// plain keeps the event from being compressed.
	plain bool
}

// timeoutMin is the shortest time that may be waited for: anything shorter is a number whose unit was forgotten.
const timeoutMin = time.Millisecond

// check returns an error for a time-out that nobody can mean.
func (f *emitFlags) check() error {
	if f.timeout > 0 && f.timeout < timeoutMin {
		return fmt.Errorf("%w: Timeout(%d) is %v", ErrShortTimeout, int64(f.timeout), f.timeout)
	}
	return nil
}

// Volatile makes an Emission that is dropped when the client cannot take it at once; the drop is counted.
func (s *Socket) Volatile() Emission { return Emission{s: s}.Volatile() }

// Timeout returns an Emission with a time-out for its acknowledgement.
func (s *Socket) Timeout(d time.Duration) Emission { return Emission{s: s}.Timeout(d) }

// Volatile drops the event if the client cannot get it at once; the drop is counted.
func (e Emission) Volatile() Emission {
	e.flags.volatile = true
	return e
}

// Timeout bounds the wait for the acknowledgement, beside a deadline of the context; 0 or less is the default again.
// With a time below a millisecond, emits fail with ErrShortTimeout.
func (e Emission) Timeout(d time.Duration) Emission {
	e.flags.timeout = max(d, 0)
	return e
}

// Emit sends the event; see Socket.Emit.
func (e Emission) Emit(event string, args ...any) error { return e.s.emit(event, args, e.flags) }

// EmitPrepared sends a prepared event; see Socket.EmitPrepared.
func (e Emission) EmitPrepared(p *Prepared) error {
	if err := e.flags.check(); err != nil {
		return err
	}
	s := e.s
	r := s.recovery()
	if s.closed.Load() && (r == nil || e.flags.volatile) {
		return ErrClosed
	}
	if r == nil || !s.ns.logged() { // else the listeners are told when the log returns the event
		s.listenOut(p.packet.Event, p.packet.Args)
	}
	if r != nil {
		return s.emitKept(r, p.packet.Fill, e.flags)
	}
	f, err := p.packet.Frame(s.ns.srv.enc, s.ns.name, e.flags.plain)
	if err != nil {
		return err
	}
	return s.post(f, e.flags.volatile)
}

// EmitAck sends the event and calls done with the acknowledgement; see Socket.EmitAck.
func (e Emission) EmitAck(ctx context.Context, event string, done func(r Reply, err error), args ...any) error {
	need(done != nil, "EmitAck")
	if err := e.flags.check(); err != nil {
		return err
	}
	k := &callback{event: event, done: done}
	k.init(k, ctx, e)
	if err := k.ask(event, args); err != nil {
		return err
	}
	if ctx != context.Context(&e.s.ctx) { // the socket's end ends the wait by itself
		k.Watch(ctx)
	}
	return nil
}

// Request sends the event and waits for the acknowledgement; see Socket.Request.
func (e Emission) Request(ctx context.Context, event string, args ...any) (Reply, error) {
	if err := e.flags.check(); err != nil {
		return Reply{}, err
	}
	s := e.s
	switch {
	case s.ns.srv.onLoop():
		return Reply{}, ErrOnLoop
	case s.marks.Load()&markConnected == 0 && !s.closed.Load():
		return Reply{}, ErrNotConnected
	}
	r := &request{}
	r.init(r, ctx, e)
	r.Blocks()
	if err := r.ask(event, args); err != nil {
		return Reply{}, err
	}
	if ctx == context.Context(&s.ctx) { // the socket's end ends the wait by itself
		ctx = context.Background()
	}
	if err := r.Await(ctx); err != nil {
		return Reply{}, err
	}
	return r.reply(), nil
}

func (s *Socket) emit(event string, args []any, flags emitFlags) error {
	if err := flags.check(); err != nil {
		return err
	}
	r := s.recovery()
	if s.closed.Load() && (r == nil || flags.volatile) {
		return ErrClosed
	}
	if err := packets.CheckEvent(event); err != nil {
		return err
	}
	if r == nil || !s.ns.logged() { // else the listeners are told when the log returns the event
		s.listenOut(event, args)
	}
	if r != nil {
		return s.emitKept(r, func(p *packets.Payload) error { return s.ns.srv.enc.AppendEvent(p, event, args) }, flags)
	}
	f, err := s.ns.srv.enc.Event(s.ns.name, packets.NoAck, event, args)
	if err != nil {
		return err
	}
	flags.mark(f)
	return s.post(f, flags.volatile)
}

// patience returns how long to wait for an acknowledgement besides what ctx says; 0 is for ever.
func (st *settings) patience(ctx context.Context, timeout time.Duration) time.Duration {
	if timeout > 0 {
		return timeout
	}
	if _, ok := ctx.Deadline(); ok {
		return 0
	}
	return st.ackTimeout
}
