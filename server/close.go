package server

import (
	"errors"
	"fmt"
	"time"

	"github.com/seed58c87869/siren/server/internal/host"
)

// closeLog is how long Close waits for the Logger to take the last records.
const closeLog = time.Second

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
	return srv.host.Close(host.Steps{
		Ending:  srv.endWaits,
		Closing: func() { srv.stop(ErrClosed) },
		Stopped: func() error {
			defer srv.forgetHistory()
			return srv.leaveCluster()
		},
		Last: func() {
			srv.runners.End()
			srv.logs.Flush(closeLog)
		},
	}, closeError)
}

// closeError makes the error of Close.
func closeError(left host.Left, err error) error {
	if left == (host.Left{}) {
		return err
	}
	return errors.Join(&CloseError{left.Connections, left.Sessions, left.Handlers}, err)
}

// Done is closed when the server has ended: when Close has finished, or when the event loops have failed. Then Wait
// tells why.
func (srv *Server) Done() <-chan struct{} { return srv.host.Done() }

// Wait waits for the end of the server, whether it listens yet or not, and returns what Close returned, or why the
// event loops failed; they end by themselves when the system gives them nothing to work with any more. A server whose
// loops have failed serves nobody: Close tidies up behind it.
func (srv *Server) Wait() error { return srv.host.Wait() }
