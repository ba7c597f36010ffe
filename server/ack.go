package server

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/poller/wheel"
)

// Reply is what a client answered: the arguments of its acknowledgement. Immutable.
type Reply struct {
	args arguments
	lib  JSON // nil for the built-in library
}

// Len is the number of arguments.
func (r Reply) Len() int { return r.args.n }

// Args are the arguments, each a Raw.
func (r Reply) Args() []any { return r.args.all() }

// Arg is the argument with that index, from 0; a Raw without JSON when there is none.
func (r Reply) Arg(i int) Raw { return r.args.at(i) }

// Decode decodes the arguments in order, as Message.Decode does.
func (r Reply) Decode(dst ...any) error { return r.args.decode(r.lib, dst) }

// Request emits an event and waits for the client's acknowledgement, until ctx or the socket ends, or, when ctx has
// no deadline, for Config.AckTimeout. A handler that waits keeps the socket's other events waiting; see EmitAck.
// Errors: those of Emit, ErrTimeout, ErrTooManyAcks, the cause of ctx, and ErrNotConnected: until its connect handlers
// have passed, a socket's client could not answer, and a handler that waits would wait for itself.
func (s *Socket) Request(ctx context.Context, event string, args ...any) (Reply, error) {
	return Emission{s: s}.Request(ctx, event, args...)
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
	return Emission{s: s}.EmitAck(ctx, event, done, args...)
}

// pendingAck is an acknowledgement the client owes. Whoever takes it out of its table answers it, so that happens
// once. It is also the task that takes its event to the loop, and the timer there.
type pendingAck struct {
	// timer is the loop's.
	timer wheel.Timer
	s     *Socket
	id    uint64
	// frame is the event until the loop has sent it.
	frame *eio.Frame
	// timeout is 0 when the context bounds the wait. Immutable, as are volatile and plain.
	timeout  time.Duration
	volatile bool
	plain    bool // not to be compressed
	// others are the socket's other ones by their ids, when this is the one that its table points to. Guarded by the
	// socket's mutex.
	others map[uint64]*pendingAck
	// ready is where a Request waits; it has room for the one value it ever gets. The answer is set before.
	ready  chan struct{}
	answer answer
	// The others are EmitAck's.
	event string
	done  func(r Reply, err error)
	// stop ends what watches the context. Guarded by the socket's mutex.
	stop func() bool
}

type answer struct {
	reply Reply
	err   error
}

// Run implements task: the event is sent, and its time begins.
func (p *pendingAck) Run(int) {
	f := p.frame
	p.frame = nil
	p.s.deliver(f, p.volatile)
	if p.timeout > 0 && p.s.owes(p) {
		loop := p.s.client.loop()
		p.timer.Init(p)
		loop.Wheel().Schedule(&p.timer, wheel.Deadline(loop.Now(), p.timeout))
	}
}

// Expire implements wheel.Expirer.
func (p *pendingAck) Expire(int64) { p.end(ErrTimeout) }

// stopTimer takes the timer off the wheel. Loop-only.
func (p *pendingAck) stopTimer() { p.s.client.loop().Wheel().Cancel(&p.timer) }

// givenUp is an acknowledgement that is waited for no more, on its way to the loop, which has its timer.
type givenUp pendingAck

// Run implements task.
func (g *givenUp) Run(int) { (*pendingAck)(g).stopTimer() }

// forgetTimer is stopTimer for whoever has ended the wait on another goroutine.
func (p *pendingAck) forgetTimer() {
	if p.timeout > 0 {
		p.s.client.loop().Post((*givenUp)(p))
	}
}

// end ends the wait without an answer; it is false when it has ended already.
func (p *pendingAck) end(err error) bool {
	if p.s.forgetAck(p.id) == nil {
		return false
	}
	p.settle(answer{err: err})
	return true
}

// settle answers.
func (p *pendingAck) settle(a answer) {
	if p.ready != nil {
		p.s.ns.srv.waits.remove(p)
		p.answer = a
		p.ready <- struct{}{}
		return
	}
	p.s.mu.Lock()
	stop := p.stop
	p.stop = nil
	p.s.mu.Unlock()
	if stop != nil {
		stop()
	}
	p.s.inbox.PutAlways(&acknowledgement{p, a}, &p.s.ns.srv.inbox)
}

// watch ends the wait with the context. The socket's own ends it by itself.
func (p *pendingAck) watch(ctx context.Context) {
	s := p.s
	if ctx == context.Context(&s.ctx) || ctx.Done() == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.acks.get(p.id) != p {
		return
	}
	p.stop = context.AfterFunc(ctx, func() {
		if p.end(ended(ctx)) {
			p.forgetTimer()
		}
	})
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

// ackTable are a socket's pending acknowledgements. Guarded by the socket's mutex. One of them holds the others: a
// socket is seldom owed more than one, and a map for that one would cost more than all the rest of it.
type ackTable struct {
	next uint64
	one  *pendingAck
}

func (t *ackTable) len() int {
	if t.one == nil {
		return 0
	}
	return 1 + len(t.one.others)
}

func (t *ackTable) add(p *pendingAck) {
	for t.get(t.next) != nil {
		t.next = (t.next + 1) % broadcastAcks
	}
	p.id = t.next
	t.next = (t.next + 1) % broadcastAcks
	switch {
	case t.one == nil:
		t.one = p
		return
	case t.one.others == nil:
		t.one.others = make(map[uint64]*pendingAck)
	}
	t.one.others[p.id] = p
}

// get is the one with that id; nil when it is not there.
func (t *ackTable) get(id uint64) *pendingAck {
	if t.one == nil || t.one.id == id {
		return t.one
	}
	return t.one.others[id]
}

// remove takes one out; nil when it is not there. An empty table keeps no memory: most sockets owe nothing.
func (t *ackTable) remove(id uint64) *pendingAck {
	p := t.get(id)
	switch {
	case p == nil:
		return nil
	case p != t.one:
		delete(t.one.others, id)
		return p
	}
	rest := p.others
	t.one, p.others = nil, nil
	for id, q := range rest {
		delete(rest, id)
		if len(rest) > 0 {
			q.others = rest
		}
		t.one = q
		break
	}
	return p
}

// take takes all of them out, in the order in which they were asked for.
func (t *ackTable) take() []*pendingAck {
	p := t.one
	if p == nil {
		return nil
	}
	all := append(make([]*pendingAck, 0, t.len()), p)
	for _, q := range p.others {
		all = append(all, q)
	}
	t.one, p.others = nil, nil
	slices.SortFunc(all, func(a, b *pendingAck) int { return cmp.Compare(a.id, b.id) })
	return all
}

// emit emits the event that asks for the acknowledgement.
func (p *pendingAck) emit(event string, args []any) (err error) {
	if sio.Reserved(event) {
		return reservedError(event)
	}
	s := p.s
	if err = s.expect(p); err != nil {
		return err
	}
	sent := false
	defer func() {
		// A value may also panic when it is encoded.
		if !sent && s.forgetAck(p.id) == nil && p.done != nil {
			err = nil // the socket has ended meanwhile, and done is told
		}
	}()
	s.listenOut(event, args)
	p.frame, err = s.ns.srv.enc.event(s.ns.name, int64(p.id), event, args)
	if err == nil {
		if p.plain {
			eio.Plain(p.frame)
		}
		s.client.sess.Deflate(p.frame)
		if !s.client.loop().TryPost(p) {
			err = s.ns.srv.refused()
		}
	}
	sent = err == nil
	return err
}

// expect notes a pending acknowledgement.
func (s *Socket) expect(p *pendingAck) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed.Load() || s.ns.srv.state.Load() >= serverEnding:
		return ErrClosed
	case s.acks.len() >= s.settings().maxPendingAcks:
		return ErrTooManyAcks
	}
	s.acks.add(p)
	return nil
}

// owes tells whether a pending acknowledgement is still that.
func (s *Socket) owes(p *pendingAck) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acks.get(p.id) == p
}

func (s *Socket) forgetAck(id uint64) *pendingAck {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acks.remove(id)
}

// await waits for the answer to a Request.
func (p *pendingAck) await(ctx context.Context) (Reply, error) {
	var done <-chan struct{}
	if ctx != context.Context(&p.s.ctx) {
		// The socket's own end answers by itself.
		done = ctx.Done()
	}
	select {
	case <-p.ready:
	case <-done:
		if p.s.forgetAck(p.id) != nil {
			p.s.ns.srv.waits.remove(p)
			p.forgetTimer()
			return Reply{}, ended(ctx)
		}
		<-p.ready // the answer came in the same moment
	}
	return p.answer.reply, p.answer.err
}

// acknowledged takes a client's acknowledgement on the loop. One that nobody waits for is ignored.
func (s *Socket) acknowledged(p *sio.Packet, attachments [][]byte, owned bool) {
	reply := func() Reply {
		args := arguments{p.Args, attachments, p.NArgs}
		if !owned {
			args.json = append([]byte(nil), p.Args...)
		}
		return Reply{args, s.ns.srv.enc.json}
	}
	if p.HasID && p.ID >= broadcastAcks && s.ns.asks.answered(s, p.ID, reply) {
		return
	}
	var pending *pendingAck
	if p.HasID {
		pending = s.forgetAck(p.ID)
	}
	if pending == nil {
		s.ns.srv.stats.unknownAcks.Add(1)
		return
	}
	if debugs(s.ns.srv.sio) {
		s.debugSocket("acknowledgement", slog.Uint64("ack", p.ID), slog.Int("bytes", len(p.Args)), slog.Int("attachments", len(attachments)))
	}
	pending.stopTimer()
	pending.settle(answer{reply: reply()})
}
