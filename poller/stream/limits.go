package stream

import "time"

// Limits bounds the connections of an event loop. Immutable.
type Limits struct {
	// QueueBytesMax bounds the outbound queue of a connection: its bytes, plus FrameOverhead for each frame after the
	// first. Queue refuses frames above it.
	QueueBytesMax int
	// RestBytesMax bounds the input that a Receiver leaves unconsumed.
	RestBytesMax int
	// DiscardBytesMax bounds the input that is read and discarded after CloseAfterFlush.
	DiscardBytesMax int
	// WriteTimeout bounds the time without progress of an open connection, FlushTimeout that of one that is leaving.
	WriteTimeout, FlushTimeout time.Duration
	// TurnTime bounds the work of one turn, see Loop.Spend.
	TurnTime time.Duration
	// TurnBytesMax bounds the bytes that one connection writes before other connections get their turn.
	TurnBytesMax int
}

const (
	// FrameOverhead is the size in bytes that a queued frame counts for besides its data, unless it is the first: its
	// slot in the list, and the memory around a small frame that only this connection uses. Without it a flood of tiny
	// frames would take many times the memory that the limits allow.
	FrameOverhead = 64
	// lingerTime is how long a connection that has sent everything waits for its peer to close. Closing at once would
	// make the kernel reset the connection if the peer has sent bytes that were not read, and the peer could lose the
	// end of the data.
	lingerTime = time.Second
	// lingerLook is how often a lingering connection checks whether its socket has sent everything.
	lingerLook = lingerTime / 10
)
