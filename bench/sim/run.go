package sim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/seed58c87869/siren/bench"
)

// run is a simulation in progress. It belongs to one goroutine.
type run struct {
	cfg  Config
	book *book
	// fake is what a fake connection takes on the heap, in bytes; base is the memory before the first connection.
	fake float64
	base heap
}

// Run makes the simulation. An error means that nothing was measured. A run that is cut short by ctx or the time-out
// has a result that says so in Partial, and a simulation that went wrong says so in Problems.
func Run(ctx context.Context, cfg Config) (*bench.Result, error) {
	cfg, err := cfg.settle()
	if err != nil {
		return nil, err
	}
	if cfg.ProfileDir != "" {
		if err := os.MkdirAll(cfg.ProfileDir, 0o755); err != nil {
			return nil, fmt.Errorf("sim: profiles: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	defer standard.use()()
	begin := time.Now()
	r := &run{cfg: cfg, book: newBook(cfg)}
	r.remarks()
	r.finish(r.phases(ctx))
	r.book.metric("run: time", unitSecs, unitNone, time.Since(begin).Seconds())
	return r.book.result, nil
}

// use sets the collector, and returns what sets it back.
func (c collector) use() (restore func()) {
	gogc, limit := debug.SetGCPercent(c.gogc), debug.SetMemoryLimit(c.limit)
	return func() {
		debug.SetGCPercent(gogc)
		debug.SetMemoryLimit(limit)
	}
}

// phases runs all of them.
func (r *run) phases(ctx context.Context) error {
	if err := r.rooms(ctx); err != nil {
		return err
	}
	r.fake = fakeBytes(min(r.cfg.Conns, fakesMax))
	return r.in(r.cfg.Conns, func(w *world) error {
		for _, phase := range []func(context.Context, *world) error{r.grow, r.heartbeat, r.mix, r.churn, r.end} {
			if err := phase(ctx, w); err != nil {
				return err
			}
		}
		return nil
	})
}

// in runs a phase in a world of its own.
func (r *run) in(conns int, phase func(w *world) error) error {
	w, err := newWorld(conns, min(r.cfg.Loops, conns))
	if err != nil {
		return err
	}
	err = phase(w)
	return errors.Join(err, w.close())
}

// finish says how the run has ended.
func (r *run) finish(err error) {
	res := r.book.result
	r.book.metric("run: peak RSS of the process", unitMega, bench.BetterLower, float64(peak())/(1<<20))
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		res.Partial = fmt.Sprintf("it took longer than the time-out of %v", r.cfg.Timeout)
	case errors.Is(err, context.Canceled):
		res.Partial = "interrupted"
	case err != nil:
		res.Problems = append(res.Problems, err.Error())
	}
	res.OK = err == nil
}

// remarks notes what one must know to read the figures.
func (r *run) remarks() {
	r.book.note("CPU is that of the threads that drive the loops; \"with collection\" is that of the whole process. " +
		"Operations per second are of all loops together, on a machine that others may use too.")
	r.book.note("No sockets: what the kernel, gnet and package poller take is not in here. A fake connection takes their place.")
	r.book.note("The request of the handshake is kept: it has %d bytes, as from the official client in Node.js; "+
		"a browser's has some 400 more.", len(handshake))
}

// progress tells how far a phase is.
func (r *run) progress(phase string, done, total int) {
	if r.cfg.Progress != nil {
		r.cfg.Progress(phase, done, total)
	}
}

// profile runs a phase under the CPU profiler, when profiles are wanted.
func (r *run) profile(name string, phase func() error) error {
	if r.cfg.ProfileDir == "" {
		return phase()
	}
	file, err := os.Create(filepath.Join(r.cfg.ProfileDir, strings.ReplaceAll(name, " ", "-")+".cpu.pprof"))
	if err != nil {
		return fmt.Errorf("sim: profile: %w", err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return errors.Join(fmt.Errorf("sim: profile: %w", err), file.Close())
	}
	err = phase()
	pprof.StopCPUProfile()
	return errors.Join(err, file.Close())
}

// profileHeap writes what lives on the heap, as of the latest collection.
func (r *run) profileHeap() error {
	if r.cfg.ProfileDir == "" {
		return nil
	}
	file, err := os.Create(filepath.Join(r.cfg.ProfileDir, "idle.heap.pprof"))
	if err != nil {
		return fmt.Errorf("sim: profile: %w", err)
	}
	return errors.Join(pprof.Lookup("heap").WriteTo(file, 0), file.Close())
}
