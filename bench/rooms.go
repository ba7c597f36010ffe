package bench

import (
	"context"
	"errors"
	"fmt"
)

// errFloorFull means that a floor cannot have as many sessions.
var errFloorFull = errors.New("it may not open more connections")

// rooms publishes to rooms of growing size. The number of other rooms of the members is not varied, because that would
// need the server's help.
func (r *run) rooms(ctx context.Context) error {
	main, floor, err := r.withFloor(r.cfg, duty{Join: true, Park: true})
	if err != nil {
		return err
	}
	defer func() { r.closeStages(main, floor) }()
	defer main.noteFailures()
	if err := main.connectPublisher(ctx); err != nil {
		return err
	}
	cost := Curve{Name: "cost over members", X: "members", Y: "server CPU per message", YUnit: "us"}
	floors := Curve{Name: "cost over members: floor", X: "members", Y: "CPU per message", YUnit: "us"}
	have := 0
	for _, members := range r.cfg.roomSizes() {
		add := members - have
		have = members
		if _, err := main.connect(ctx, add, 0); err != nil {
			return err
		}
		floor = r.alongside(ctx, floor, func(s *stage) error {
			if add = min(add, s.cfg.Subscribers-(have-add)); add <= 0 {
				return errFloorFull
			}
			_, err := s.connect(ctx, add, 0)
			return err
		})
		u := unitMessage.at(fmt.Sprintf("%d members", members))
		for i := range r.each() {
			b, stop, err := main.burst(ctx)
			if err != nil {
				return err
			}
			r.take(u, &b, r.cfg, r.counts(i), false)
			if stop != nil {
				return stop
			}
			floor = r.alongside(ctx, floor, func(s *stage) error {
				fb, stop, err := s.burst(ctx)
				if r.counts(i) && err == nil && stop == nil {
					r.gauges.floorWindow(u, &fb, r.cfg.Gap > 0)
				}
				return errors.Join(err, stop)
			})
		}
		g := r.gauges.of(u.server(), "us", BetterLower)
		if len(g.samples) > 0 {
			cost.Points = append(cost.Points, [2]float64{float64(members), median(g.samples)})
		}
		if len(g.floor) > 0 {
			floors.Points = append(floors.Points, [2]float64{float64(members), median(g.floor)})
		}
	}
	r.result.rounds = r.cfg.Repeat
	r.flatness(cost, floors)
	return nil
}

// roomSizes returns the numbers of members, from the smallest to the largest, each twice the one before.
func (c Config) roomSizes() []int {
	var sizes []int
	for n := c.Members; n < c.Subscribers; n *= 2 {
		sizes = append(sizes, n)
	}
	return append(sizes, c.Subscribers)
}

// flatness reports the ratio of the most and the least expensive size.
func (r *run) flatness(cost, floors Curve) {
	spreadOf := func(c Curve) (float64, bool) {
		if len(c.Points) == 0 {
			return 0, false
		}
		low, high := c.Points[0][1], c.Points[0][1]
		for _, p := range c.Points {
			low, high = min(low, p[1]), max(high, p[1])
		}
		return high / low, low > 0
	}
	g := r.gauges.of("dearest size over cheapest", "", BetterLower)
	if v, ok := spreadOf(cost); ok {
		g.add(v)
		r.curve(cost)
	}
	if v, ok := spreadOf(floors); ok {
		g.addFloor(v)
		r.curve(floors)
	}
}
