package sim

import (
	"context"
	"runtime"
	"time"

	"github.com/seed58c87869/siren/bench"
	"github.com/seed58c87869/siren/poller/pollertest"
)

// fakesMax is how many fake connections are made to see what one takes.
const fakesMax = 100_000

// everyone is the room that all sockets join.
const everyone = "everyone"

// connectPace spreads the connections, and so their heartbeats: each loop takes turnOps of them in a millisecond.
const connectPace = time.Millisecond

// fakeBytes returns what a fake connection takes on the heap.
func fakeBytes(n int) float64 {
	loop := pollertest.NewLoop(0)
	conns := make([]*pollertest.Conn, n)
	before := liveHeap()
	for i := range conns {
		conns[i] = pollertest.NewQuietConn(loop, nil)
	}
	after := liveHeap()
	runtime.KeepAlive(conns)
	return (after.bytes - before.bytes) / float64(n)
}

// grow opens the connections in stages, and measures memory and broadcasts at each.
func (r *run) grow(ctx context.Context, w *world) error {
	r.base = liveHeap()
	r.base.resident = shrunk()
	begin := time.Now()
	for _, n := range r.cfg.stages() {
		if err := r.open(ctx, w, n); err != nil {
			return err
		}
		if n == r.cfg.Conns {
			r.book.result.Connects = append(r.book.result.Connects, bench.Connect{Connected: n, Seconds: time.Since(begin).Seconds()})
		}
		if err := r.memory(w); err != nil {
			return err
		}
		if err := r.broadcasts(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// open makes them n connections, each with a socket in one room.
func (r *run) open(ctx context.Context, w *world, n int) error {
	last := n == r.cfg.Conns
	for _, s := range []sweep{
		{name: "connect", pace: connectPace, op: (*driver).dial},
		{name: "event", op: func(d *driver, i int) { d.feed(i, d.hello) }},
		{name: "join", op: func(d *driver, i int) { _ = d.sockets[i].Join(everyone) }},
	} {
		s.from, s.to = w.size, n
		var took swept
		measure := func() (err error) {
			took, err = w.sweep(ctx, r.progress, s)
			return err
		}
		if last {
			inner := measure
			measure = func() error { return r.profile(s.name, inner) }
		}
		if err := measure(); err != nil {
			return err
		}
		r.book.point(s.name+": CPU over connections", overConns, unitNanos, float64(n), median(took.each))
		if last {
			r.book.sweep(s.name, took)
		}
	}
	w.size = n
	if err := check("sockets in the namespace", int64(w.srv.Of("/").SocketCount()), int64(n)); err != nil {
		return err
	}
	return check("sockets in the room", int64(w.srv.Of("/").RoomCount(everyone)), int64(n))
}

// memory notes what the idle connections take.
func (r *run) memory(w *world) error {
	base, h, n := r.base, liveHeap(), float64(w.size)
	live := (h.bytes - base.bytes) / n
	r.book.point("memory: live heap per connection over connections", overConns, unitBytes, n, live-r.fake)
	if w.size < r.cfg.Conns {
		return nil
	}
	b := r.book
	b.metric("memory: live heap per connection", unitBytes, bench.BetterLower, live-r.fake)
	b.metric("memory: heap objects per connection", unitNone, bench.BetterLower, (h.objects-base.objects)/n-1)
	b.metric("memory: RSS per connection, free pages returned", unitBytes, bench.BetterLower, (shrunk()-base.resident)/n-r.fake)
	b.metric("memory: RSS per connection, as it was", unitBytes, bench.BetterLower, (h.resident-base.resident)/n-r.fake)
	b.metric("memory: fake connection, subtracted above", unitBytes, "", r.fake)
	b.metric("memory: request kept per connection", unitBytes, "", float64(len(handshake)))
	b.metric("memory: live heap in all", unitMega, bench.BetterLower, h.bytes/(1<<20))
	b.metric("memory: CPU of one collection", unitMillis, bench.BetterLower, h.collection.process.Seconds()*1e3)
	b.metric("memory: time of one collection", unitMillis, bench.BetterLower, h.collection.wall.Seconds()*1e3)
	b.note("Memory is for an idle WebSocket client with one namespace and one room, less the fake connection's own. " +
		"RSS as it was has the collector's headroom in it, up to as much again as the live heap; without it remains what " +
		"the process needs at least.")
	return r.profileHeap()
}
