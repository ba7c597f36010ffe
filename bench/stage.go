package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// stage is a server with the sessions that are open to it: the server under
// test, or a floor. Only the goroutine of Run touches it.
type stage struct {
	cfg    Config
	target target
	clock  clock
	server *processes // nil when not known
	crews  []crew
	floor  *process // nil for the server under test
	batch  int      // ticks that a floor may send at once
	result *Result  // takes the remarks
	notify chan struct{}
	lost   error // why a crew does not answer any more
}

// openStage starts the crews of a stage. Their sessions behave like d.
func openStage(cfg Config, d duty, t target, server *processes, result *Result) (*stage, error) {
	s := &stage{
		cfg: cfg, target: t, clock: newClock(), server: server, result: result,
		batch: floorBatch, notify: make(chan struct{}, 1),
	}
	if cfg.Processes <= 1 {
		a, err := newAgent(cfg, d, t, s.wake)
		if err != nil {
			return nil, err
		}
		s.crews = []crew{a}
		return s, nil
	}
	for i := range cfg.Processes {
		c, err := newRemoteCrew(cfg.Command, cfg.part(i), d)
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		s.crews = append(s.crews, c)
	}
	return s, nil
}

// close ends the sessions, the loops, and the floor.
func (s *stage) close() error {
	var err error
	for _, c := range s.crews {
		err = errors.Join(err, c.close())
	}
	s.crews = nil
	if s.floor != nil {
		err = errors.Join(err, s.floor.close())
		s.floor = nil
	}
	return err
}

// wake makes await look again; safe for concurrent use.
func (s *stage) wake() {
	select {
	case s.notify <- struct{}{}:
	default: // it is going to look anyway
	}
}

// part returns what one of n crews has to do of an order.
func (o order) part(i, n int) order {
	o.Sessions = share(o.Sessions, n, i)
	o.Slow = share(o.Slow, n, i)
	o.Publisher = o.Publisher && i == 0
	if o.Echo != nil {
		plan := *o.Echo
		plan.Concurrency = share(plan.Concurrency, n, i)
		plan.Interval *= int64(n)
		o.Echo = &plan
	}
	return o
}

// tell has all crews carry an order out and adds up their reports. The windows
// come in the order of the crews.
func (s *stage) tell(o order) (report, []*window, error) {
	if s.lost != nil {
		return report{}, nil, s.lost
	}
	reports := make([]report, len(s.crews))
	errs := make([]error, len(s.crews))
	var wg sync.WaitGroup
	for i, c := range s.crews {
		if o.Do == doPublish && i > 0 {
			continue // the publisher is with the first
		}
		wg.Go(func() { reports[i], errs[i] = c.do(o.part(i, len(s.crews))) })
	}
	wg.Wait()
	var sum report
	var windows []*window
	for _, r := range reports {
		sum.add(r)
		if r.Window != nil {
			windows = append(windows, r.Window)
		}
	}
	s.lost = errors.Join(errs...)
	return sum, windows, s.lost
}

// progress sums up the crews. One that is lost shows as no progress at all,
// which await turns into an error.
func (s *stage) progress() progress {
	r, _, _ := s.tell(order{Do: doProgress})
	return r.Progress
}

// await waits until done holds for the sum of all crews. With a stall above
// zero it gives up when nothing arrives for so long. How far the phase is comes
// from done.
func (s *stage) await(ctx context.Context, phase watched, stall time.Duration, done func(progress) (have, want int)) error {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	last, lastChange := s.progress(), time.Now()
	for {
		p := s.progress()
		if s.lost != nil {
			return s.lost
		}
		have, want := done(p)
		s.watch(phase.progress(p, have, want))
		if have >= want {
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
		case <-s.notify:
		case <-ticker.C:
		}
	}
}

// watch reports how far a phase is.
func (s *stage) watch(p Progress) {
	if s.cfg.Progress == nil {
		return
	}
	if s.floor != nil {
		p.Phase = "floor: " + p.Phase
	}
	s.cfg.Progress(p)
}

// connectPublisher opens the publishing session, before the others so that a
// server that is not there is told at once. A floor needs none.
func (s *stage) connectPublisher(ctx context.Context) error {
	if s.floor != nil {
		return nil
	}
	if _, _, err := s.tell(order{Do: doOpen, Publisher: true}); err != nil {
		return err
	}
	if err := s.await(ctx, connecting, 0, connected); err != nil {
		return fmt.Errorf("%w: %w", ErrConnect, err)
	}
	r, _, err := s.tell(order{Do: doProgress})
	if err != nil || r.Progress.Ready > 0 {
		return err
	}
	return fmt.Errorf("%w: %s", ErrConnect, describe(s.failures()))
}

// connecting is the phase in which sessions are opened.
var connecting = watched{phase: "connecting", unit: "sessions"}

// connected is done when every session that was started stands or failed.
func connected(p progress) (have, want int) { return p.Ready + p.ConnectFailed, p.Subscribers }

// connect opens sessions, some of which are going to be slow, and returns how
// many of them stand. What ends it early is left to the caller's ctx.
func (s *stage) connect(ctx context.Context, sessions, slow int) (stand int, err error) {
	begin := time.Now()
	before := s.progress().Ready
	if _, _, err := s.tell(order{Do: doOpen, Sessions: sessions, Slow: slow}); err != nil {
		return 0, err
	}
	waited := s.await(ctx, connecting, 0, connected)
	stand = s.progress().Ready - before
	s.result.Connects = append(s.result.Connects, Connect{
		Connected: stand,
		Failed:    sessions - stand,
		Seconds:   time.Since(begin).Seconds(),
	})
	if waited != nil {
		return 0, waited
	}
	if stand == 0 {
		return 0, fmt.Errorf("%w: %s", ErrConnect, describe(s.failures()))
	}
	return stand, nil
}

// leave ends all sessions in good order, so that the server has none left when
// the next ones come.
func (s *stage) leave(ctx context.Context) error {
	if _, _, err := s.tell(order{Do: doLeave}); err != nil {
		return err
	}
	err := s.await(ctx, watched{phase: "disconnecting", unit: "sessions"}, s.cfg.Stall, func(p progress) (have, want int) {
		return p.Subscribers - p.Leaving, p.Subscribers
	})
	pause(ctx, settleAfter)
	return err
}

// failures adds up the reasons of all crews.
func (s *stage) failures() map[string]int {
	r, _, _ := s.tell(order{Do: doCount})
	return r.Failures
}

// noteFailures completes the report of the latest connections.
func (s *stage) noteFailures() {
	if len(s.result.Connects) == 0 {
		return
	}
	c := &s.result.Connects[len(s.result.Connects)-1]
	r, _, err := s.tell(order{Do: doCount})
	if err != nil {
		return
	}
	c.Failures, c.Lost, c.Stray = r.Failures, r.Lost, r.Stray
	if s.cfg.Retry {
		c.Retried = r.Retried
	}
	if c.Stray > 0 {
		s.result.note(fmt.Sprintf("%d messages came outside of the bursts: the server was publishing for somebody else, "+
			"or still for an earlier run, and the faults may be theirs", c.Stray))
	}
}

// collect ends the window that began at since and merges what the crews saw.
func (s *stage) collect(since int64, early bool) (window, *hdrhistogram.Histogram, *hdrhistogram.Histogram, error) {
	_, windows, err := s.tell(order{Do: doCollect, Since: since, Early: early})
	latency, lag := newHistogram(), newHistogram()
	var sum window
	for _, v := range windows {
		sum.add(v)
		err = errors.Join(err, mergeHistogram(latency, v.Latency), mergeHistogram(lag, v.Lag))
	}
	return sum, latency, lag, err
}

// resident reads the server's memory, 0 when it is not known.
func (s *stage) resident() int64 {
	if s.server == nil {
		return 0
	}
	n, err := s.server.resident()
	if err != nil {
		s.result.note("no memory figures: " + err.Error())
		return 0
	}
	return n
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
