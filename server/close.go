package server

import (
	"errors"
	"fmt"
	"time"

	"github.com/seed58c87869/siren/server/internal/host"
)

// closeLog is how long Close waits for the Logger to take the last records.
const closeLog = time.Second

// CloseError reports what Close did not wait for, because Config.CloseTimeout had passed. Immutable.
type CloseError struct {
	// Connections is the number of connections that were cut while their clients had not taken all their data.
	Connections int
	// Sessions is the number of polling sessions that ended with packets that their clients had not fetched.
	Sessions int
	// Handlers is the number of handlers that still ran.
	Handlers int
}

// Error says what was left.
func (e *CloseError) Error() string {
	return fmt.Sprintf("server: closed with %d connections cut, %d polling sessions not fetched, %d handlers running",
		e.Connections, e.Sessions, e.Handlers)
}

// Close ends the server without losing what it has accepted. It takes these steps:
//
//   - It accepts no more events: input of clients is discarded, handshakes are refused with 503, and calls that wait
//     for acknowledgements or other nodes return ErrClosed.
//   - Handlers of events that were read before continue, and their answers are sent. They have half of
//     Config.CloseTimeout. In a cluster with a log (Recovery), Close waits for what the log has to return, too.
//   - Every socket is disconnected with "server shutting down", after its queued packets; the disconnect handlers run.
//   - Connections end when their clients have taken everything: WebSockets with a close frame, waiting polling requests
//     with an answer. Close does not wait for a client that takes nothing for some seconds.
//   - The listeners and the event loops end.
//
// Config.CloseTimeout bounds the waiting in total. If something was left then, the error is or wraps a *CloseError.
// Every call returns when the server is closed.
func (srv *Server) Close() error { return srv.host.Close(srv.ending(), closeError) }

// ending returns what the server does while it closes.
func (srv *Server) ending() host.Steps {
	return host.Steps{
		Ending:  srv.waits.End,
		Closing: func() { srv.awaitLog(); srv.stop(ErrClosed) },
		Stopped: func() error {
			defer srv.forgetHistory()
			return srv.leaveCluster()
		},
		Last: func() {
			srv.runners.End()
			srv.logs.Flush(closeLog)
		},
	}
}

// closeError makes the error of Close.
func closeError(left host.Left, err error) error {
	if left == (host.Left{}) {
		return err
	}
	return errors.Join(&CloseError{left.Connections, left.Sessions, left.Handlers}, err)
}

// Done returns a channel that is closed when the server has ended: when Close has finished, or when the event loops
// have failed. Wait then returns the reason.
func (srv *Server) Done() <-chan struct{} { return srv.host.Done() }

// Wait waits for the end of the server, whether it listens yet or not, and returns the error of Close, or of the event
// loops, which end by themselves when the system has no more resources for them. A server whose loops have failed
// serves nobody; Close releases what it holds.
func (srv *Server) Wait() error { return srv.host.Wait() }
