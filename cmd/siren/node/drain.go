package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed58c87869/siren/cmd/siren/node/api"
	"github.com/seed58c87869/siren/cmd/siren/node/problem"
	"github.com/seed58c87869/siren/server"
)

// errAsked is the cause of an end that the API has asked for.
var errAsked = errors.New("asked by the API")

// endReserve is what the end may take after the plan of the drain: the loops close, and the backend hears of the last
// disconnects.
const endReserve = 30 * time.Second

// LossError reports an end that has lost something, or cut it short. Immutable.
type LossError struct{ Report server.DrainReport }

// Error says how much.
func (e *LossError) Error() string {
	r := &e.Report
	return fmt.Sprintf("the node has ended with losses: %d packets not written, %d connections and %d polling sessions cut, "+
		"%d sessions ended late, %d handlers running", r.Packets, r.Connections, r.Sessions, r.Late, r.Handlers)
}

// drain is the end of a node. It begins once, by a signal or by the API. Safe for concurrent use.
type drain struct {
	// cut ends when the end must take no more time. Immutable.
	cut context.Context
	// begun is closed when the end begins.
	begun chan struct{}

	mu sync.Mutex // guards what follows
	// plan and sessions are set when the end begins.
	plan     server.DrainPlan
	sessions int
}

func newDrain(cut context.Context) drain {
	if cut == nil {
		cut = context.Background()
	}
	return drain{cut: cut, begun: make(chan struct{})}
}

// on reports whether the end has begun: /readyz tells.
func (d *drain) on() bool {
	select {
	case <-d.begun:
		return true
	default:
		return false
	}
}

// draining reports whether balancers should send clients elsewhere. When another process has taken the addresses over,
// they should not.
func (n *Node) draining() bool { return n.drain.on() && !n.restart.over() }

// beginDrain begins the end of the node, unless it has begun. A nil duration is the configuration's. An error is a
// problem of these, and nothing is begun.
func (n *Node) beginDrain(timeout, spread *time.Duration) (api.Drained, error) {
	keys := n.Config().Drain
	plan := server.DrainPlan{Grace: keys.Grace, Timeout: keys.Timeout, Spread: keys.Spread}
	if timeout != nil {
		plan.Timeout = *timeout
		plan.Spread = min(plan.Spread, plan.Timeout)
	}
	if spread != nil {
		plan.Spread = *spread
	}
	d := &n.drain
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.on() {
		if n.restart.over() {
			plan.Grace, plan.Admit = 0, true
		}
		if plan.Spread > plan.Timeout {
			return api.Drained{}, problem.Field(problem.BadField, "spread_ms",
				fmt.Sprintf("it is more than timeout_ms, which is %d", plan.Timeout.Milliseconds()))
		}
		d.plan, d.sessions = plan, int(n.srv.Stats().Sessions.Open)
		close(d.begun)
	}
	return api.Drained{Sessions: d.sessions, Timeout: d.plan.Timeout, Spread: d.plan.Spread}, nil
}

// end ends the server without losing what it has accepted.
func (n *Node) end(cause error) error {
	begun, _ := n.beginDrain(nil, nil) // the configuration's plan is valid
	plan := n.drain.plan
	n.supervisor.Stopping(plan.Grace + plan.Timeout + endReserve)
	n.log.Info("siren stopping", "cause", cause, "sessions", begun.Sessions, "grace", plan.Grace, "spread", plan.Spread,
		"timeout", plan.Timeout)
	began := time.Now()
	report, err := n.srv.Drain(n.drain.cut, plan)
	var cut *server.CloseError
	if err != nil && !errors.As(err, &cut) {
		return fmt.Errorf("siren stopping: %w", err)
	}
	told := n.log.Info
	if report.Lost() {
		told = n.log.Warn
	}
	told("siren stopped", "ended", report.Ended, "late", report.Late, "packets_unwritten", report.Packets,
		"connections_cut", report.Connections, "sessions_unfetched", report.Sessions, "handlers", report.Handlers,
		"took", time.Since(began).Round(time.Millisecond))
	if report.Lost() {
		return &LossError{report}
	}
	return nil
}
