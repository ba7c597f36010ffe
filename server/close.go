package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed58c87869/siren/poller"
	"github.com/seed58c87869/siren/server/internal/stack"
	"github.com/seed58c87869/siren/session"
)

const (
	// closeAbsent is how long Close waits, without progress, for polling clients that have nothing to fetch but the news that
	// it is over: one that is there asks again at once.
	closeAbsent = 2 * time.Second
	// closeLoops bounds the time in which the event loops give up what connections are left, behind Config.CloseTimeout:
	// that is work, not waiting, and a million takes some seconds.
	closeLoops = 15 * time.Second
	// closeLog is for the Logger to take the last records.
	closeLog = time.Second
	// closePollMin and closePollMax are between two looks whether something has ended.
	closePollMin = time.Millisecond
	closePollMax = 20 * time.Millisecond
)

// CloseError tells that Close could not wait for everything: Config.CloseTimeout had passed. Immutable.
type CloseError struct {
	// Connections is how many connections were cut with data queued for them that their clients had not taken.
	Connections int
	// Sessions is how many polling sessions ended with packets that their clients had not fetched.
	Sessions int
	// Handlers is how many handlers still ran.
	Handlers int
}

// Error says what was left.
func (e *CloseError) Error() string {
	return fmt.Sprintf("server: closed with %d connections cut, %d polling sessions not fetched, %d handlers running",
		e.Connections, e.Sessions, e.Handlers)
}

// Close ends the server without losing what it has accepted. It takes these steps:
//
//   - It stops taking events: what clients send from now on is discarded, handshakes are refused with 503, and whoever
//     waits for an acknowledgement or for other nodes gets ErrClosed.
//   - Handlers of events that were read before go on, and what they answer is sent. They have half of Config.CloseTimeout.
//   - Every socket is disconnected with "server shutting down", behind what is queued for it; the disconnect handlers run.
//   - Connections end when their clients have taken everything: WebSockets with a close frame, waiting polling requests with
//     an answer. A client that takes nothing for some seconds is not waited for.
//   - The listeners and the event loops end.
//
// Config.CloseTimeout bounds the waiting in total. The error is a *CloseError, or wraps one, when something was left
// then. Every call returns when the server is closed.
func (srv *Server) Close() error {
	srv.closing.Do(func() {
		srv.closeErr = srv.close()
		srv.logs.Flush(closeLog)
		srv.end(srv.closeErr)
	})
	return srv.closeErr
}

func (srv *Server) close() error {
	srv.life.Lock()
	srv.state.Store(serverEnding)
	p, engine := srv.poller, srv.engine
	srv.life.Unlock()
	defer srv.state.Store(serverClosed)
	srv.endWaits()
	if engine == nil {
		srv.stop(ErrClosed)
		return srv.leaveCluster()
	}
	ctx, cancel := context.WithTimeout(context.Background(), srv.cfg.CloseTimeout)
	defer cancel()
	left := new(CloseError)
	srv.answerAccepted(ctx, engine)
	srv.state.Store(serverClosing)
	srv.stop(ErrClosed)
	engine.Close(ReasonServerShutdown)
	left.Sessions = srv.awaitSessions(ctx, engine)
	left.Connections = srv.mount.Close(ctx)
	var err error
	if p != nil {
		err = srv.stopLoops(ctx, p, left)
	}
	err = errors.Join(err, srv.leaveCluster())
	srv.forgetHistory()
	left.Handlers = srv.awaitHandlers(ctx)
	if *left != (CloseError{}) {
		err = errors.Join(left, err)
	}
	srv.log.Info("closed", "connections_cut", left.Connections, "sessions_unfetched", left.Sessions, "handlers", left.Handlers)
	return err
}

// answerAccepted lets the handlers of what was accepted answer.
func (srv *Server) answerAccepted(ctx context.Context, engine *session.Engine) {
	half, cancel := context.WithTimeout(ctx, srv.cfg.CloseTimeout/2)
	defer cancel()
	stopped := engine.StopIntake()
	if engine.Sessions() > 0 {
		select {
		case <-stopped:
		case <-half.Done():
		case <-srv.done: // the event loops have failed
		}
	}
	srv.awaitHandlers(half)
}

// awaitHandlers waits until no handler runs, but for one that called Close, and returns how many do.
func (srv *Server) awaitHandlers(ctx context.Context) (running int) {
	own := int64(0)
	if stack.OnHandler() {
		own = 1
	}
	pollUntil(ctx, func() bool { return srv.jobs.Load() <= own })
	return int(max(srv.jobs.Load()-own, 0))
}

// awaitSessions waits until polling clients have fetched everything and know that their sessions are over. It gives up when
// nothing moves any more, and returns how many sessions have packets left.
func (srv *Server) awaitSessions(ctx context.Context, engine *session.Engine) (unfetched int) {
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
		case <-srv.done: // the event loops have failed
			return true
		}
		// A client that is still taking an answer asks again behind it.
		if now != last || srv.answering(ctx) {
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
func (srv *Server) answering(ctx context.Context) bool {
	return srv.mount.Visiting() > 0 || srv.poller != nil && srv.poller.Waiting(ctx) > 0
}

// stopLoops waits for the connections, and stops the event loops.
func (srv *Server) stopLoops(ctx context.Context, p *poller.Engine, left *CloseError) error {
	p.Refuse(true)
	left.Connections += p.Drain(ctx)
	ending, cancel := context.WithTimeout(context.Background(), closeLoops)
	defer cancel()
	return p.Stop(ending)
}

// pollUntil asks until done is true or ctx ends: it is used a few times in a server's life.
func pollUntil(ctx context.Context, done func() bool) {
	for pause := closePollMin; !done(); pause = min(2*pause, closePollMax) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}
