package bench

import (
	"context"
	"errors"
	"time"
)

// slowGrace is how long slow sessions that read again may take to catch up.
const slowGrace = 10 * time.Second

// slow compares a fan-out with one in which some sessions do not read.
func (r *run) slow(ctx context.Context) error {
	for i := range r.each() {
		main, err := r.open(r.cfg, duty{Join: true})
		if err != nil {
			return err
		}
		err = r.slowRound(ctx, main, r.counts(i))
		main.noteFailures()
		r.closeStages(main)
		if err != nil {
			return err
		}
		if r.counts(i) {
			r.result.rounds++
		}
	}
	return nil
}

// slowRound makes one burst that everybody reads and one that some do not.
func (r *run) slowRound(ctx context.Context, s *stage, counted bool) error {
	if _, err := r.openPublic(ctx, s, s.cfg.Subscribers, s.cfg.slow()); err != nil {
		return err
	}
	pause(ctx, settleAfter)
	without, stop, err := s.burst(ctx)
	if err = errors.Join(err, stop); err != nil {
		return err
	}
	r.result.faults("while all read", &without)
	before := s.resident()
	began, _, err := s.tell(order{Do: doFreeze})
	if err != nil {
		return err
	}
	peak := before
	with, stop, err := s.watchedBurst(ctx, &peak)
	if err != nil {
		return err
	}
	r.result.faults("while some do not read", &with)
	after := s.resident()
	if _, _, err := s.tell(order{Do: doThaw}); err != nil {
		return err
	}
	var end progress
	caught := began.Progress.SlowCaughtUp
	waited := s.await(ctx, watched{phase: "slow sessions", unit: "sessions"}, slowGrace, func(p progress) (have, want int) {
		end = p
		return p.SlowCaughtUp - caught + p.SlowLost - began.Progress.SlowLost, began.Count
	})
	if counted && !with.Interrupted {
		r.slowFigures(&without, &with, slowCounts{
			sessions: began.Count, caught: end.SlowCaughtUp - caught,
			lost:  end.SlowLost - began.Progress.SlowLost,
			ticks: end.SlowTicks - began.Progress.SlowTicks, of: began.Count * s.cfg.Broadcasts,
		})
		if before > 0 {
			grown := func(to int64) float64 { return max(0, float64(to-before)) }
			r.gauges.of("server RSS growth", "bytes", BetterLower).add(grown(after))
			r.gauges.of("server RSS growth per slow session", "bytes", BetterLower).add(grown(max(peak, after)) / float64(max(1, began.Count)))
		}
	}
	if waited != nil && !errors.Is(waited, errStalled) {
		return waited
	}
	return stop
}

// watchedBurst returns a burst that notes the server's largest memory.
func (s *stage) watchedBurst(ctx context.Context, peak *int64) (b Burst, stop, err error) {
	quiet := *s
	quiet.cfg.Progress = func(p Progress) {
		*peak = max(*peak, s.resident())
		s.watch(p)
	}
	b, stop, err = quiet.burst(ctx)
	s.lost = quiet.lost
	return b, stop, err
}

// slowCounts is what became of the slow sessions.
type slowCounts struct {
	sessions, caught, lost int
	ticks                  uint64 // that they got in the end
	of                     int    // that were sent to them
}

// slowFigures compares the two bursts.
func (r *run) slowFigures(without, with *Burst, c slowCounts) {
	if a, b := without.Latency, with.Latency; a != nil && b != nil {
		r.gauges.of("latency p99 while all read", "us", BetterLower).add(a.P99)
		r.gauges.of("latency p99 of the others", "us", BetterLower).add(b.P99)
		r.gauges.of("latency p50 while all read", "us", BetterLower).add(a.P50)
		r.gauges.of("latency p50 of the others", "us", BetterLower).add(b.P50)
		if a.P99 > 0 {
			r.gauges.of("p99 of the others over p99 while all read", "", BetterLower).add(b.P99 / a.P99)
		}
		r.curve(latencyCurve("latency while all read", without.latencies))
		r.curve(latencyCurve("latency of the others", with.latencies))
	}
	if without.Server != nil && with.Server != nil {
		r.gauges.of("server CPU per message while all read", "us", BetterLower).add(without.Server.PerMessage)
		r.gauges.of("server CPU per message to the others", "us", BetterLower).add(with.Server.PerMessage)
	}
	r.gauges.of("slow sessions", "", "").add(float64(c.sessions))
	r.gauges.of("slow sessions that the server disconnected", "", "").add(float64(c.lost))
	r.gauges.of("slow sessions that caught up", "", "").add(float64(c.caught))
	r.gauges.of("messages to slow sessions", "", "").add(float64(c.of))
	r.gauges.of("messages to slow sessions that came in the end", "", "").add(float64(c.ticks))
	if with.Client.Bottleneck || without.Client.Bottleneck {
		r.result.problem("slow: the client is the bottleneck, so that its latencies are its own: use a larger gap or fewer subscribers")
	}
}
