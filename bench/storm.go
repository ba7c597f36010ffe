package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// stormPoints is how many points the curve of a storm has.
const stormPoints = 50

// storm cuts all sessions at once and has them come back at once.
func (r *run) storm(ctx context.Context) error {
	main, floor, err := r.withFloor(r.cfg, duty{})
	if err != nil {
		return err
	}
	defer func() { r.closeStages(main, floor) }()
	n, err := main.connect(ctx, r.cfg.Subscribers, 0)
	defer main.noteFailures()
	if err != nil {
		return err
	}
	floor = r.alongside(ctx, floor, func(s *stage) error {
		_, err := s.connect(ctx, s.cfg.Subscribers, 0)
		return err
	})
	for i := range r.each() {
		pause(ctx, settleAfter)
		b, retried, stop := main.cutAll(ctx)
		if b.latencies == nil {
			return stop
		}
		if r.takes(i, &b) {
			r.stormFigures(&b, retried)
		}
		if stop != nil {
			r.result.problem("storm: %d of %d sessions came back: %v", b.Delivered, b.Expected, stop)
			return stop
		}
		if err := r.serve(ctx, main, n, r.counts(i)); err != nil {
			return err
		}
		if r.counts(i) {
			r.result.rounds++
		}
		floor = r.alongside(ctx, floor, func(s *stage) error {
			fb, _, stop := s.cutAll(ctx)
			if stop == nil && r.counts(i) {
				r.gauges.floorWindow(unitReturn, &fb, false)
				r.gauges.of("time to full", "s", BetterLower).addFloor(fb.Seconds)
			}
			return stop
		})
	}
	return nil
}

// cutAll makes one storm: the window is over when everybody is back.
func (s *stage) cutAll(ctx context.Context) (b Burst, retried int, stop error) {
	before, _, err := s.tell(order{Do: doCount})
	if err != nil {
		return b, 0, err
	}
	var cut report
	b, stop = s.measure(ctx, measurement{
		kind: windowHandshakes, watched: watched{phase: "sessions back", unit: "sessions"}, trail: trailAfter,
		// Failed attempts are retried for ever, so that standing still is no
		// progress at all.
		stall: handshakeTimeout + s.cfg.Stall,
		start: func(int) (err error) {
			cut, _, err = s.tell(order{Do: doCut})
			return err
		},
		done: func(p progress) (have, want int) {
			return p.Ready - (before.Progress.Ready - cut.Count), cut.Count
		},
	})
	if s.lost != nil {
		return b, 0, s.lost
	}
	after, _, err := s.tell(order{Do: doCount})
	b.Expected = uint64(cut.Count)
	return b, after.Retried - before.Retried, errors.Join(stop, err)
}

// stormFigures reports a storm. Its latency is from the cut to the moment at
// which the session was back.
func (r *run) stormFigures(b *Burst, retried int) {
	r.gauges.window(unitReturn, b, false)
	r.gauges.of("sessions back", "", "").add(float64(b.Delivered))
	r.gauges.of("failed attempts", "", BetterLower).add(float64(retried))
	r.gauges.of("time to full", "s", BetterLower).add(b.Seconds)
	r.curve(returnCurve(b.latencies, b.Delivered))
}

// returnCurve returns how many sessions were back at which time.
func returnCurve(h *hdrhistogram.Histogram, total uint64) Curve {
	c := Curve{Name: "sessions back after the cut", X: "time", XUnit: "s", Y: "sessions"}
	c.Points = append(c.Points, [2]float64{0, 0})
	for i := 1; i <= stormPoints && total > 0; i++ {
		part := float64(i) / stormPoints
		at := time.Duration(h.ValueAtPercentile(part * 100)).Seconds()
		c.Points = append(c.Points, [2]float64{at, part * float64(total)})
	}
	return c
}

// serve checks that every session that came back is served: each sends one
// echo and gets its answer.
func (r *run) serve(ctx context.Context, s *stage, n int, counted bool) error {
	b, stop := s.echoes(ctx, echoPlan{Once: true, Size: s.cfg.Size})
	if b.latencies == nil {
		return stop
	}
	if counted && !b.Interrupted {
		r.gauges.of("sessions served after the storm", "", "").add(float64(b.Delivered))
	}
	if int(b.Delivered) != n {
		r.result.problem("storm: %d of %d sessions were served afterwards", b.Delivered, n)
	}
	r.result.faults("echoes after the storm", &b)
	if stop != nil {
		return fmt.Errorf("after the storm: %w", stop)
	}
	return nil
}
