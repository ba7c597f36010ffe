package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// fanout publishes to all subscribers.
func (r *run) fanout(ctx context.Context) error {
	// A session upgrades once, so repeating that takes new sessions. All
	// other bursts are repeated on the same ones.
	if r.cfg.Transport != TransportUpgrade {
		return r.fanoutAttempt(ctx, r.cfg, unitMessage, r.rounds(), true)
	}
	for i := range r.cfg.Repeat {
		r.begin(r.cfg.Warmup + i)
		if err := r.fanoutAttempt(ctx, r.cfg, unitMessage, 1, true); err != nil {
			return err
		}
	}
	return nil
}

// fanoutDuty returns the behaviour of the subscribers of a fan-out.
func fanoutDuty(cfg Config) duty { return duty{Join: !cfg.All, Park: true} }

// fanoutAttempt connects all subscribers, publishes some bursts, and disconnects. Bursts are reported one by one only
// if the run has nothing else to report.
func (r *run) fanoutAttempt(ctx context.Context, cfg Config, u unit, bursts int, report bool) error {
	// A floor cannot follow a session from one connection to another.
	cfg.Floor = cfg.Floor && cfg.Transport != TransportUpgrade
	main, floor, err := r.withFloor(cfg, fanoutDuty(cfg))
	if err != nil {
		return err
	}
	defer func() { r.closeStages(main, floor) }()
	before := main.resident()
	connected, err := r.openPublic(ctx, main, cfg.Subscribers, 0)
	defer main.noteFailures()
	if err != nil {
		return err
	}
	pause(ctx, settleAfter)
	r.noteMemory(main, before, connected)
	floor = r.alongside(ctx, floor, func(s *stage) error {
		_, err := r.openPublic(ctx, s, s.cfg.Subscribers, 0)
		return err
	})
	warmup := bursts - r.cfg.Repeat
	for i := range bursts {
		if bursts > 1 {
			r.begin(i)
		}
		b, stop, err := main.burst(ctx)
		if err != nil {
			return err
		}
		counted := i >= warmup
		r.take(u, &b, cfg, counted, report)
		if stop != nil {
			return stop
		}
		floor = r.alongside(ctx, floor, func(s *stage) error {
			fb, stop, err := s.burst(ctx)
			if counted && err == nil && stop == nil {
				r.gauges.floorWindow(u, &fb, cfg.Gap > 0)
			}
			return errors.Join(err, stop)
		})
	}
	return nil
}

// take reports a burst.
func (r *run) take(u unit, b *Burst, cfg Config, counted, report bool) {
	switch {
	case !counted:
		r.result.faults("warm-up", b)
		return
	case report:
		r.result.Bursts = append(r.result.Bursts, *b)
	default:
		r.result.faults(u.prefix+u.many, b)
	}
	r.gauges.window(u, b, cfg.Gap > 0)
	if b.Latency != nil && !b.Interrupted {
		r.curve(latencyCurve(u.prefix+"latency", b.latencies))
	}
}

// curve adds a curve, or replaces the one with that name, so that the last of several rounds is shown.
func (r *run) curve(c Curve) {
	for i := range r.result.Curves {
		if r.result.Curves[i].Name == c.Name {
			r.result.Curves[i] = c
			return
		}
	}
	r.result.Curves = append(r.result.Curves, c)
}

// openPublic opens a publisher and its audience, and returns the number of open ones.
func (r *run) openPublic(ctx context.Context, s *stage, sessions, slow int) (int, error) {
	if err := s.connectPublisher(ctx); err != nil {
		return 0, err
	}
	return s.connect(ctx, sessions, slow)
}

// noteMemory reports the memory of the first attempt. Later ones include memory that the server has not released.
func (r *run) noteMemory(s *stage, before int64, connected int) {
	after := s.resident()
	if r.result.Memory != nil || before == 0 || after == 0 {
		return
	}
	r.result.Memory = &Memory{PIDs: s.server.pids, Before: before, After: after}
	if per := float64(after-before) / float64(connected); per >= sessionBytesMin {
		r.result.Memory.PerConnection = per
	} else {
		r.result.note("no memory per connection: the server reused memory of earlier sessions, measure a fresh process")
	}
}

// publish makes the server, or the floor, send its ticks.
func (s *stage) publish() error {
	if s.floor == nil {
		_, _, err := s.tell(order{Do: doPublish})
		return err
	}
	batch := s.batch
	if s.cfg.Gap > 0 {
		batch = 1
	}
	command := floorBurst{Count: s.cfg.Broadcasts, Size: s.cfg.Size, GapNs: s.cfg.Gap.Nanoseconds(), Batch: batch}
	if err := json.NewEncoder(s.floor.in).Encode(command); err != nil {
		return fmt.Errorf("%w: %w", errChild, err)
	}
	return nil
}

// burst publishes once and waits for the deliveries. stop means that another burst makes no sense, err that there is no
// burst to report.
func (s *stage) burst(ctx context.Context) (b Burst, stop, err error) {
	planned, settled := 0, 0
	measured, err := s.measure(ctx, measurement{
		kind: windowTicks, watched: watched{phase: "messages", unit: "messages"}, stall: s.cfg.Stall + s.cfg.Gap,
		start: func(upgrades int) error {
			planned = upgrades
			p := s.progress()
			settled = planned + p.upgradesSettled()
			return s.publish()
		},
		done: func(p progress) (have, want int) {
			open := p.Receivers - p.Complete - p.LostReceivers + max(0, settled-p.upgradesSettled())
			if open == 0 {
				return 1, 1
			}
			// Deliveries are a finer measure than receivers that are done.
			return min(int(p.Delivered), p.Receivers*s.cfg.Broadcasts-1), p.Receivers * s.cfg.Broadcasts
		},
	})
	if s.lost != nil || measured.latencies == nil {
		return b, nil, err
	}
	b = measured
	if s.cfg.Transport == TransportUpgrade {
		b.Upgrades = &Upgrades{Planned: planned, Done: b.upgradesDone, Failed: b.upgradesFailed, InBurst: b.upgradesInBurst}
		if b.Upgrades.Done > 0 && b.Upgrades.InBurst == 0 {
			s.result.note("no upgrade met a message: give the burst a gap")
		}
	}
	if s.cfg.Gap > 0 {
		s.result.note("the bursts are paced by the gap: the rate is what was asked for, not a limit")
	}
	return b, err, nil
}

// upgradeTick returns the tick at which the i-th subscriber starts its upgrade. The
// upgrades are spread over the first three quarters of the burst, so that the
// last ones have time to happen while messages are still coming.
func (c Config) upgradeTick(i int) int {
	if i >= c.Upgrade {
		return noUpgrade
	}
	return int(int64(i) * int64(c.Broadcasts) * 3 / 4 / int64(c.Upgrade))
}
