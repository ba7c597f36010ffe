package sim

import (
	"context"
	"fmt"

	"github.com/seed58c87869/siren/bench"
)

// roomSockets is how many sockets there are in the phase that varies the number of their rooms.
const roomSockets = 2000

// rooms varies in how many rooms a socket is. All sockets are in the same rooms, and a broadcast goes to one of them.
func (r *run) rooms(ctx context.Context) error {
	names := make([]string, r.cfg.Rooms)
	for i := range names {
		names[i] = fmt.Sprintf("room-%04d", i)
	}
	n := min(roomSockets, r.cfg.Conns)
	for _, k := range r.cfg.roomSteps() {
		last := k == r.cfg.Rooms
		err := r.in(n, func(w *world) error { return r.roomsOf(ctx, w, n, names[:k], last) })
		if err != nil {
			return err
		}
	}
	r.book.note("Rooms per socket are varied with %d sockets, all in the same rooms.", n)
	return nil
}

// roomsOf measures n sockets in those rooms.
func (r *run) roomsOf(ctx context.Context, w *world, n int, names []string, last bool) error {
	k := len(names)
	open := func(d *driver, i int) { d.dial(i); d.feed(i, d.hello) }
	if _, err := w.sweep(ctx, r.progress, sweep{name: "rooms", to: n, op: open}); err != nil {
		return err
	}
	w.size = n
	base := liveHeap()
	joined, err := w.sweep(ctx, r.progress, sweep{name: "rooms", to: n, op: func(d *driver, i int) {
		_ = d.sockets[i].Join(names...)
		if i*k/turnOps != (i+1)*k/turnOps { // a turn does not get longer with the number of rooms
			d.settle()
		}
	}})
	if err != nil {
		return err
	}
	full := liveHeap()
	a := toRoom(w, names[k/2], "broadcast to one of the rooms")
	took, err := r.broadcast(ctx, w, a)
	if err != nil {
		return err
	}
	gone, err := w.sweep(ctx, r.progress, sweep{name: "rooms", to: n, op: func(d *driver, i int) { d.hang(int(d.order[i])) }})
	if err != nil {
		return err
	}
	w.size = 0
	x := float64(k)
	perRoom := func(s swept) float64 { return median(s.each) / x }
	memory := (full.bytes - base.bytes) / float64(n) / x
	r.book.point("rooms: CPU per member of a broadcast over rooms per socket", overRooms, unitNanos, x, median(took.each))
	r.book.point("rooms: CPU of a join over rooms per socket", overRooms, unitNanos, x, perRoom(joined))
	r.book.point("rooms: CPU of a disconnect for each room over rooms per socket", overRooms, unitNanos, x, perRoom(gone))
	r.book.point("rooms: heap per socket and room over rooms per socket", overRooms, unitBytes, x, memory)
	if last {
		r.book.metric("rooms: CPU per member of a broadcast, with the most rooms", unitNanos, bench.BetterLower, took.each...)
		r.book.metric("rooms: CPU of a join, with the most rooms", unitNanos, bench.BetterLower, perRoom(joined))
		r.book.metric("rooms: CPU of a disconnect for each room, with the most rooms", unitNanos, bench.BetterLower, perRoom(gone))
		r.book.metric("rooms: heap per socket and room, with the most rooms", unitBytes, bench.BetterLower, memory)
	}
	return check("rooms: sockets at the end", int64(w.srv.Of("/").SocketCount()), 0)
}
