package sim

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/seed58c87869/siren/poller/pollertest"
	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/attach"
	"github.com/seed58c87869/siren/session"
)

// The heartbeat's times, which are the server's defaults.
const (
	pingInterval = 25 * time.Second
	pingTimeout  = 20 * time.Second
)

// world is a server on fake loops. Its methods are for one goroutine.
type world struct {
	srv     *server.Server
	drivers []*driver
	accept  func(c session.StreamConn, loop int) session.Receiver
	threads sync.WaitGroup
	// size is the number of connections that are open.
	size int
}

// newWorld makes a server with room for that many connections. The caller must close it.
func newWorld(conns, loops int) (*world, error) {
	srv, err := server.New(server.Config{
		Loops: loops, MaxSessions: conns, PingInterval: pingInterval, PingTimeout: pingTimeout,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	w := &world{srv: srv}
	var attached []attach.Loop
	for i := range loops {
		d := newDriver(w, i, share(conns, loops, i))
		w.drivers = append(w.drivers, d)
		attached = append(attached, d.loop)
		srv.Of("/").On(helloEvent(i), func(_ context.Context, m *server.Message) { d.met(m.Socket()) }, server.Inline())
	}
	borrow := func(c session.StreamConn, home int) session.Conn {
		return c.(*pollertest.Conn).Borrow(w.drivers[home].loop)
	}
	if w.accept, err = attach.Server(srv, attached, borrow); err != nil {
		return nil, err
	}
	for _, d := range w.drivers {
		w.threads.Go(d.run)
	}
	return w, nil
}

// share returns how many of the first n connections are loop i's: they come to the loops in turn.
func share(n, loops, i int) int { return (n + loops - 1 - i) / loops }

// close ends the server, while the loops go on, and then the drivers.
func (w *world) close() error {
	done := make(chan error, 1)
	go func() { done <- w.srv.Close() }()
	for {
		w.each(func(d *driver) error { d.settle(); return nil })
		select {
		case err := <-done:
			for _, d := range w.drivers {
				close(d.steps)
			}
			w.threads.Wait()
			return err
		case <-time.After(time.Millisecond):
		}
	}
}

// each runs a step on all loops at the same time, and returns what they took together.
func (w *world) each(step func(d *driver) error) (cost, error) { return w.step(w.drivers, step) }

// first runs a step on the first loop alone.
func (w *world) first(step func(d *driver) error) (cost, error) { return w.step(w.drivers[:1], step) }

func (w *world) step(drivers []*driver, step func(d *driver) error) (c cost, err error) {
	var running sync.WaitGroup
	process, begin := processCPU(), time.Now()
	for _, d := range drivers {
		running.Add(1)
		d.steps <- func() {
			defer running.Done()
			before := threadCPU()
			d.err = step(d)
			d.took = threadCPU() - before
		}
	}
	running.Wait()
	c = cost{process: processCPU() - process, wall: time.Since(begin)}
	for _, d := range drivers {
		c.threads += d.took
		if d.err != nil {
			err = d.err
		}
	}
	return c, err
}

// sweep is an operation on many connections.
type sweep struct {
	// name is the name that progress reports show.
	name string
	// from and to are the numbers of the connections of all loops together.
	from, to int
	// pace is by how much the clock moves with each turn.
	pace time.Duration
	op   func(d *driver, i int)
}

// swept is what a sweep took. A plain value.
type swept struct {
	n int
	// each are the driving threads' nanoseconds for one operation, a sample for each part of the sweep.
	each []float64
	// process are the whole process's, wall the time.
	process   float64
	wall      time.Duration
	allocated float64 // bytes for one operation
}

// sweepParts is the number of samples of a sweep.
const sweepParts = 8

// sweep runs one in parts. Each loop takes its share of each part.
func (w *world) sweep(ctx context.Context, progress func(string, int, int), s sweep) (swept, error) {
	out := swept{n: s.to - s.from}
	var sum cost
	allocated := number(metricAllocated)
	loops := len(w.drivers)
	for p := range sweepParts {
		from, to := s.from+out.n*p/sweepParts, s.from+out.n*(p+1)/sweepParts
		if from == to {
			continue
		}
		progress(s.name, from, s.to)
		c, err := w.each(func(d *driver) error {
			return d.sweep(ctx, share(from, loops, d.index), share(to, loops, d.index), s.pace, s.op)
		})
		if err != nil {
			return out, err
		}
		sum = sum.add(c)
		out.each = append(out.each, nanosEach(c.threads, to-from))
	}
	out.process, out.wall = nanosEach(sum.process, out.n), sum.wall
	out.allocated = (number(metricAllocated) - allocated) / float64(max(out.n, 1))
	return out, nil
}

// rate returns the operations per second of all loops together.
func (s swept) rate() float64 { return float64(s.n) / max(s.wall.Seconds(), 1e-9) }

// frames returns how many frames the open connections have taken.
func (w *world) frames() (n int64) {
	for _, d := range w.drivers {
		n += d.frames()
	}
	return n
}

// check returns an error if got is not want.
func check(what string, got, want int64) error {
	if got != want {
		return fmt.Errorf("%w: %s: %d, want %d", errWrong, what, got, want)
	}
	return nil
}
