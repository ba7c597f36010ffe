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
	// closeAbsent is how long Close waits, without progress, for polling clients that have everything except the news of
	// the end. A client that is present asks again at once.
	closeAbsent = 2 * time.Second
	// closeLoops bounds the time in which the event loops close the remaining connections, after Config.CloseTimeout. That
	// is work rather than waiting: a million take some seconds.
	closeLoops = 15 * time.Second
	// closePollMin and closePollMax bound the time between two checks.
	closePollMin = time.Millisecond
	closePollMax = 20 * time.Millisecond
)

// Steps are what the application does while its Host closes. Each is called once, in this order.
type Steps struct {
	// Ending is called when nothing more is taken: nobody is to wait for an answer any longer.
	Ending func()
	// Closing is called when the handlers of what was accepted have had their time, before the sessions end.
	Closing func()
	// Stopped is called when the event loops have stopped.
	Stopped func() error
	// Last is called at the end, before Done is closed.
	Last func()
}

// Left is what Close could not wait for. Immutable.
type Left struct {
	// Connections were cut with data queued for them, Sessions ended with packets that their polling clients had not
	// fetched, and Handlers still ran.
	Connections, Sessions, Handlers int
}

// Close ends the Host without losing what it has accepted: intake stops, handlers answer, sessions end behind what is
// queued for them, connections end when their clients have taken everything, and then the event loops stop.
// Config.CloseTimeout bounds the waiting in total. result makes the error of Wait, and of every call of Close, of what
// was left. Every call returns when the Host is closed.
func (h *Host) Close(steps Steps, result func(left Left, err error) error) error {
	h.closing.Do(func() {
		h.closeErr = result(h.close(steps))
		steps.Last()
		h.end(h.closeErr)
	})
	return h.closeErr
}

func (h *Host) close(steps Steps) (left Left, err error) {
	h.life.Lock()
	h.state.Store(ending)
	p, engine := h.poller, h.engine
	h.life.Unlock()
	defer h.state.Store(closed)
	steps.Ending()
	if engine == nil {
		steps.Closing()
		return left, steps.Stopped()
	}
	ctx, cancel := context.WithTimeout(context.Background(), h.cfg.CloseTimeout)
	defer cancel()
	h.answerAccepted(ctx, engine)
	h.state.Store(closing)
	steps.Closing()
	engine.Close(session.ReasonServerShutdown)
	left.Sessions = h.awaitSessions(ctx, engine)
	left.Connections = h.mount.Close(ctx)
	if p != nil {
		err = h.stopLoops(ctx, p, &left)
	}
	err = errors.Join(err, steps.Stopped())
	left.Handlers = h.awaitHandlers(ctx)
	h.cfg.Log.Info("closed", "connections_cut", left.Connections, "sessions_unfetched", left.Sessions, "handlers", left.Handlers)
	return left, err
}

// answerAccepted waits for the handlers of accepted events.
func (h *Host) answerAccepted(ctx context.Context, engine *session.Engine) {
	half, cancel := context.WithTimeout(ctx, h.cfg.CloseTimeout/2)
	defer cancel()
	stopped := engine.StopIntake()
	if engine.Sessions() > 0 {
		select {
		case <-stopped:
		case <-half.Done():
		case <-h.done: // the event loops have failed
		}
	}
	h.awaitHandlers(half)
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
// up when there is no more progress, and returns the number of sessions with packets left.
func (h *Host) awaitSessions(ctx context.Context, engine *session.Engine) (unfetched int) {
	var last session.Left
	moved := time.Now()
	pollUntil(ctx, func() bool {
		if engine.Sessions() == 0 {
			last = session.Left{}
			return true
		}
		answer := make(chan session.Left, 1)
		engine.Left(func(l session.Left) { answer <- l })
		var now session.Left
		select {
		case now = <-answer:
		case <-ctx.Done():
			return true
		case <-h.done: // the event loops have failed
			return true
		}
		// A client that is still taking an answer asks again behind it.
		if now != last || h.answering(ctx) {
			last, moved = now, time.Now()
		}
		patience := closeAbsent
		if now.Unfetched > 0 {
			patience = poller.DefaultFlushTimeout
		}
		return now.Sessions == 0 || time.Since(moved) > patience
	})
	return last.Unfetched
}

// answering reports whether answers are being written.
func (h *Host) answering(ctx context.Context) bool {
	return h.mount.Visiting() > 0 || h.poller != nil && h.poller.Waiting(ctx) > 0
}

// stopLoops waits for the connections, and stops the event loops.
func (h *Host) stopLoops(ctx context.Context, p *poller.Engine, left *Left) error {
	p.Refuse(true)
	left.Connections += p.Drain(ctx)
	ending, cancel := context.WithTimeout(context.Background(), closeLoops)
	defer cancel()
	return p.Stop(ending)
}

// pollUntil asks until done is true or ctx ends: it is used a few times in a Host's life.
func pollUntil(ctx context.Context, done func() bool) {
	for pause := closePollMin; !done(); pause = min(2*pause, closePollMax) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}
