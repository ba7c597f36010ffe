package server

import (
	"context"
	"errors"
	"log/slog"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/server/internal/collect"
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
	collect.Wait
	debt            collect.Debt[Socket]
	frame           *eio.Frame        // the event, until the loop has sent it
	args            packets.Arguments // the answer; guarded by the Wait's lock, immutable once the wait is over
	volatile, plain bool              // immutable; plain: the event is not compressed
}

// callback is a request with a function for the answer.
type callback struct {
	request
	event string
	done  func(r Reply, err error)
}

// init prepares the request. q is the inquiry that embeds it.
func (r *request) init(q collect.Inquiry, ctx context.Context, e Emission) {
	r.Init(e.s.ns.srv.waits, q, e.s.shard())
	r.Expected = 1
	r.debt.Wait, r.debt.Socket = &r.Wait, e.s
	r.volatile, r.plain = e.flags.volatile, e.flags.plain
	r.SetLimit(e.s.settings().patience(ctx, e.flags.timeout)) // Run starts it
}

// ask emits the event. If it returns an error, the client was not asked and nothing is pending. It returns nil if the
// wait has ended meanwhile, with the socket or the server, which is reported like every end.
func (r *request) ask(event string, args []any) (err error) {
	if err := packets.CheckEvent(event); err != nil {
		return err
	}
	s := r.debt.Socket
	if err = s.owe(r); err != nil {
		return err
	}
	sent := false
	defer func() {
		if !sent && !r.Revoke() { // a value may also panic when it is encoded
			err = nil
		}
	}()
	if err = r.Begin(); err != nil {
		return err
	}
	s.listenOut(event, args)
	r.frame, err = s.ns.srv.enc.Event(s.ns.name, int64(r.ID), event, args)
	if err != nil {
		return err
	}
	if r.plain {
		eio.Plain(r.frame)
	}
	s.client.sess.Deflate(r.frame)
	if (!s.ns.logged() || !s.ns.behind(func() { s.client.loop().Post(r) })) && !s.client.loop().TryPost(r) {
		return s.ns.srv.refused()
	}
	sent = true
	return nil
}

// Run implements task: the event is sent, and its time begins.
func (r *request) Run(int) {
	defer r.debt.Socket.client.sess.EndOnPanic()
	f := r.frame
	r.frame = nil
	r.debt.Socket.deliver(f, r.volatile)
	r.Start()
}

// Answered implements collect.Inquiry.
func (r *request) Answered(a collect.Answer, loop int) {
	r.Lock()
	if r.Ended() {
		r.Unlock()
		return
	}
	r.args = a.Args
	r.Answers++
	r.Settle(loop)
}

// reply returns the answer of a finished wait.
func (r *request) reply() Reply {
	s := r.debt.Socket
	return Reply{collect.Answer{Args: r.args, Lib: s.ns.srv.enc.Library(), Socket: s.id}}
}

// Left implements collect.Inquiry.
func (r *request) Left(loop int) {
	r.Lock()
	if !r.Ended() {
		r.Lost++
	}
	r.End(ErrClosed, loop)
}

// Release implements collect.Inquiry. A client that has answered or left owes nothing any more.
func (r *request) Release(cause error) {
	if errors.Is(cause, ErrTimeout) {
		r.debt.Socket.ns.srv.tally.Loop(r.Home()).AcksMissed(1)
	}
	if r.Answers+r.Lost == 0 {
		r.debt.Socket.forgive(&r.debt)
	}
}

// forgive removes a debt of the client, if it is there.
func (s *Socket) forgive(d *collect.Debt[Socket]) {
	s.mu.Lock()
	s.debts.Drop(d)
	s.mu.Unlock()
}

// Collected implements collect.Inquiry: Await returns.
func (r *request) Collected() {}

// Collected implements collect.Inquiry: the function runs among the socket's handlers.
func (k *callback) Collected() {
	s := k.debt.Socket
	s.inbox.PutAlways(k, &s.ns.srv.inbox)
}

// Do implements session.Job.
func (k *callback) Do() {
	_ = k.debt.Socket.guard(k.event, func() error { k.done(k.reply(), k.Err()); return nil })
}

// owe notes that the client owes an acknowledgement, and assigns its id.
func (s *Socket) owe(r *request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed.Load():
		return ErrClosed
	case s.debts.Own() >= s.settings().maxPendingAcks:
		return ErrTooManyAcks
	}
	s.debts.Assign(&r.debt)
	return nil
}

// acknowledged handles a client's acknowledgement. One that nobody waits for is ignored. Loop-only.
func (s *Socket) acknowledged(p *sio.Packet, attachments [][]byte, owned bool) {
	var d *collect.Debt[Socket]
	if p.HasID && p.ID < collect.IDsEnd {
		s.mu.Lock()
		d = s.debts.Remove(uint32(p.ID))
		s.mu.Unlock()
	}
	if d == nil || d.Wait.Over() {
		s.ns.srv.stats.unknownAcks.Add(1)
		return
	}
	if debugs(s.ns.srv.sio) {
		s.debugSocket("acknowledgement", slog.Uint64("ack", p.ID), slog.Int("bytes", len(p.Args)),
			slog.Int("attachments", len(attachments)))
	}
	a := collect.Answer{Lib: s.ns.srv.enc.Library(), Socket: s.id}
	if a.Args.Share(p, attachments); !owned {
		a.Args.Own()
	}
	d.Wait.Inquiry().Answered(a, s.shard())
}
