package bench

import (
	"context"
	"errors"
)

// connect opens sessions and ends them again.
func (r *run) connect(ctx context.Context) error {
	return r.connectRounds(ctx, r.cfg, unitHandshake, true)
}

// connectRounds makes the rounds of connect for a transport.
func (r *run) connectRounds(ctx context.Context, cfg Config, u unit, count bool) error {
	for i := range r.each() {
		main, err := r.open(cfg, duty{})
		if err != nil {
			return err
		}
		b, stop, err := r.handshakes(ctx, main, u, r.counts(i))
		main.noteFailures()
		r.closeStages(main)
		if err != nil {
			return err
		}
		if r.takes(i, &b) {
			r.gauges.window(u, &b, cfg.ConnectRate > 0)
			r.curve(latencyCurve(u.prefix+"handshake latency", b.latencies))
		}
		r.result.faults(u.prefix+u.many, &b)
		if stop != nil {
			return stop
		}
		if count && r.counts(i) {
			r.result.rounds++
		}
		r.handshakeFloor(ctx, cfg, u, r.counts(i))
	}
	return nil
}

// handshakes opens all sessions of a stage, measures that, and ends them,
// which is measured too. stop tells that there is no point in another round.
func (r *run) handshakes(ctx context.Context, s *stage, u unit, counted bool) (b Burst, stop, err error) {
	n := s.cfg.Subscribers
	b, stop = s.measure(ctx, measurement{
		kind: windowHandshakes, watched: watched{phase: "handshakes", unit: "handshakes"},
		stall: handshakeTimeout + s.cfg.Stall, trail: trailAfter,
		start: func(int) error {
			_, _, err := s.tell(order{Do: doOpen, Sessions: n})
			return err
		},
		done: connected,
	})
	if b.latencies == nil {
		return b, nil, stop
	}
	b.Expected = uint64(n)
	s.result.Connects = append(s.result.Connects, Connect{
		Connected: int(b.Delivered), Failed: n - int(b.Delivered), Seconds: b.Seconds,
	})
	if b.Delivered == 0 && stop == nil {
		return b, nil, errors.Join(ErrConnect, errors.New(describe(s.failures())))
	}
	before := s.readClocks()
	if left := s.leave(ctx); stop == nil {
		stop = left
	}
	after := s.readClocks()
	if stop == nil && counted && before.server != nil && after.server != nil {
		cost := after.server.sub(*before.server).total().Seconds() * 1e6 / float64(max(b.Delivered, 1))
		g := r.gauges.of(u.prefix+"server CPU per disconnect", "us", BetterLower)
		if s.floor != nil {
			g.addFloor(cost)
		} else {
			g.add(cost)
		}
	}
	return b, stop, nil
}

// handshakeFloor makes one round of handshakes with a floor.
func (r *run) handshakeFloor(ctx context.Context, cfg Config, u unit, counted bool) {
	if !cfg.Floor || ctx.Err() != nil {
		return
	}
	floor, err := r.openFloor(cfg, duty{})
	if err != nil {
		r.result.note("no floor: " + err.Error())
		return
	}
	floor = r.alongside(ctx, floor, func(s *stage) error {
		b, stop, err := r.handshakes(ctx, s, u, counted)
		if counted && err == nil && stop == nil {
			r.gauges.floorWindow(u, &b, false)
		}
		return errors.Join(err, stop)
	})
	r.closeStages(floor)
}
