package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// floorGap is the default gap of the floor's paced burst.
const floorGap = 20 * time.Millisecond

// bareFloor measures the floor alone: the cost of the kernel on this machine at this time.
func (r *run) bareFloor(ctx context.Context) error {
	if len(r.cfg.Command) == 0 {
		return fmt.Errorf("%w: the floor needs a command that starts it", ErrConfig)
	}
	for i := range r.each() {
		for _, phase := range []func(context.Context, bool) error{r.floorBursts, r.floorEchoes, r.floorHandshakes, r.floorIdle} {
			if err := phase(ctx, r.counts(i)); err != nil {
				return err
			}
		}
		if r.counts(i) {
			r.result.rounds++
		}
	}
	r.result.Machine.Shared = true
	return nil
}

// onFloor opens a floor for one phase, whose figures are the run's.
func (r *run) onFloor(cfg Config, d duty, do func(*stage) error) error {
	s, err := r.openFloor(cfg, d)
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.close())
}

// floorBursts sends ticks: paced, at once with a send for each, and at once
// with several in a send.
func (r *run) floorBursts(ctx context.Context, counted bool) error {
	for _, kind := range []struct {
		name  string
		paced bool
		batch int
	}{
		{"paced", true, 1},
		{"burst, one per send", false, 1},
		{fmt.Sprintf("burst, up to %d per send", floorBatch), false, floorBatch},
	} {
		cfg := r.cfg
		switch {
		case !kind.paced:
			cfg.Gap = 0
		case cfg.Gap == 0:
			cfg.Gap = floorGap
		}
		err := r.onFloor(cfg, duty{Join: true}, func(s *stage) error {
			s.batch = kind.batch
			if _, err := s.connect(ctx, cfg.Subscribers, 0); err != nil {
				return err
			}
			b, stop, err := s.burst(ctx)
			if err = errors.Join(err, stop); err != nil {
				return err
			}
			r.floorTake(unitMessage.at(kind.name), &b, kind.paced, counted)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// floorTake reports a window of the floor as the run's.
func (r *run) floorTake(u unit, b *Burst, paced, counted bool) {
	r.result.faults(u.prefix+u.many, b)
	if counted {
		r.gauges.window(u, b, paced)
	}
}

// floorEchoes answers requests.
func (r *run) floorEchoes(ctx context.Context, counted bool) error {
	return r.onFloor(r.cfg, duty{}, func(s *stage) error {
		if _, err := s.connect(ctx, s.cfg.Subscribers, 0); err != nil {
			return err
		}
		b, stop := s.echoes(ctx, s.cfg.echoPlan())
		if stop == nil {
			r.floorTake(unitTrip.at("echo"), &b, s.cfg.Rate > 0, counted)
		}
		return stop
	})
}

// floorHandshakes accepts connections and answers their requests.
func (r *run) floorHandshakes(ctx context.Context, counted bool) error {
	return r.onFloor(r.cfg, duty{}, func(s *stage) error {
		u := unitHandshake.at("accept")
		b, stop, err := r.handshakes(ctx, s, u, false)
		if err = errors.Join(err, stop); err == nil {
			r.floorTake(u, &b, false, counted)
		}
		return err
	})
}

// floorIdle holds connections.
func (r *run) floorIdle(ctx context.Context, counted bool) error {
	return r.onFloor(r.cfg, duty{}, func(s *stage) error {
		n, before, after, err := s.occupy(ctx)
		if err == nil && counted && before > 0 && after > 0 {
			r.gauges.of("RSS per connection", "bytes", BetterLower).add(float64(after-before) / float64(n))
		}
		return err
	})
}
