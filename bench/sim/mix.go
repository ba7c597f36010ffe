package sim

import (
	"context"

	"github.com/seed58c87869/siren/bench"
)

// shuffled is a room whose members came in random order.
const shuffled = "shuffled"

// mix makes all sockets leave their room and join another one in random order. A broadcast then finds their memory in
// random order, as after many clients have come and gone.
func (r *run) mix(ctx context.Context, w *world) error {
	leave := sweep{name: "leave", to: w.size, op: func(d *driver, i int) { _ = d.sockets[d.order[i]].Leave(everyone) }}
	join := sweep{name: "join in random order", to: w.size, op: func(d *driver, i int) { _ = d.sockets[d.order[i]].Join(shuffled) }}
	for _, s := range []sweep{leave, join} {
		if err := r.sweepAll(ctx, w, s); err != nil {
			return err
		}
	}
	if err := check("sockets in the room they left", int64(w.srv.Of("/").RoomCount(everyone)), 0); err != nil {
		return err
	}
	return r.profile("broadcast random", func() error {
		a := toRoom(w, shuffled, "broadcast to one room, members in random order")
		took, err := r.broadcast(ctx, w, a)
		if err != nil {
			return err
		}
		r.book.metric(a.name+": CPU per member", unitNanos, bench.BetterLower, took.each...)
		r.book.metric(a.name+": time", unitMillis, bench.BetterLower, took.millis...)
		return nil
	})
}

// sweepAll runs a sweep under its profile and notes the results.
func (r *run) sweepAll(ctx context.Context, w *world, s sweep) error {
	return r.profile(s.name, func() error {
		took, err := w.sweep(ctx, r.progress, s)
		if err == nil {
			r.book.sweep(s.name, took)
		}
		return err
	})
}

// end ends all clients, in random order, and checks that nothing is left.
func (r *run) end(ctx context.Context, w *world) error {
	n := w.size
	s := sweep{name: "disconnect", to: n, op: func(d *driver, i int) { d.hang(int(d.order[i])) }}
	if err := r.sweepAll(ctx, w, s); err != nil {
		return err
	}
	w.size = 0
	r.book.metric("disconnect: heap kept per connection that was", unitBytes, bench.BetterLower, (liveHeap().bytes-r.base.bytes)/float64(n))
	if err := check("sockets at the end", int64(w.srv.Of("/").SocketCount()), 0); err != nil {
		return err
	}
	return check("sessions at the end", int64(w.srv.Stats().Sessions.Open), 0)
}
