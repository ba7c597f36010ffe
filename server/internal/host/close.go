package host

import (
	"context"
	"errors"
	"time"

	"github.com/seed58c87869/siren/poller"
	"github.com/seed58c87869/siren/server/internal/stack"
	"github.com/seed58c87869/siren/session"
)

const (
	// closeAbsent is how long Close waits, without progress, for polling clients that have fetched everything but do
	// not know of the end yet. A client that is present sends its next request at once.
	closeAbsent = 2 * time.Second
	// closeLoops bounds the time in which the event loops close the remaining connections, after Config.CloseTimeout.
	// The loops do not wait in this time; a million connections take some seconds.
	closeLoops = 15 * time.Second
	// closePollMin and closePollMax bound the time between two checks.
	closePollMin = time.Millisecond
	closePollMax = 20 * time.Millisecond
)

// Steps are the functions that Close calls, each once, in this order.
type Steps struct {
	// Ending is called when no more input is accepted. It must end all waits for answers.
	Ending func()
	// Closing is called before the sessions end: the handlers of accepted events have returned, or their time is over.
	Closing func()
	// Stopped is called when the event loops have stopped, and the handlers of disconnects have returned or their time
	// is over.
	Stopped func() error
	// Last is called at the end, before Done is closed.
	Last func()
}

// Left counts what Close could not wait for. Immutable.
type Left struct {
	// Connections is the number of connections that were cut with data queued for them, Sessions the number of polling
	// sessions that ended with packets that their clients had not fetched, Handlers the number of handlers that still
	// ran.
	Connections, Sessions, Handlers int
	// Packets is the number of packets that were lost with these. An answer to a polling client counts as one.
	Packets int
}

// Report is the result of Drain. Immutable.
type Report struct {
	Left
	// Ended is the number of sessions that Drain has ended, Late the number of these that were still open when the time
	// was up.
	Ended, Late int
}

// Lost reports whether anything was lost or cut short.
func (r Report) Lost() bool { return r.Left != Left{} || r.Late > 0 }

// Close ends the Host without losing what it has accepted: intake stops, handlers answer, sessions end after the
// packets that are queued for them, connections end when their clients have taken everything, and then the event loops
// stop. Config.CloseTimeout bounds the waiting in total. result returns the error of Wait, and of every call of Close,
// for what was left. Every call returns when the Host is closed. A Drain under way continues as Close.
func (h *Host) Close(steps Steps, result func(left Left, err error) error) error {
	h.hurryNow()
	h.finish(nil, steps, result)
	return h.closeErr
}

// finish closes the Host once. Further calls wait for the end.
func (h *Host) finish(plan *Plan, steps Steps, result func(left Left, err error) error) {
	h.closing.Do(func() {
		r, err := h.close(plan, steps)
		h.report, h.closeErr = r, result(r.Left, err)
		steps.Last()
		h.end(h.closeErr)
	})
}

// close does the work of Close and, with a plan, of Drain: the sessions then end first.
func (h *Host) close(plan *Plan, steps Steps) (r Report, err error) {
	h.life.Lock()
	p, engine := h.poller, h.engine
	h.state.Store(ending)
	if plan != nil {
		h.state.Store(draining)
	}
	h.life.Unlock()
	defer h.state.Store(closed)
	c := closer{Host: h, engine: engine, reason: session.ReasonServerShutdown}
	if engine == nil {
		h.state.Store(ending)
		steps.Ending()
		steps.Closing()
		return r, steps.Stopped()
	}
	c.before = c.counts()
	var cancel context.CancelFunc
	if plan == nil {
		cancel = c.within(h.cfg.CloseTimeout, h.cfg.CloseTimeout/2)
	} else {
		cancel = c.drain(plan)
	}
	defer cancel()
	h.state.Store(ending)
	steps.Ending()
	c.answerAccepted()
	h.state.Store(closing)
	steps.Closing()
	inTime, late := c.counts().drained, c.ctx.Err() != nil
	engine.Close(c.reason)
	if late {
		var end context.CancelFunc
		c.ctx, end = context.WithTimeout(context.Background(), cutTime)
		defer end()
	}
	unfetched := c.awaitSessions()
	visits := h.mount.Close(c.ctx)
	if p != nil {
		err = c.stopLoops(p)
	}
	handlers := c.awaitHandlers(c.ctx)
	err = errors.Join(err, steps.Stopped())
	r.Left = Left{Connections: visits, Sessions: unfetched.Unfetched, Handlers: handlers, Packets: visits + unfetched.Packets}
	c.count(&r)
	if late {
		r.Late = c.counts().drained - inTime
	}
	h.cfg.Log.Info("closed", "connections_cut", r.Left.Connections, "sessions_unfetched", r.Left.Sessions,
		"handlers", r.Left.Handlers, "packets_unsent", r.Left.Packets, "drained", r.Ended)
	return r, err
}

// closer is the state of one Close. It is owned by the goroutine that closes.
type closer struct {
	*Host
	engine *session.Engine
	// reason is the reason for the end of the sessions.
	reason session.Reason
	// ctx bounds all waiting, half that for handlers while there are sessions.
	ctx, half context.Context
	before    counts
}

// within sets the time that is left for everything, and for handlers.
func (c *closer) within(all, handlers time.Duration) context.CancelFunc {
	ctx, cancelAll := context.WithTimeout(c.cut, all)
	half, cancelHalf := context.WithTimeout(ctx, handlers)
	c.ctx, c.half = ctx, half
	return func() { cancelHalf(); cancelAll() }
}

// counts are counters of what was lost, and of sessions that a drain has ended.
type counts struct {
	connections, sessions, packets, drained int
}

func (c *closer) counts() counts {
	s := c.engine.Stats()
	n := counts{
		sessions: int(s.Unfetched), packets: int(s.UnfetchedPackets), drained: int(s.Closed[session.ReasonDraining]),
	}
	for _, l := range c.loops {
		of := &l.Stream().Counters
		n.connections += int(of.Cut.Load())
		n.packets += int(of.FramesCut.Load())
	}
	return n
}

// count adds to r what was lost since the begin.
func (c *closer) count(r *Report) {
	now := c.counts()
	r.Connections += now.connections - c.before.connections
	r.Sessions += now.sessions - c.before.sessions
	r.Packets += now.packets - c.before.packets
	r.Ended = now.drained - c.before.drained
}

// answerAccepted waits for the handlers of accepted events.
func (c *closer) answerAccepted() {
	stopped := c.engine.StopIntake()
	if c.engine.Sessions() > 0 {
		select {
		case <-stopped:
		case <-c.half.Done():
		case <-c.done: // the event loops have failed
			return
		}
	}
	c.awaitHandlers(c.half)
}

// awaitHandlers waits until no handler runs, except one that called Close, and returns the number of running ones.
func (h *Host) awaitHandlers(ctx context.Context) (running int) {
	own := int64(0)
	if stack.OnHandler() {
		own = 1
	}
	pollUntil(ctx, func() bool { return h.cfg.Jobs.Load() <= own })
	return int(max(h.cfg.Jobs.Load()-own, 0))
}

// awaitSessions waits until polling clients have fetched everything and know that their sessions have ended. It gives
// up when there is no more progress, and returns what is left.
func (c *closer) awaitSessions() (last session.Left) {
	moved := time.Now()
	pollUntil(c.ctx, func() bool {
		if c.engine.Sessions() == 0 {
			last = session.Left{}
			return true
		}
		answer := make(chan session.Left, 1)
		c.engine.Left(func(l session.Left) { answer <- l })
		var now session.Left
		select {
		case now = <-answer:
		case <-c.ctx.Done():
			return true
		case <-c.done: // the event loops have failed
			return true
		}
		// A client that is still taking an answer sends another request after it.
		if now != last || c.answering(c.ctx) {
			last, moved = now, time.Now()
		}
		patience := closeAbsent
		if now.Unfetched > 0 {
			patience = poller.DefaultFlushTimeout
		}
		return now.Sessions == 0 || time.Since(moved) > patience
	})
	return last
}

// answering reports whether answers are being written.
func (h *Host) answering(ctx context.Context) bool {
	return h.mount.Visiting() > 0 || h.poller != nil && h.poller.Waiting(ctx) > 0
}

// stopLoops waits for the connections, and stops the event loops.
func (c *closer) stopLoops(p *poller.Engine) error {
	p.Refuse(true)
	p.Drain(c.ctx)
	ending, cancel := context.WithTimeout(context.Background(), closeLoops)
	defer cancel()
	return p.Stop(ending)
}

// pollUntil calls done until it returns true or ctx ends. It polls because it is used only a few times in a Host's
// life.
func pollUntil(ctx context.Context, done func() bool) {
	for pause := closePollMin; !done(); pause = min(2*pause, closePollMax) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}
