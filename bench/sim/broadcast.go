package sim

import (
	"context"
	"time"

	"github.com/seed58c87869/siren/bench"
)

// Bounds of the number of broadcasts that are measured: enough for a median, and about as many deliveries at each size.
const (
	broadcastsMin  = 5
	broadcastsMax  = 200
	deliveriesGoal = 2_000_000
)

// audience is the receivers of a broadcast.
type audience struct {
	name string
	emit func() (int, error)
}

func toAll(w *world) audience {
	return audience{"broadcast to all", func() (int, error) { return w.srv.Emit(tick, tickText) }}
}

func toRoom(w *world, room, name string) audience {
	return audience{name, func() (int, error) { return w.srv.Of("/").To(room).Emit(tick, tickText) }}
}

// broadcasts measures broadcasts at the present number of connections.
func (r *run) broadcasts(ctx context.Context, w *world) error {
	last := w.size == r.cfg.Conns
	if !last {
		return r.allBroadcasts(ctx, w, last)
	}
	return r.profile("broadcast", func() error { return r.allBroadcasts(ctx, w, last) })
}

func (r *run) allBroadcasts(ctx context.Context, w *world, last bool) error {
	floor, err := r.bare(ctx, w)
	if err != nil {
		return err
	}
	r.book.point("broadcast: CPU per member, fake connections alone", overConns, unitNanos, float64(w.size), median(floor.each))
	for _, a := range []audience{toAll(w), toRoom(w, everyone, "broadcast to one room")} {
		took, err := r.broadcast(ctx, w, a)
		if err != nil {
			return err
		}
		r.book.point(a.name+": CPU per member over members", overConns, unitNanos, float64(w.size), median(took.each))
		if last {
			r.noteBroadcast(a.name, took, floor)
		}
	}
	return nil
}

// noteBroadcast notes one audience's figures.
func (r *run) noteBroadcast(name string, took, floor delivered) {
	r.book.metric(name+": CPU per member", unitNanos, bench.BetterLower, took.each...).Floor = median(floor.each)
	r.book.metric(name+": time", unitMillis, bench.BetterLower, took.millis...)
	r.book.metric(name+": allocated", unitBytes, bench.BetterLower, took.allocated)
	r.book.note("The floor of a broadcast is the fake connections alone, fed a frame in the same order: " +
		"it is part of the figure, and so are the cache misses that either has when it comes first.")
}

// delivered is what broadcasts took, with a sample for each of them. A plain value.
type delivered struct {
	each      []float64 // the driving threads' nanoseconds per member
	millis    []float64
	allocated float64 // bytes for one broadcast
}

// repeats returns how many broadcasts are measured.
func repeats(members int) int {
	return max(broadcastsMin, min(broadcastsMax, deliveriesGoal/members))
}

// broadcast measures broadcasts to all connections that there are, which the audience has as members.
func (r *run) broadcast(ctx context.Context, w *world, a audience) (delivered, error) {
	return r.deliver(ctx, w, a.name, func() (cost, error) {
		return w.emit(a)
	})
}

// emit makes one broadcast, and lets the loops work it off.
func (w *world) emit(a audience) (cost, error) {
	posted, err := w.first(func(*driver) error {
		n, err := a.emit()
		if err != nil {
			return err
		}
		return check(a.name+": members", int64(n), int64(w.size))
	})
	if err != nil {
		return posted, err
	}
	walked, err := w.each(func(d *driver) error { d.settle(); return nil })
	return posted.add(walked), err
}

// bare measures the fake connections alone: a frame is queued on each, in the order of their opening, and flushed.
func (r *run) bare(ctx context.Context, w *world) (delivered, error) {
	frame := []byte(tickText)
	return r.deliver(ctx, w, "fake connections", func() (cost, error) {
		return w.each(func(d *driver) error {
			d.loop.Do(func() {
				for _, c := range d.conns {
					c.Queue(frame)
				}
			})
			return nil
		})
	})
}

// deliver measures something that gives every connection one frame, and checks that it does.
func (r *run) deliver(ctx context.Context, w *world, name string, once func() (cost, error)) (out delivered, err error) {
	n := repeats(w.size)
	before := w.frames()
	if _, err := once(); err != nil { // to have the lists grown
		return out, err
	}
	begin := number(metricAllocated)
	last := time.Now()
	for i := range n {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		if now := time.Now(); now.Sub(last) > progressEvery {
			last = now
			r.progress(name, i, n)
		}
		c, err := once()
		if err != nil {
			return out, err
		}
		out.each = append(out.each, nanosEach(c.threads, w.size))
		out.millis = append(out.millis, c.wall.Seconds()*1e3)
	}
	out.allocated = (number(metricAllocated) - begin) / float64(n)
	return out, check(name+": frames", w.frames()-before, int64(w.size)*int64(n+1))
}

// progressEvery is the time between two reports of a phase of short steps.
const progressEvery = 100 * time.Millisecond
