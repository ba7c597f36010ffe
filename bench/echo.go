package bench

import (
	"context"
	"errors"
	"time"
)

// echo sends events that are acknowledged with their argument.
func (r *run) echo(ctx context.Context) error {
	return r.echoRounds(ctx, r.cfg, unitTrip, true)
}

// echoRounds runs the rounds of echo for a transport.
func (r *run) echoRounds(ctx context.Context, cfg Config, u unit, count bool) error {
	if cfg.Rate > 0 && cfg.Transport == TransportPolling && cfg.Floor {
		cfg.Floor = false
		r.result.note("no floor for an open loop over long-polling: how many requests a POST carries is not known before")
	}
	main, floor, err := r.withFloor(cfg, duty{})
	if err != nil {
		return err
	}
	defer func() { r.closeStages(main, floor) }()
	_, err = main.connect(ctx, cfg.Subscribers, 0)
	defer main.noteFailures()
	if err != nil {
		return err
	}
	floor = r.alongside(ctx, floor, func(s *stage) error {
		_, err := s.connect(ctx, s.cfg.Subscribers, 0)
		return err
	})
	pause(ctx, settleAfter)
	for i := range r.each() {
		b, stop := main.echoes(ctx, cfg.echoPlan())
		if b.latencies == nil {
			return stop
		}
		r.result.faults(u.prefix+u.many, &b)
		if r.takes(i, &b) {
			r.gauges.window(u, &b, cfg.Rate > 0)
			r.gauges.of(u.prefix+u.many, "", "").add(float64(b.Delivered))
			r.curve(latencyCurve(u.prefix+"round trip latency", b.latencies))
		}
		if stop != nil {
			return stop
		}
		if count && r.counts(i) {
			r.result.rounds++
		}
		floor = r.alongside(ctx, floor, func(s *stage) error {
			fb, stop := s.echoes(ctx, cfg.echoPlan())
			if stop == nil && r.counts(i) {
				r.gauges.floorWindow(u, &fb, cfg.Rate > 0)
			}
			if n := fb.Missing + fb.Malformed; n > 0 && stop == nil {
				stop = errors.New("echoes of the floor went missing")
			}
			return stop
		})
	}
	return nil
}

// echoPlan returns the load of one round, which begins now.
func (c Config) echoPlan() echoPlan {
	p := echoPlan{Concurrency: c.Concurrency, Size: c.Size, Until: newClock().now() + int64(c.Duration)}
	if c.Rate > 0 {
		p.Concurrency, p.Interval = 0, int64(time.Second)/int64(c.Rate)
	}
	return p
}

// echoes measures one window of echoes.
func (s *stage) echoes(ctx context.Context, p echoPlan) (Burst, error) {
	begin := time.Now()
	total := int(time.Duration(max(0, p.Until-s.clock.now())) / time.Millisecond)
	return s.measure(ctx, measurement{
		kind: windowEchoes, watched: watched{phase: "round trips", unit: "round trips", timed: true}, stall: s.cfg.Stall,
		start: func(int) error {
			_, _, err := s.tell(order{Do: doEcho, Echo: &p})
			return err
		},
		done: func(q progress) (have, want int) {
			if q.Echoing == 0 {
				return 1, 1
			}
			// The time is what goes on evenly.
			return min(int(time.Since(begin)/time.Millisecond), total), total + 1
		},
	})
}
