package server

import (
	"context"
	"fmt"
	"time"

	"github.com/seed58c87869/siren/codec/sio"
)

// Reply is what a client answered: the arguments of its acknowledgement. Immutable.
type Reply struct{ args arguments }

// Len is the number of arguments.
func (r Reply) Len() int { return r.args.n }

// Args are the arguments, each a Raw.
func (r Reply) Args() []any { return r.args.all() }

// Arg is the argument with that index, from 0; a Raw without JSON when there is none.
func (r Reply) Arg(i int) Raw { return r.args.at(i) }

// Decode decodes the arguments in order, as Message.Decode does.
func (r Reply) Decode(dst ...any) error { return r.args.decode(dst) }

// Request emits an event and waits for the client's acknowledgement, until ctx or the socket ends, or, when ctx has
// no deadline, for Config.AckTimeout. A handler that waits keeps the socket's other events waiting; see EmitAck.
// Errors: those of Emit, ErrTimeout, ErrTooManyAcks, the cause of ctx, and ErrNotConnected: until its connect handlers
// have passed, a socket's client could not answer, and a handler that waits would wait for itself.
func (s *Socket) Request(ctx context.Context, event string, args ...any) (Reply, error) {
	if !s.connected.Load() && !s.closed.Load() {
		return Reply{}, ErrNotConnected
	}
	p := &pendingAck{answer: make(chan answer, 1)}
	id, err := s.emitAck(p, event, args)
	if err != nil {
		return Reply{}, err
	}
	return s.await(ctx, id, p)
}

// Call is Request with the first argument of the answer decoded. An answer without arguments is the zero value.
func Call[T any](ctx context.Context, s *Socket, event string, args ...any) (T, error) {
	var out T
	r, err := s.Request(ctx, event, args...)
	if err != nil {
		return out, err
	}
	err = r.Decode(&out)
	return out, err
}

// EmitAck emits an event and has done called with the client's acknowledgement, or with the error that ends the wait
// for it: ErrTimeout, ErrClosed, the cause of ctx. It waits as Request does, but nobody waits meanwhile: done is called
// once, in the order of the socket's events. In a connect handler, too, the event goes out behind CONNECT. When EmitAck
// itself returns an error (those of Emit, ErrTooManyAcks), done is not called.
func (s *Socket) EmitAck(ctx context.Context, event string, done func(r Reply, err error), args ...any) error {
	p := &pendingAck{s: s, event: event, done: done}
	id, err := s.emitAck(p, event, args)
	if err != nil {
		return err
	}
	p.watch(ctx, id)
	return nil
}

// pendingAck is an acknowledgement the client owes. Whoever takes it out of its table answers it, so that happens
// once.
type pendingAck struct {
	// answer is where a Request waits; it has room for the one value it ever gets.
	answer chan answer
	// The others are EmitAck's.
	s     *Socket
	event string
	done  func(r Reply, err error)
	// stop ends what watches the time and the context. Guarded by the socket's mutex.
	stop []func() bool
}

type answer struct {
	reply Reply
	err   error
}

// settle answers.
func (p *pendingAck) settle(a answer) {
	if p.answer != nil {
		p.answer <- a
		return
	}
	p.s.mu.Lock()
	stop := p.stop
	p.stop = nil
	p.s.mu.Unlock()
	for _, f := range stop {
		f()
	}
	p.s.inbox.PutAlways(&acknowledgement{p, a}, &p.s.ns.srv.inbox)
}

// watch ends the wait at the timeout, or with the context.
func (p *pendingAck) watch(ctx context.Context, id uint64) {
	s := p.s
	expire := func(err error) {
		if s.forgetAck(id) != nil {
			p.settle(answer{err: err})
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.acks.pending[id] != p {
		return
	}
	if _, ok := ctx.Deadline(); !ok {
		p.stop = append(p.stop, time.AfterFunc(s.ns.srv.cfg.AckTimeout, func() { expire(ErrTimeout) }).Stop)
	}
	if ctx != context.Context(&s.ctx) {
		p.stop = append(p.stop, context.AfterFunc(ctx, func() { expire(ended(ctx)) }))
	}
}

// ended is why a context has ended; its deadline is a timeout.
func ended(ctx context.Context) error {
	err := context.Cause(ctx)
	if ctx.Err() == context.DeadlineExceeded {
		return fmt.Errorf("%w: %w", ErrTimeout, err)
	}
	return err
}

// acknowledgement is an answer on its way to the function that waits for it.
type acknowledgement struct {
	p *pendingAck
	a answer
}

// Do implements session.Job.
func (k *acknowledgement) Do() {
	_ = k.p.s.guard(k.p.event, func() error { k.p.done(k.a.reply, k.a.err); return nil })
}

// ackTable are a socket's pending acknowledgements. Guarded by the socket's mutex.
type ackTable struct {
	next    uint64
	pending map[uint64]*pendingAck
}

func (t *ackTable) add(p *pendingAck) uint64 {
	if t.pending == nil {
		t.pending = make(map[uint64]*pendingAck)
	}
	id := t.next
	t.next++
	t.pending[id] = p
	return id
}

// remove takes one out; nil when it is not there. An empty table keeps no memory: most sockets owe nothing.
func (t *ackTable) remove(id uint64) *pendingAck {
	p := t.pending[id]
	delete(t.pending, id)
	if len(t.pending) == 0 {
		t.pending = nil
	}
	return p
}

func (t *ackTable) take() map[uint64]*pendingAck {
	p := t.pending
	t.pending = nil
	return p
}

// emitAck emits an event that asks for an acknowledgement.
func (s *Socket) emitAck(p *pendingAck, event string, args []any) (id uint64, err error) {
	if sio.Reserved(event) {
		return 0, reservedError(event)
	}
	if id, err = s.expect(p); err != nil {
		return 0, err
	}
	sent := false
	defer func() {
		// A value may also panic when it is encoded.
		if !sent && s.forgetAck(id) == nil && p.done != nil {
			err = nil // the socket has ended meanwhile, and done is told
		}
	}()
	s.listenOut(event, args)
	f, err := encodeEvent(s.ns.name, int64(id), event, args)
	if err == nil {
		err = s.post(f, false)
	}
	sent = err == nil
	return id, err
}

// expect notes a pending acknowledgement.
func (s *Socket) expect(p *pendingAck) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed.Load():
		return 0, ErrClosed
	case len(s.acks.pending) >= s.ns.srv.cfg.MaxPendingAcks:
		return 0, ErrTooManyAcks
	}
	return s.acks.add(p), nil
}

func (s *Socket) forgetAck(id uint64) *pendingAck {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acks.remove(id)
}

// await waits for the answer to a Request.
func (s *Socket) await(ctx context.Context, id uint64, p *pendingAck) (Reply, error) {
	var timeout <-chan time.Time
	if _, ok := ctx.Deadline(); !ok {
		t := time.NewTimer(s.ns.srv.cfg.AckTimeout)
		defer t.Stop()
		timeout = t.C
	}
	var done <-chan struct{}
	if ctx != context.Context(&s.ctx) {
		// The socket's own end answers by itself.
		done = ctx.Done()
	}
	var err error
	select {
	case a := <-p.answer:
		return a.reply, a.err
	case <-timeout:
		err = ErrTimeout
	case <-done:
		err = ended(ctx)
	}
	if s.forgetAck(id) == nil {
		// The answer came in the same moment.
		a := <-p.answer
		return a.reply, a.err
	}
	return Reply{}, err
}

// acknowledged takes a client's acknowledgement on the loop. One that nobody waits for is ignored.
func (s *Socket) acknowledged(p *sio.Packet, attachments [][]byte, owned bool) {
	var pending *pendingAck
	if p.HasID {
		pending = s.forgetAck(p.ID)
	}
	if pending == nil {
		s.ns.srv.stats.unknownAcks.Add(1)
		return
	}
	args := arguments{p.Args, attachments, p.NArgs}
	if !owned {
		args.json = append([]byte(nil), p.Args...)
	}
	pending.settle(answer{reply: Reply{args}})
}
