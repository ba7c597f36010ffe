package stream

import "errors"

// Errors that Receiver.Closed may get, besides those of the socket.
var (
	// ErrWriteTimeout means that the peer took nothing for Limits.WriteTimeout while data waited.
	ErrWriteTimeout = errors.New("poller: write timeout")
	// ErrFlushTimeout means that the peer took nothing for Limits.FlushTimeout after CloseAfterFlush, with data
	// waiting.
	ErrFlushTimeout = errors.New("poller: flush timeout")
	// ErrRestTooLong means that the receiver left more than Limits.RestBytesMax bytes unconsumed.
	ErrRestTooLong = errors.New("poller: unconsumed input too long")
	// ErrDiscarded means that the peer sent more than Limits.DiscardBytesMax bytes while the connection was closing.
	ErrDiscarded = errors.New("poller: too much input at the end of a connection")
	// ErrPanic means that an entry for this connection panicked.
	ErrPanic = errors.New("poller: panic in handler")
)
