package poller

import (
	"errors"
	"fmt"

	"github.com/seed58c87869/siren/poller/stream"
)

// Errors that Receiver.Closed may get besides those of the system (io.EOF wrapped by gnet, ECONNRESET and so on).
// A connection that was closed by Close or has left by CloseAfterFlush gets nil.
var (
	// ErrWriteTimeout means that the peer took nothing for Config.WriteTimeout while data waited.
	ErrWriteTimeout = stream.ErrWriteTimeout
	// ErrFlushTimeout means that the peer took nothing for Config.FlushTimeout after CloseAfterFlush, with data waiting.
	ErrFlushTimeout = stream.ErrFlushTimeout
	// ErrRestTooLong means that the receiver left more than Config.RestBytesMax bytes unconsumed.
	ErrRestTooLong = stream.ErrRestTooLong
	// ErrDiscarded means that the peer sent more than Config.DiscardBytesMax bytes while the connection ended.
	ErrDiscarded = stream.ErrDiscarded
	// ErrPanic means that an entry for this connection panicked.
	ErrPanic = stream.ErrPanic
	// ErrStopped: the engine stopped with the connection open. Start after Stop returns it too, and Adopt when the
	// loops do not run.
	ErrStopped = errors.New("poller: engine stopped")
	// ErrFull is Adopt's when MaxConns connections are served or the engine refuses new ones.
	ErrFull = errors.New("poller: no room for another connection")
)

// Errors of the engine.
var (
	// ErrStarted: Start was called twice.
	ErrStarted = errors.New("poller: engine already started")
	// ErrEnded: gnet ended without Stop, for example because a listening socket broke. See Engine.Err.
	ErrEnded = errors.New("poller: engine ended by itself")
	// ErrPrivateFiles: an engine with Config.PrivateFiles runs in this process. Its loops could not wake those of an
	// engine that starts later: their descriptors mean something else there.
	ErrPrivateFiles = errors.New("poller: an engine with PrivateFiles runs, no other can start")
)

// ConfigError names the Config field that cannot be used as it is. It is immutable.
type ConfigError struct {
	Field  string
	Reason string
}

// Error returns "poller: Config.Field: reason".
func (e *ConfigError) Error() string { return "poller: Config." + e.Field + ": " + e.Reason }

// FilesError says that the process's limit of open files is too low for Config.MaxConns and Config.FDReserve together,
// or for FDReserve and one connection. It is immutable.
type FilesError struct {
	Limit    int // RLIMIT_NOFILE
	Need     int // what it would have to be
	MaxConns int // of Config; 0 is any number
}

// Error says what is needed.
func (e *FilesError) Error() string {
	return fmt.Sprintf("poller: the limit of open files (RLIMIT_NOFILE) is %d: %d are needed for Config.FDReserve and "+
		"%d connections", e.Limit, e.Need, max(e.MaxConns, 1))
}
