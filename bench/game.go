package bench

import (
	"context"
	"time"
)

// game plays many small games at once: what a player sends goes to the few others in its room.
func (r *run) game(ctx context.Context) error {
	if r.cfg.Floor {
		r.result.note("no floor for games: who gets a message is not known before it comes")
	}
	s, err := r.open(r.cfg, duty{Players: r.cfg.Members})
	if err != nil {
		return err
	}
	defer r.closeStages(s)
	defer s.noteFailures()
	before := s.resident()
	connected, err := s.connect(ctx, r.cfg.Subscribers, 0)
	if err != nil {
		return err
	}
	pause(ctx, settleAfter)
	r.noteMemory(s, before, connected)
	for i := range r.each() {
		b, stop := s.games(ctx, r.cfg)
		if b.latencies == nil {
			return stop
		}
		r.result.faults(unitMessage.many, &b)
		if stop != nil {
			return stop
		}
		if r.counts(i) {
			r.gauges.window(unitMessage, &b, true)
			r.curve(latencyCurve("latency", b.latencies))
			r.result.rounds++
		}
	}
	return nil
}

// games makes one window of games.
func (s *stage) games(ctx context.Context, cfg Config) (Burst, error) {
	begin := time.Now()
	total := int(cfg.Duration / time.Millisecond)
	return s.measure(ctx, measurement{
		kind: windowGame, watched: watched{phase: "games", unit: "messages", timed: true}, stall: s.cfg.Stall,
		start: func(int) error {
			plan := gamePlan{
				Interval: int64(time.Second) / int64(cfg.Rate), Size: cfg.Size,
				Until: s.clock.now() + int64(cfg.Duration),
			}
			_, _, err := s.tell(order{Do: doGame, Game: &plan})
			return err
		},
		done: func(p progress) (have, want int) {
			if p.Echoing == 0 {
				return 1, 1
			}
			return min(int(time.Since(begin)/time.Millisecond), total), total + 1
		},
	})
}
