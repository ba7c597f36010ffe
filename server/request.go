package server

import (
	"context"
	"log/slog"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/server/internal/packets"
)

// Request emits an event and waits for the client's acknowledgement, until ctx or the socket ends or, if ctx has no
// deadline, for Config.AckTimeout. While a handler waits, the socket's other events wait too; see EmitAck. Errors:
// those of Emit, ErrTimeout, ErrTooManyAcks, the cause of ctx, ErrNotConnected (before its connect handlers have
// passed, a socket's client cannot answer, and a waiting handler would wait for itself), and ErrOnLoop.
func (s *Socket) Request(ctx context.Context, event string, args ...any) (Reply, error) {
	return Emission{s: s}.Request(ctx, event, args...)
}

// Call is Request, and decodes the first argument of the answer. An answer without arguments is the zero value.
func Call[T any](ctx context.Context, s *Socket, event string, args ...any) (T, error) {
	var out T
	r, err := s.Request(ctx, event, args...)
	if err != nil {
		return out, err
	}
	err = r.Decode(&out)
	return out, err
}

// EmitAck emits an event and calls done with the client's acknowledgement, or with the error that ends the wait:
// ErrTimeout, ErrClosed, the cause of ctx. The time-outs are those of Request, but no goroutine waits: done is called
// once, in the order of the socket's events. In a connect handler, the event is sent after CONNECT. If EmitAck itself
// returns an error (those of Emit, ErrTooManyAcks), done is not called.
func (s *Socket) EmitAck(ctx context.Context, event string, done func(r Reply, err error), args ...any) error {
	return Emission{s: s}.EmitAck(ctx, event, done, args...)
}

// request asks the client of one socket. It is also the task that delivers the event on the socket's loop.
type request struct {
	collector
	debt
	frame           *eio.Frame        // the event, until the loop has sent it
	args            packets.Arguments // the answer; guarded by collector.mu, immutable once the wait is over
	volatile, plain bool              // immutable; plain: the event is not compressed
}

// callback is a request with a function for the answer.
type callback struct {
	request
	event string
	done  func(r Reply, err error)
}

// init prepares the request. q is the inquiry that embeds it.
func (r *request) init(q inquiry, ctx context.Context, e Emission) {
	r.ns, r.inquiry, r.expected, r.home = e.s.ns, q, 1, int32(e.s.shard())
	r.debt.c, r.debt.s = &r.collector, e.s
	r.volatile, r.plain = e.flags.volatile, e.flags.plain
	r.timeout = e.s.settings().patience(ctx, e.flags.timeout)
	r.timed = r.timeout > 0 // from the beginning: Run starts the timer
}

// ask emits the event. If it returns an error, the client was not asked and nothing is pending. It returns nil if the
// wait has ended meanwhile, with the socket or the server, which is reported like every end.
func (r *request) ask(event string, args []any) (err error) {
	if err := packets.CheckEvent(event); err != nil {
		return err
	}
	s := r.debt.s
	if err = s.owe(r); err != nil {
		return err
	}
	sent := false
	defer func() {
		if !sent && !r.revoke() { // a value may also panic when it is encoded
			err = nil
		}
	}()
	if err = r.begin(); err != nil {
		return err
	}
	s.listenOut(event, args)
	r.frame, err = s.ns.srv.enc.Event(s.ns.name, int64(r.id), event, args)
	if err != nil {
		return err
	}
	if r.plain {
		eio.Plain(r.frame)
	}
	s.client.sess.Deflate(r.frame)
	if !s.client.loop().TryPost(r) {
		return s.ns.srv.refused()
	}
	sent = true
	return nil
}

// Run implements task: the event is sent, and its time begins.
func (r *request) Run(int) {
	defer r.debt.s.client.sess.EndOnPanic()
	f := r.frame
	r.frame = nil
	r.debt.s.deliver(f, r.volatile)
	if r.timed {
		r.time()
	}
}

// answered implements inquiry.
func (r *request) answered(reply Reply, loop int) {
	r.collector.mu.Lock()
	if r.over {
		r.collector.mu.Unlock()
		return
	}
	r.args = reply.args
	r.collector.answered++
	r.settle(loop)
}

// reply returns the answer of a finished wait.
func (r *request) reply() Reply {
	return Reply{args: r.args, lib: r.ns.srv.enc.Library(), socket: r.s.id}
}

// left implements inquiry.
func (r *request) left(loop int) {
	r.collector.mu.Lock()
	if !r.over {
		r.lost++
	}
	r.end(ErrClosed, loop)
}

// release implements inquiry. A client that has answered or left owes nothing any more.
func (r *request) release(error) {
	if r.collector.answered+r.lost == 0 {
		s := r.debt.s
		s.mu.Lock()
		s.debts.drop(&r.debt)
		s.mu.Unlock()
	}
}

// collected implements inquiry: await returns.
func (r *request) collected() {}

// collected implements inquiry: the function runs among the socket's handlers.
func (k *callback) collected() {
	s := k.debt.s
	s.inbox.PutAlways(k, &s.ns.srv.inbox)
}

// Do implements session.Job.
func (k *callback) Do() {
	_ = k.debt.s.guard(k.event, func() error { k.done(k.reply(), k.err); return nil })
}

// owe notes that the client owes an acknowledgement, and assigns its id.
func (s *Socket) owe(r *request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed.Load():
		return ErrClosed
	case int(s.debts.own) >= s.settings().maxPendingAcks:
		return ErrTooManyAcks
	}
	s.debts.assign(&r.collector)
	s.debts.add(&r.debt)
	return nil
}

// acknowledged handles a client's acknowledgement. One that nobody waits for is ignored. Loop-only.
func (s *Socket) acknowledged(p *sio.Packet, attachments [][]byte, owned bool) {
	var d *debt
	if p.HasID && p.ID < ackIDs {
		s.mu.Lock()
		d = s.debts.remove(uint32(p.ID))
		s.mu.Unlock()
	}
	if d == nil || d.c.isOver() {
		s.ns.srv.stats.unknownAcks.Add(1)
		return
	}
	if debugs(s.ns.srv.sio) {
		s.debugSocket("acknowledgement", slog.Uint64("ack", p.ID), slog.Int("bytes", len(p.Args)),
			slog.Int("attachments", len(attachments)))
	}
	args := packets.ArgumentsOf(p, attachments)
	if !owned {
		args.Own()
	}
	d.c.inquiry.answered(Reply{args: args, lib: s.ns.srv.enc.Library(), socket: s.id}, s.shard())
}
