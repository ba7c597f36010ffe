package webhook

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// The reasons for which a hook has no answer. All wrap ErrUnavailable.
var (
	ErrUnavailable = errors.New("webhook: backend unavailable")
	// ErrFailed: the request or its answer failed; the cause is wrapped.
	ErrFailed = fmt.Errorf("%w: request failed", ErrUnavailable)
	// ErrTimeout: there was no answer in Config.Timeout.
	ErrTimeout = fmt.Errorf("%w: no answer in time", ErrUnavailable)
	// ErrOpen: the circuit breaker is open.
	ErrOpen = fmt.Errorf("%w: circuit open", ErrUnavailable)
	// ErrQueueFull: too many hooks wait, or this one has waited for too long.
	ErrQueueFull = fmt.Errorf("%w: queue full", ErrUnavailable)
	// ErrClosed: Close was called.
	ErrClosed = fmt.Errorf("%w: closed", ErrUnavailable)
)

// Sender makes hooks. Safe for concurrent use.
type Sender struct {
	target atomic.Pointer[target] // what Update changes
	stats  counters
	ctx    context.Context // ends requests, see Close
	cut    context.CancelFunc
	// warned is when an answer's wrong part was logged last, in nanoseconds since 1970.
	warned atomic.Int64

	mu      sync.Mutex // guards what follows
	breaker breaker
	queue   queue
	retries retries
	// wake is for the earliest retry; nil until there is one.
	wake *time.Timer
	// running counts the goroutines that make requests: each one does so as long as a hook waits.
	running int
	// bytes are the bodies of all hooks that have no answer yet, told the hooks of Disconnect among them.
	bytes, told int
	// closing is set by Close; idle is closed when nothing is left then.
	closing bool
	idle    chan struct{}
}

// New returns a Sender for the configuration. Close ends it.
func New(cfg Config) (*Sender, error) {
	t, err := newTarget(cfg)
	if err != nil {
		return nil, err
	}
	s := &Sender{breaker: breaker{openFor: t.cfg.OpenFor}, idle: make(chan struct{})}
	s.ctx, s.cut = context.WithCancel(context.Background())
	s.target.Store(t)
	return s, nil
}

// Update changes the configuration. Requests under way end as they began, what waits goes by the new one. Errors: those
// of New; nothing is changed then.
func (s *Sender) Update(cfg Config) error {
	t, err := newTarget(cfg)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.breaker.openFor = t.cfg.OpenFor
	old := s.target.Swap(t)
	s.mu.Unlock()
	old.retire()
	return nil
}

// Connect asks whether a client may connect. Errors wrap ErrUnavailable, or are ctx's when that ends before the request
// is made; when it ends later, the answer is waited for all the same, because the backend knows of the client then.
func (s *Sender) Connect(ctx context.Context, d *Data) (*Answer, error) {
	return s.ask(ctx, Connect, d)
}

// Event tells of a client's event and returns what the backend wants. Errors are those of Connect.
func (s *Sender) Event(ctx context.Context, d *Data) (*Answer, error) { return s.ask(ctx, Event, d) }

// Disconnect tells of the end of a socket, in the background. What fails is tried again until Config.RetryFor is over,
// and is counted then. Errors: ErrClosed, ErrQueueFull; the backend will not be told.
func (s *Sender) Disconnect(d *Data) error {
	h, err := s.hook(Disconnect, d)
	if err != nil {
		return err
	}
	cfg := &s.target.Load().cfg
	now := time.Now()
	h.first, h.backoff = now, cfg.FirstRetry
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closing:
		return ErrClosed
	case s.told >= cfg.Queue || !s.reserve(h, cfg):
		s.stats.full.Add(1)
		return ErrQueueFull
	}
	s.told++
	s.tell(h, now)
	return nil
}

func (s *Sender) hook(kind Kind, d *Data) (*hook, error) {
	text, err := body(kind, s.target.Load().cfg.Node, time.Now(), d)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFailed, err)
	}
	return &hook{kind: kind, id: newID(), body: text}, nil
}

func (s *Sender) ask(ctx context.Context, kind Kind, d *Data) (*Answer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	h, err := s.hook(kind, d)
	if err != nil {
		return nil, err
	}
	h.done = make(chan struct{})
	if err := s.admit(h); err != nil {
		return nil, err
	}
	timer := time.NewTimer(s.target.Load().cfg.Timeout)
	defer timer.Stop()
	select {
	case <-h.done:
	case <-timer.C:
		s.giveUp(h, ErrQueueFull)
	case <-ctx.Done():
		s.giveUp(h, ctx.Err())
	}
	<-h.done
	return h.answer, h.err
}

// admit begins a hook that somebody waits for, or lets it wait for its turn.
func (s *Sender) admit(h *hook) error {
	cfg := &s.target.Load().cfg
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closing:
		return ErrClosed
	case !s.mayBegin(time.Now(), cfg):
		s.stats.count(h.kind, Open)
		return ErrOpen
	case s.queue.asked.Len() >= cfg.Queue || !s.reserve(h, cfg):
		s.stats.full.Add(1)
		return ErrQueueFull
	}
	s.begin(h, cfg)
	return nil
}

// giveUp ends the wait of a hook whose turn has not come. A hook that has begun is left alone.
func (s *Sender) giveUp(h *hook, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.queue.remove(h) {
		return
	}
	if errors.Is(err, ErrQueueFull) {
		s.stats.full.Add(1)
	}
	s.finish(h, nil, err)
}

// tell begins an attempt of a Disconnect, or puts it off. Called with the mutex held.
func (s *Sender) tell(h *hook, now time.Time) {
	cfg := &s.target.Load().cfg
	if !s.mayBegin(now, cfg) {
		s.stats.count(h.kind, Open)
		s.putOff(h, now, cfg)
		return
	}
	s.begin(h, cfg)
}

// putOff lets a Disconnect wait for its next attempt, if there is to be one. Called with the mutex held.
func (s *Sender) putOff(h *hook, now time.Time, cfg *Config) {
	h.due = now.Add(h.backoff)
	if h.backoff = min(2*h.backoff, cfg.MaxRetry); s.closing || h.due.Sub(h.first) > cfg.RetryFor {
		s.stats.lost.Add(1)
		s.finish(h, nil, ErrFailed)
		return
	}
	heap.Push(&s.retries, h)
	s.schedule(now)
}

// schedule sets the timer of the earliest retry. Called with the mutex held.
func (s *Sender) schedule(now time.Time) {
	if len(s.retries) == 0 {
		return
	}
	wait := s.retries[0].due.Sub(now)
	if s.wake == nil {
		s.wake = time.AfterFunc(wait, s.retry)
		return
	}
	s.wake.Reset(wait)
}

// retry begins the attempts whose time has come.
func (s *Sender) retry() {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for h := s.retries.due(now); h != nil; h = s.retries.due(now) {
		s.stats.retries.Add(1)
		s.tell(h, now)
	}
	s.schedule(now)
}

// reserve enters the body of a hook in the sum; it returns false if that would be too much. Called with the mutex held.
func (s *Sender) reserve(h *hook, cfg *Config) bool {
	if s.bytes+len(h.body) > cfg.QueueBytes {
		return false
	}
	s.bytes += len(h.body)
	return true
}

// mayBegin reports whether the circuit breaker lets a hook begin. Called with the mutex held.
func (s *Sender) mayBegin(now time.Time, cfg *Config) bool {
	// The probe must be made at once, so it needs a free place.
	return s.breaker.admits(now) && (!s.breaker.open() || s.running < cfg.MaxInFlight)
}

// begin makes the request of a hook, or lets the hook wait for its turn. Called with the mutex held, after mayBegin.
func (s *Sender) begin(h *hook, cfg *Config) {
	if s.running >= cfg.MaxInFlight {
		s.queue.push(h)
		return
	}
	s.breaker.begins(h)
	s.running++
	go s.run(h)
}

// run makes requests as long as hooks wait.
func (s *Sender) run(h *hook) {
	for h != nil {
		t := s.target.Load()
		began := time.Now()
		answer, err := t.post(s.ctx, h)
		now := time.Now()
		s.note(t, h, answer, err, now.Sub(began))
		h = s.ended(h, answer, err, now)
	}
}

// warnEvery is the time between two lines about wrong parts of answers: a backend makes the same mistake each time.
const warnEvery = 10 * time.Second

// note counts and logs a request that has ended.
func (s *Sender) note(t *target, h *hook, a *Answer, err error, took time.Duration) {
	result := resultOf(h.kind, a, err)
	s.stats.count(h.kind, result)
	if t.cfg.Observe != nil {
		t.cfg.Observe(h.kind, result, took)
	}
	if err != nil {
		t.failed(h, err)
		return
	}
	if len(a.Wrong) == 0 {
		return
	}
	s.stats.wrong.Add(uint64(len(a.Wrong) - 1))
	s.Complain(fmt.Errorf("%s %s: %w", h.kind, h.id, a.Wrong[0]))
}

// Complain counts and logs a part of an answer that could not be carried out.
func (s *Sender) Complain(err error) {
	s.stats.wrong.Add(1)
	now, last := time.Now().UnixNano(), s.warned.Load()
	if now-last >= int64(warnEvery) && s.warned.CompareAndSwap(last, now) {
		s.target.Load().cfg.Log.LogAttrs(context.Background(), slog.LevelWarn, "part of a webhook's answer left out",
			slog.Any("err", err))
	}
}

// ended settles a hook whose request has ended, and returns the next one; nil if none waits.
func (s *Sender) ended(h *hook, answer *Answer, err error, now time.Time) (next *hook) {
	cfg := &s.target.Load().cfg
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.breaker.ends(h, err == nil, now) {
		s.turned(now, cfg)
	}
	if err != nil && h.kind == Disconnect {
		s.putOff(h, now, cfg)
	} else {
		s.finish(h, answer, err)
	}
	if s.running <= cfg.MaxInFlight { // Update may have made it less
		next = s.queue.pop()
	}
	if next == nil {
		s.running--
		s.settle()
	}
	return next
}

// turned is called when the circuit breaker has opened or closed. What waits fails at once when it has opened. Called
// with the mutex held.
func (s *Sender) turned(now time.Time, cfg *Config) {
	if !s.breaker.open() {
		cfg.Log.LogAttrs(context.Background(), slog.LevelInfo, "the webhooks' backend is back")
		return
	}
	cfg.Log.LogAttrs(context.Background(), slog.LevelWarn, "the webhooks' backend fails: circuit open",
		slog.Int("waiting", s.queue.asked.Len()+s.queue.told.Len()), slog.Duration("for", cfg.OpenFor))
	for h := s.queue.pop(); h != nil; h = s.queue.pop() {
		s.stats.count(h.kind, Open)
		if h.kind == Disconnect {
			s.putOff(h, now, cfg)
			continue
		}
		s.finish(h, nil, ErrOpen)
	}
}

// finish is the end of a hook. Called with the mutex held.
func (s *Sender) finish(h *hook, answer *Answer, err error) {
	s.bytes -= len(h.body)
	h.answer, h.err = answer, err
	if h.done != nil {
		close(h.done)
	} else {
		s.told--
	}
	s.settle()
}

// settle closes idle when nothing is left after Close. Called with the mutex held.
func (s *Sender) settle() {
	if !s.closing || s.running > 0 || s.told > 0 {
		return
	}
	select {
	case <-s.idle:
	default:
		close(s.idle)
	}
}

// Close refuses further hooks, and waits until all that have begun or wait have ended. Those of Disconnect that wait
// for another attempt have their last one now. When ctx ends, all that is left is ended: requests are cut, and what no
// backend was told is counted as lost. It returns ctx's error then. Close may be called several times.
func (s *Sender) Close(ctx context.Context) error {
	now := time.Now()
	s.mu.Lock()
	s.closing = true
	if s.wake != nil {
		s.wake.Stop()
	}
	for len(s.retries) > 0 {
		s.stats.retries.Add(1)
		s.tell(heap.Pop(&s.retries).(*hook), now)
	}
	s.settle()
	s.mu.Unlock()
	defer func() {
		s.cut()
		s.target.Load().retire()
	}()
	select {
	case <-s.idle:
		return nil
	case <-ctx.Done():
	}
	s.cut()
	s.mu.Lock()
	for h := s.queue.pop(); h != nil; h = s.queue.pop() {
		if h.kind == Disconnect {
			s.stats.lost.Add(1)
		}
		s.finish(h, nil, ErrClosed)
	}
	s.mu.Unlock()
	<-s.idle
	return ctx.Err()
}
