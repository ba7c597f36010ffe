package bench

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
)

// Limits of the search for the server's processes.
const (
	lookups     = 4
	lookupEvery = 100 * time.Millisecond
)

// ErrSystem means that this system has no epoll or no /proc: load is generated on Linux. The server under test may run
// anywhere.
var ErrSystem = errors.New("bench: generating load needs Linux (epoll, /proc)")

// The error of Run wraps ErrConnect when the publisher or every subscriber failed to connect.
var ErrConnect = errors.New("bench: cannot connect")

// run is one run; only the goroutine of Run uses it.
type run struct {
	cfg    Config
	target target
	server *processes // nil when not known
	gauges gauges
	result *Result
	round  int // the one that runs, from 0, warm-ups first; -1 before the first one
}

// scenarios has the functions of the kinds. Each runs all rounds and fills the gauges and curves. An error ends the run
// early.
var scenarios = map[Kind]func(*run, context.Context) error{
	KindFanout:  (*run).fanout,
	KindConnect: (*run).connect,
	KindIdle:    (*run).idle,
	KindEcho:    (*run).echo,
	KindPolling: (*run).polling,
	KindUpgrade: (*run).upgrade,
	KindStorm:   (*run).storm,
	KindSlow:    (*run).slow,
	KindRooms:   (*run).rooms,
	KindGame:    (*run).game,
	KindFloor:   (*run).bareFloor,
}

// Run measures as cfg describes. If ctx ends or the timeout passes, the result says so in Partial. An error means that
// there is nothing to report. A run with lost or faulty messages is not an error, see Result.OK.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if !supported {
		return nil, ErrSystem
	}
	r, err := newRun(cfg.withDefaults())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.cfg.Timeout, errTimeout)
	defer cancel()
	if err := r.learn(ctx); err != nil {
		return nil, err
	}
	if err := scenarios[r.cfg.Kind](r, ctx); err != nil {
		if ctx.Err() == nil && !r.measured() {
			return nil, err
		}
		r.cutShort(ctx, err)
	}
	r.result.Metrics = append(r.result.Metrics, r.gauges.metrics()...)
	r.result.finish()
	return r.result, nil
}

// newRun finds the server and checks that enough descriptors are available.
func newRun(cfg Config) (*run, error) {
	t := target{}
	if cfg.Kind != KindFloor {
		var err error
		if t, err = parseTarget(cfg.URL); err != nil {
			return nil, err
		}
		if t, err = t.resolve(); err != nil {
			return nil, err
		}
		if cfg.Floor && !t.local() {
			cfg.Floor = false
		}
	}
	limit, err := descriptorLimit()
	if err != nil {
		return nil, err
	}
	cfg.Floor = cfg.Floor && len(cfg.Command) > 0
	cfg = cfg.withProcesses(limit)
	if err := needDescriptors(cfg.descriptors()); err != nil {
		return nil, err
	}
	r := &run{cfg: cfg, target: t, result: newResult(cfg, t), round: -1}
	if tell := cfg.Progress; tell != nil {
		r.cfg.Progress = func(p Progress) {
			p.Phase = r.phaseName(p.Phase)
			tell(p)
		}
	}
	if cfg.Kind == KindFloor {
		return r, nil
	}
	return r, r.findServer()
}

// measured reports whether there is anything to report.
func (r *run) measured() bool {
	return len(r.result.Bursts) > 0 || len(r.gauges.list) > 0 || len(r.result.Problems) > 0
}

// findServer finds the server's processes. It is an error only if a process of the configuration does not exist.
func (r *run) findServer() error {
	if len(r.cfg.PIDs) > 0 {
		r.server = &processes{root: procRoot, pids: r.cfg.PIDs}
		_, err := r.server.cpu()
		return err
	}
	if !r.target.local() {
		r.result.note("the server is on another machine: no CPU, memory and latency figures")
		return nil
	}
	pids, err := listenerOwners(procRoot, r.target.addr)
	// The table of sockets is not read at one moment: on a machine with many
	// of them a line may be skipped while others come and go.
	for range lookups - 1 {
		if err == nil {
			break
		}
		time.Sleep(lookupEvery)
		pids, err = listenerOwners(procRoot, r.target.addr)
	}
	if err != nil {
		r.result.note("no CPU and memory figures: " + err.Error())
		return nil
	}
	r.server = &processes{root: procRoot, pids: pids}
	return nil
}

// cutShort marks the result as partial, with the reason.
func (r *run) cutShort(ctx context.Context, err error) {
	if r.result.Partial != "" {
		return
	}
	switch {
	case ctx.Err() == nil:
		r.result.Partial = err.Error()
	case errors.Is(context.Cause(ctx), errTimeout):
		r.result.Partial = fmt.Sprintf("timeout of %v", r.cfg.Timeout)
	default:
		r.result.Partial = "interrupted"
	}
}

// open starts a stage for the server under test.
func (r *run) open(cfg Config, d duty) (*stage, error) {
	return openStage(cfg, d, r.target, r.server, r.result)
}

// rounds returns the number of rounds, including the unmeasured ones, which come first.
func (r *run) rounds() int { return r.cfg.Warmup + r.cfg.Repeat }

// each yields the rounds and notes which one runs, for the progress.
func (r *run) each() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range r.rounds() {
			r.begin(i)
			if !yield(i) {
				return
			}
		}
	}
}

// begin notes that the i-th round runs from now on.
func (r *run) begin(i int) { r.round = i }

// phaseName returns the name of a phase, with the round if there are several.
func (r *run) phaseName(phase string) string {
	switch {
	case r.rounds() == 1 || r.round < 0:
		return phase
	case r.round < r.cfg.Warmup:
		return fmt.Sprintf("%s, warm-up %d of %d", phase, r.round+1, r.cfg.Warmup)
	default:
		return fmt.Sprintf("%s, round %d of %d", phase, r.round+1-r.cfg.Warmup, r.cfg.Repeat)
	}
}

// counts reports whether the i-th round is measured.
func (r *run) counts(i int) bool { return i >= r.cfg.Warmup }

// takes reports whether a window of the i-th round has figures: the round is measured, and the window was not
// interrupted.
func (r *run) takes(i int, b *Burst) bool { return r.counts(i) && !b.Interrupted }
