package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// How the coordinator waits.
const (
	pollEvery   = 100 * time.Millisecond // for what is not announced
	settleAfter = 200 * time.Millisecond // for memory, and for late duplicates
)

// Reasons for an early end.
var (
	errTimeout = errors.New("timeout")
	errStalled = errors.New("no message arrived for too long")
)

// ErrConnect is wrapped by the error of Run when the publisher or every
// subscriber failed to connect.
var ErrConnect = errors.New("bench: cannot connect")

// run is one run under way; only the goroutine of Run touches it.
type run struct {
	cfg     Config
	target  target
	clock   clock
	plan    *tickPlan
	server  *processes // nil when not known
	workers []*worker
	// publisher is a subscriber of workers[0] and touched on its loop only.
	publisher *subscriber
	notify    chan struct{}
	result    *Result
}

// Run makes the bursts that cfg describes and returns what was measured. When
// ctx ends or the timeout passes, the result says so in Partial. An error
// means that there is nothing to report; a run with lost or faulty messages is
// not an error, see Result.OK.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	t, err := parseTarget(cfg.URL)
	if err != nil {
		return nil, err
	}
	if t, err = t.resolve(); err != nil {
		return nil, err
	}
	if err := raiseDescriptors(cfg.descriptors()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, cfg.Timeout, errTimeout)
	defer cancel()
	r := &run{
		cfg: cfg, target: t, clock: newClock(),
		plan:   newTickPlan(cfg.Broadcasts, cfg.Size),
		notify: make(chan struct{}, 1),
		result: newResult(cfg, t),
	}
	if err := r.findServer(); err != nil {
		return nil, err
	}
	// A session upgrades once, so repeating that takes new sessions. All
	// other bursts are repeated on the same ones.
	attempts, bursts := 1, cfg.Repeat
	if cfg.Transport == TransportUpgrade {
		attempts, bursts = cfg.Repeat, 1
	}
	for range attempts {
		if err := r.attempt(ctx, bursts); err != nil {
			if len(r.result.Bursts) == 0 {
				return nil, err
			}
			r.result.Partial = err.Error()
		}
		if r.result.Partial != "" {
			break
		}
	}
	r.result.finish()
	return r.result, nil
}

// findServer looks for the server's processes. Only processes that the
// configuration names have to be there.
func (r *run) findServer() error {
	if len(r.cfg.PIDs) > 0 {
		r.server = &processes{root: procRoot, pids: r.cfg.PIDs}
		_, err := r.server.cpu()
		return err
	}
	if !r.target.local() {
		r.result.note("the server is on another machine: no CPU, memory and latency figures")
		return nil
	}
	pids, err := listenerOwners(procRoot, r.target.addr)
	if err != nil {
		r.result.note("no CPU and memory figures: " + err.Error())
		return nil
	}
	r.server = &processes{root: procRoot, pids: pids}
	return nil
}

// attempt connects everybody, makes some bursts, and disconnects.
func (r *run) attempt(ctx context.Context, bursts int) error {
	if err := r.startWorkers(); err != nil {
		return err
	}
	defer r.stopWorkers()
	before := r.resident()
	if err := r.connectPublisher(ctx); err != nil {
		return err
	}
	connected, err := r.connectSubscribers(ctx)
	defer func() { r.noteFailures() }()
	if err != nil || connected == 0 {
		return err
	}
	pause(ctx, settleAfter)
	r.noteMemory(before, connected)
	for range bursts {
		if stop := r.burst(ctx); stop || ctx.Err() != nil {
			break
		}
	}
	if ctx.Err() != nil {
		r.cutShort(ctx)
	}
	return nil
}

// startWorkers creates the loops.
func (r *run) startWorkers() error {
	for range r.cfg.Workers {
		w, err := newWorker(r.cfg, r.target, r.clock, r.plan, r.wake)
		if err != nil {
			r.stopWorkers()
			return err
		}
		w.start()
		r.workers = append(r.workers, w)
	}
	return nil
}

// stopWorkers ends the loops and closes all connections.
func (r *run) stopWorkers() {
	for _, w := range r.workers {
		w.stop()
	}
	r.workers = nil
}

// wake makes await look again; safe for concurrent use.
func (r *run) wake() {
	select {
	case r.notify <- struct{}{}:
	default: // it is going to look anyway
	}
}

// connectPublisher opens the publishing session before the others, so that a
// server that is not there is told at once.
func (r *run) connectPublisher(ctx context.Context) error {
	w := r.workers[0]
	p := &subscriber{w: w, publisher: true, upgradeAt: noUpgrade}
	w.call(func() {
		w.subs = []*subscriber{p}
		w.dials = newDialQueue(w.cfg, []*subscriber{p}, w.clock.now())
		w.publishProgress(w.clock.now())
	})
	if err := r.await(ctx, 0, progress.connected); err != nil {
		return fmt.Errorf("%w: %w", ErrConnect, err)
	}
	var err error
	w.call(func() {
		if p.phase != phaseReady {
			err = fmt.Errorf("%w: %s", ErrConnect, describe(w.counts.failures))
		}
	})
	r.publisher = p
	return err
}

// connectSubscribers opens all subscribers and returns how many stand.
func (r *run) connectSubscribers(ctx context.Context) (connected int, err error) {
	begin := time.Now()
	for i, w := range r.workers {
		w.call(func() { w.addSubscribers(i) })
	}
	if err := r.await(ctx, 0, progress.connected); err != nil {
		r.cutShort(ctx)
	}
	p := r.progress()
	connected = p.ready - 1 // without the publisher
	r.result.Connects = append(r.result.Connects, Connect{
		Connected: connected,
		Failed:    r.cfg.Subscribers - connected,
		Seconds:   time.Since(begin).Seconds(),
	})
	if r.result.Partial != "" {
		return 0, nil
	}
	if connected == 0 {
		return 0, fmt.Errorf("%w: %s", ErrConnect, describe(r.failures()))
	}
	return connected, nil
}

// addSubscribers gives the worker its part of the subscribers, every
// cfg.Workers-th of them from offset on.
func (w *worker) addSubscribers(offset int) {
	fresh := make([]*subscriber, 0, w.cfg.Subscribers/w.cfg.Workers+1)
	for i := offset; i < w.cfg.Subscribers; i += w.cfg.Workers {
		fresh = append(fresh, &subscriber{w: w, upgradeAt: w.cfg.upgradeTick(i)})
	}
	w.subs = append(w.subs, fresh...)
	w.dials = newDialQueue(w.cfg, fresh, w.clock.now())
	w.publishProgress(w.clock.now())
}

// upgradeTick is the tick at which the i-th subscriber starts its upgrade. The
// upgrades are spread over the first three quarters of the burst, so that the
// last ones have time to happen while messages are still coming.
func (c Config) upgradeTick(i int) int {
	if i >= c.Upgrade {
		return noUpgrade
	}
	return int(int64(i) * int64(c.Broadcasts) * 3 / 4 / int64(c.Upgrade))
}

// await waits until done holds for the sum of all workers. With a stall above
// zero it gives up when nothing arrives for so long.
func (r *run) await(ctx context.Context, stall time.Duration, done func(progress) bool) error {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	last, lastChange := r.progress(), time.Now()
	for {
		p := r.progress()
		if done(p) {
			return nil
		}
		if p != last {
			last, lastChange = p, time.Now()
		} else if stall > 0 && time.Since(lastChange) > stall {
			return errStalled
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-r.notify:
		case <-ticker.C:
		}
	}
}

// progress sums up the workers.
func (r *run) progress() progress {
	var sum progress
	for _, w := range r.workers {
		sum = sum.add(w.current())
	}
	return sum
}

// cutShort marks the result as partial, with the reason.
func (r *run) cutShort(ctx context.Context) {
	if r.result.Partial != "" {
		return
	}
	r.result.Partial = "interrupted"
	if cause := context.Cause(ctx); errors.Is(cause, errTimeout) {
		r.result.Partial = fmt.Sprintf("timeout of %v", r.cfg.Timeout)
	}
}

// pause waits a little, less if ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
