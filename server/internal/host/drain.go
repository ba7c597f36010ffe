package host

import (
	"context"
	"fmt"
	"time"

	"github.com/seed58c87869/siren/session"
)

// cutTime is the time for the end of the sessions that are open when the time of a drain is over: enough for clients
// that read, because ending and flushing them takes no waiting.
const cutTime = time.Second

// defaultTimeout is the default of Plan.Timeout: the usual grace period of process managers.
const defaultTimeout = 30 * time.Second

// Plan says how Drain ends the sessions. Immutable. The zero value ends them all at once.
type Plan struct {
	// Grace is how long handshakes are still accepted, so that load balancers see that the server is not ready. Default
	// 0.
	Grace time.Duration
	// Timeout bounds all that follows Grace. What is left then is closed. Default 30 s, the usual grace period of
	// process managers.
	Timeout time.Duration
	// Spread is the time over which the sessions are ended, so that their clients do not all come to the next server at
	// once. It must not be longer than Timeout. Default 0.
	Spread time.Duration
	// Admit lets new clients in, and ends them like the others. It is for a server that does not listen any more,
	// because another process has taken its addresses, see TakeOver: what still comes on open connections is then not
	// refused.
	Admit bool
}

// settle fills in the defaults. The error names the field that is wrong.
func (p Plan) settle() (Plan, error) {
	if p.Timeout == 0 {
		p.Timeout = defaultTimeout
	}
	switch {
	case p.Grace < 0:
		return p, fmt.Errorf("DrainPlan.Grace = %v is negative", p.Grace)
	case p.Timeout < 0:
		return p, fmt.Errorf("DrainPlan.Timeout = %v is negative", p.Timeout)
	case p.Spread < 0:
		return p, fmt.Errorf("DrainPlan.Spread = %v is negative", p.Spread)
	case p.Spread > p.Timeout:
		return p, fmt.Errorf("DrainPlan.Spread = %v is longer than Timeout, which is %v", p.Spread, p.Timeout)
	}
	return p, nil
}

// Drain is Close by a plan: before the Host closes, its sessions end over some time, while everything else goes on. At
// Plan.Timeout, or when ctx ends, what is left ends at once. During another Drain or Close it waits for that one, whose
// result it returns; its plan is ignored then, and the end of its ctx has the same effect. An invalid plan is an error,
// and nothing is done.
func (h *Host) Drain(ctx context.Context, plan Plan, steps Steps, result func(left Left, err error) error) (Report, error) {
	plan, err := plan.settle()
	if err != nil {
		return Report{}, err
	}
	defer context.AfterFunc(ctx, h.cutNow)()
	h.finish(&plan, steps, result)
	return h.report, h.closeErr
}

// drain ends the sessions by the plan, and sets the time that is left for the rest.
func (c *closer) drain(plan *Plan) context.CancelFunc {
	c.reason = session.ReasonDraining
	grace := time.NewTimer(plan.Grace)
	defer grace.Stop()
	select {
	case <-grace.C:
	case <-c.hurry.Done():
	case <-c.cut.Done():
	case <-c.done: // the event loops have failed
	}
	cancel := c.within(plan.Timeout, plan.Timeout)
	if c.hurry.Err() == nil && c.ctx.Err() == nil {
		select {
		case <-c.engine.Drain(plan.Spread, plan.Admit):
			return cancel
		case <-c.hurry.Done():
		case <-c.ctx.Done():
		case <-c.done:
		}
	}
	if c.hurry.Err() != nil {
		cancel()
		c.reason = session.ReasonServerShutdown
		return c.within(c.cfg.CloseTimeout, c.cfg.CloseTimeout/2)
	}
	return cancel
}
