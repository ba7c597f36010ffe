package bench

import (
	"context"
	"errors"
	"time"
)

// idleSamples is the number of memory samples while sessions are held.
const idleSamples = 20

// sessionBytesMin is the least memory that a session can take: no server keeps an identifier, a socket and a timer in
// less. Smaller growth means that the server reused memory of earlier sessions.
const sessionBytesMin = 64

// sessionsJudged is the number of sessions from which on the growth of a server's memory is more than that of its
// pages.
const sessionsJudged = 100

// idle holds sessions that do nothing but answer heartbeats.
func (r *run) idle(ctx context.Context) error {
	for i := range r.each() {
		main, err := r.open(r.cfg, duty{Park: true})
		if err != nil {
			return err
		}
		err = r.hold(ctx, main, r.cfg.Duration, r.counts(i))
		main.noteFailures()
		r.closeStages(main)
		if err != nil {
			return err
		}
		if r.counts(i) {
			r.result.rounds++
		}
		if !r.cfg.Floor || ctx.Err() != nil {
			continue
		}
		floor, err := r.openFloor(r.cfg, duty{Park: true})
		if err != nil {
			r.result.note("no floor: " + err.Error())
			continue
		}
		// A floor has no heartbeats, so that there is nothing to wait for.
		r.closeStages(r.alongside(ctx, floor, func(s *stage) error { return r.hold(ctx, s, min(r.cfg.Duration, time.Second), r.counts(i)) }))
	}
	return nil
}

// hold opens sessions, leaves them alone for a while, and ends them.
func (r *run) hold(ctx context.Context, s *stage, d time.Duration, counted bool) error {
	n, before, after, err := s.occupy(ctx)
	if err != nil {
		return err
	}
	if s.floor == nil {
		r.noteMemory(s, before, n)
	}
	memory := Curve{Name: "server memory while idle", X: "time", XUnit: "s", Y: "RSS", YUnit: "bytes"}
	held := Curve{Name: "sessions while idle", X: "time", XUnit: "s", Y: "sessions", YUnit: ""}
	// The first points are those before the hold: a busy machine may give a short hold one look, at its end.
	memory.Points = append(memory.Points, [2]float64{0, float64(after)})
	held.Points = append(held.Points, [2]float64{0, float64(n)})
	begin, next := time.Now(), pollEvery
	pings, lost := 0, 0
	b, stop := s.measure(ctx, measurement{
		kind: windowIdle, watched: watched{phase: "holding", unit: "", timed: true}, start: func(int) error { return nil },
		done: func(p progress) (have, want int) {
			pings, lost = p.Pings, p.Lost
			past := time.Since(begin)
			if past >= next {
				next += max(d/idleSamples, pollEvery)
				memory.Points = append(memory.Points, [2]float64{past.Seconds(), float64(s.resident())})
				held.Points = append(held.Points, [2]float64{past.Seconds(), float64(p.Ready - p.Lost)})
			}
			return int(past / time.Millisecond), int(d / time.Millisecond)
		},
	})
	seconds := time.Since(begin).Seconds()
	if counted && b.latencies != nil && !b.Interrupted {
		r.idleFigures(s, &b, idleCounts{sessions: n, pings: pings, lost: lost, before: before, after: after, seconds: seconds})
		if s.floor == nil {
			r.curve(memory)
			r.curve(held)
		}
	}
	return errors.Join(stop, s.leave(ctx))
}

// occupy opens the sessions, and tells their number and the server's RSS without and with them.
func (s *stage) occupy(ctx context.Context) (n int, before, after int64, err error) {
	if err = s.prime(ctx); err != nil {
		return 0, 0, 0, err
	}
	before = s.resident()
	if n, err = s.connect(ctx, s.cfg.Subscribers, 0); err != nil {
		return 0, 0, 0, err
	}
	pause(ctx, settleAfter)
	return n, before, s.resident(), nil
}

// idleCounts is what a hold counted beyond its window.
type idleCounts struct {
	sessions, pings, lost int
	before, after         int64 // RSS without and with the sessions
	seconds               float64
}

// idleFigures reports a hold, or the floor's.
func (r *run) idleFigures(s *stage, b *Burst, c idleCounts) {
	figure := func(name, unit, better string, value float64) {
		if s.floor == nil {
			r.gauges.of(name, unit, better).add(value)
		} else {
			r.gauges.of(name, unit, better).addFloor(value)
		}
	}
	if c.before > 0 && c.after > 0 {
		per := float64(c.after-c.before) / float64(c.sessions)
		switch {
		case s.floor != nil || per >= sessionBytesMin:
			figure("server RSS per connection", "bytes", BetterLower, per)
		case c.sessions >= sessionsJudged:
			r.result.problem("the server's memory grew by %.0f bytes per connection: it reused memory of earlier sessions, measure a fresh process", per)
		default:
			r.result.note("too few sessions to measure the server's memory")
		}
	}
	if s.floor != nil {
		return // and needs nothing while nothing happens
	}
	figure("server RSS", "bytes", BetterLower, float64(c.after))
	if b.Server != nil {
		cpu := (b.Server.User + b.Server.System) * 1e6 / c.seconds
		figure("server CPU per second", "us", BetterLower, cpu)
		figure("server CPU per second and 1000 connections", "us", BetterLower, cpu*1000/float64(c.sessions))
	}
	figure("heartbeats answered", "", "", float64(c.pings))
	figure("sessions lost", "", BetterLower, float64(c.lost))
	if c.pings == 0 && c.seconds < 30 {
		r.result.note("no heartbeat fell into the time: hold for longer than the server's ping interval")
	}
}
