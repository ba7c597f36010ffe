package sim

import (
	"context"
	"time"

	"github.com/seed58c87869/siren/bench"
)

const (
	// beats is how many heartbeat rounds are measured.
	beats = 3
	// pingStep is by how much the clock moves at a time.
	pingStep = 10 * time.Millisecond
)

// heartbeat measures rounds of ping and pong. The timers are as far apart as the connections were opened.
func (r *run) heartbeat(ctx context.Context, w *world) error {
	return r.profile("heartbeat", func() error {
		var pings, pongs, rounds []float64
		for i := range beats {
			r.progress("heartbeat", i, beats)
			ping, pong, err := r.beat(ctx, w)
			if err != nil {
				return err
			}
			pings, pongs, rounds = append(pings, ping), append(pongs, pong), append(rounds, ping+pong)
		}
		r.book.metric("heartbeat: CPU of ping out", unitNanos, bench.BetterLower, pings...)
		r.book.metric("heartbeat: CPU of pong in", unitNanos, bench.BetterLower, pongs...)
		r.book.metric("heartbeat: CPU of a round", unitNanos, bench.BetterLower, rounds...)
		r.book.metric("heartbeat: share of one core for all connections", unitShare, bench.BetterLower,
			100*median(rounds)*float64(w.size)/float64(pingInterval))
		return nil
	})
}

// beat runs one round, and returns the nanoseconds for each ping and each pong.
func (r *run) beat(ctx context.Context, w *world) (ping, pong float64, err error) {
	before := w.frames()
	out, err := w.each(func(d *driver) error {
		for left := pingInterval; left > 0; left -= pingStep {
			if err := ctx.Err(); err != nil {
				return err
			}
			d.loop.Advance(pingStep)
		}
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	if err := check("pings", w.frames()-before, int64(w.size)); err != nil {
		return 0, 0, err
	}
	in, err := w.each(func(d *driver) error {
		return d.sweep(ctx, 0, len(d.conns), connectPace, func(d *driver, i int) { d.feed(i, pongPacket) })
	})
	if err != nil {
		return 0, 0, err
	}
	err = check("sessions after their pongs", int64(w.srv.Stats().Sessions.Open), int64(w.size))
	return nanosEach(out.threads, w.size), nanosEach(in.threads, w.size), err
}
