package server

import (
	"errors"
	"fmt"

	"github.com/seed58c87869/siren/poller"
	"github.com/seed58c87869/siren/server/internal/collect"
	"github.com/seed58c87869/siren/server/internal/host"
	"github.com/seed58c87869/siren/server/internal/packets"
	"github.com/seed58c87869/siren/server/internal/refusal"
)

// The errors of this package; compare with errors.Is.
var (
	// ErrClosed means that the socket or the server has ended.
	ErrClosed = collect.ErrClosed
	// ErrQueueFull means that an event loop is too far behind. Nothing was sent to anybody; the call may be repeated.
	ErrQueueFull = errors.New("siren: queue full")
	// ErrEncode means that an argument cannot be encoded; the cause is wrapped.
	ErrEncode = packets.ErrEncode
	// ErrDecode means that an argument cannot be decoded into the handler's type; the cause is wrapped.
	ErrDecode = packets.ErrDecode
	// ErrTooManyAttachments means that the packet would have more binary attachments than Config.MaxAttachmentsSent.
	ErrTooManyAttachments = packets.ErrTooManyAttachments
	// ErrReserved means that Socket.IO reserves the event's name.
	ErrReserved = packets.ErrReserved
	// ErrNotConnected means that Request was called before the socket's connect handlers had passed.
	ErrNotConnected = errors.New("siren: not connected yet")
	// ErrTooManyAcks means that Config.MaxPendingAcks acknowledgements of the socket are pending, or as many broadcasts
	// of the namespace wait for theirs.
	ErrTooManyAcks = errors.New("siren: too many pending acknowledgements")
	// ErrOnLoop means that a call that waits for an answer was made on an event loop, for instance in an Inline
	// handler. The loop would wait for itself. EmitAck does not wait.
	ErrOnLoop = errors.New("siren: would block an event loop")
	// ErrTooManyRooms means that the socket is in Config.MaxRooms rooms.
	ErrTooManyRooms = errors.New("siren: too many rooms")
	// ErrRoomTaken means that the name of the room is the id of another socket, which may be absent (Config.Recovery).
	// Packets to an id are for that socket alone.
	ErrRoomTaken = errors.New("siren: name of room is the id of a socket")
	// ErrRoomName means that the name of the room is longer than Config.MaxRoomBytes.
	ErrRoomName = errors.New("siren: name of room too long")
	// ErrTimeout means that an acknowledgement, or the answer of another node, did not arrive in time.
	ErrTimeout = collect.ErrTimeout
	// ErrShortTimeout: a time-out is positive and below a millisecond, which nobody can mean: Timeout(5) is 5 ns. Write
	// 5*time.Second.
	ErrShortTimeout = errors.New("siren: time-out below a millisecond")
	// ErrCluster: the adapter failed, for the reason that is wrapped. This node's sockets were served; those of other
	// nodes, or of some, were not.
	ErrCluster = errors.New("siren: other nodes not reached")
	// ErrNodeRefused means that another node could not take a question, because it is behind or has no handler for it.
	// Its log has the reason.
	ErrNodeRefused = collect.ErrNodeRefused
	// ErrPanic means that a handler panicked. It wraps the value of the panic, if that was an error.
	ErrPanic = packets.ErrPanic
)

// ListenError reports an address that Listen could not open, and the cause. Immutable.
type ListenError struct {
	// Addr is the address with its scheme, such as "tcp://127.0.0.1:3000".
	Addr string
	// Err is the cause, such as an *os.SyscallError with syscall.EADDRINUSE, or a *net.DNSError.
	Err error
}

// Error returns "server: cannot listen on Addr: cause".
func (e *ListenError) Error() string {
	return "server: cannot listen on " + e.Addr + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *ListenError) Unwrap() error { return e.Err }

// FilesError reports that the limit of open files is too low for Config.MaxConns, or for any connection. Some of the
// files are reserved for the listen queues and the program. Immutable.
type FilesError struct {
	// Limit is the process's limit of open files (RLIMIT_NOFILE), Need the limit that is needed.
	Limit, Need int
	// MaxConns is Config's.
	MaxConns int
}

// Error says what is needed.
func (e *FilesError) Error() string {
	if e.MaxConns > 0 {
		return fmt.Sprintf("server: Config.MaxConns = %d needs %d open files, and the limit (RLIMIT_NOFILE) is %d",
			e.MaxConns, e.Need, e.Limit)
	}
	return fmt.Sprintf("server: the limit of open files (RLIMIT_NOFILE) is %d, and at least %d are needed", e.Limit, e.Need)
}

// startError is what Listen and attach return when the event loops did not start.
func (srv *Server) startError(what string, err error) error {
	var listen *poller.ListenError
	var config *poller.ConfigError
	var files *poller.FilesError
	switch {
	case err == host.ErrClosed:
		return ErrClosed
	case err == host.ErrBegun:
		return fmt.Errorf("server: %w", err)
	case errors.As(err, &listen):
		return &ListenError{Addr: listen.Addr, Err: listen.Err}
	case errors.As(err, &files):
		return &FilesError{Limit: files.Limit, Need: files.Need, MaxConns: srv.cfg.MaxConns}
	case errors.As(err, &config) && config.Field == "Addrs":
		return fmt.Errorf("server: address %s", config.Reason)
	case errors.As(err, &config):
		return fmt.Errorf("server: Config.%s: %s", config.Field, config.Reason)
	}
	return fmt.Errorf("server: cannot %s: %w", what, err)
}

// Refusal is an error whose text and data are sent to the client. Immutable. Its members:
//
//   - Message string: is sent to the client
//   - Data any, HasData bool: the data is sent too if HasData is set, as JSON without attachments
//   - Cause error: what is broken, if that is why the client is refused, or nil. It stays on the server, and a connect
//     that is refused with one counts as failed rather than denied
//   - Error() string: the message
//   - Unwrap() error: the cause
//   - MarshalJSON: the form of a CONNECT_ERROR
type Refusal = refusal.Refusal

// Refuse makes an error that the client gets to see: as CONNECT_ERROR when a middleware or a connect handler returns
// it, as the error of an acknowledgement when an event's handler does. A nil data is not sent. What other errors say
// stays on the server; a client then reads "Not authorized", or "internal error".
func Refuse(message string, data any) error {
	return &Refusal{Message: message, Data: data, HasData: data != nil}
}
