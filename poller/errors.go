package poller

import (
	"errors"
	"fmt"

	"github.com/seed58c87869/siren/poller/stream"
)

// Errors that Receiver.Closed may get, besides those of the system (io.EOF wrapped by gnet, ECONNRESET and so on).
// A connection closed by Close or CloseAfterFlush gets nil.
var (
	// ErrWriteTimeout means that the peer took nothing for Config.WriteTimeout while data waited.
	ErrWriteTimeout = stream.ErrWriteTimeout
	// ErrFlushTimeout means that the peer took nothing for Config.FlushTimeout after CloseAfterFlush, with data
	// waiting.
	ErrFlushTimeout = stream.ErrFlushTimeout
	// ErrRestTooLong means that the receiver left more than Config.RestBytesMax bytes unconsumed.
	ErrRestTooLong = stream.ErrRestTooLong
	// ErrDiscarded means that the peer sent more than Config.DiscardBytesMax bytes while the connection was closing.
	ErrDiscarded = stream.ErrDiscarded
	// ErrPanic means that an entry for this connection panicked.
	ErrPanic = stream.ErrPanic
	// ErrStopped means that the engine stopped while the connection was open. Start returns it after Stop, and Adopt
	// while the loops do not run.
	ErrStopped = errors.New("poller: engine stopped")
	// ErrFull is returned by Adopt when MaxConns connections are served or the engine refuses new ones.
	ErrFull = errors.New("poller: no room for another connection")
)

// Errors of the engine.
var (
	// ErrStarted means that Start was called twice.
	ErrStarted = errors.New("poller: engine already started")
	// ErrEnded means that gnet ended without Stop, for example because a listening socket broke. See Engine.Err.
	ErrEnded = errors.New("poller: engine ended by itself")
	// ErrPrivateFiles means that an engine with Config.PrivateFiles runs in this process. Its loops could not wake the
	// loops of an engine that starts later, because descriptors have another meaning there.
	ErrPrivateFiles = errors.New("poller: an engine with PrivateFiles runs, no other can start")
)

// ConfigError reports an invalid Config field. It is immutable.
type ConfigError struct {
	Field  string
	Reason string
}

// Error returns "poller: Config.Field: reason".
func (e *ConfigError) Error() string { return "poller: Config." + e.Field + ": " + e.Reason }

// FilesError reports that the process's limit of open files is too low for Config.MaxConns and Config.FDReserve
// together, or for FDReserve and one connection. It is immutable.
type FilesError struct {
	Limit    int // RLIMIT_NOFILE
	Need     int // the limit that is needed
	MaxConns int // Config.MaxConns; 0 means any number
}

// Error returns the limit, the limit needed and the settings that need it.
func (e *FilesError) Error() string {
	return fmt.Sprintf("poller: the limit of open files (RLIMIT_NOFILE) is %d: %d are needed for Config.FDReserve and "+
		"%d connections", e.Limit, e.Need, max(e.MaxConns, 1))
}
