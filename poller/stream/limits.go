package stream

import "time"

// Limits bound the connections of an event loop. Immutable.
type Limits struct {
	// QueueBytesMax bounds the outbound queue of a connection: its bytes, and FrameOverhead for each frame behind the
	// first. Queue refuses what would exceed it.
	QueueBytesMax int
	// RestBytesMax bounds the input that a Receiver leaves unconsumed.
	RestBytesMax int
	// DiscardBytesMax bounds the input that is read and discarded after CloseAfterFlush.
	DiscardBytesMax int
	// WriteTimeout and FlushTimeout bound the time without progress of a connection that is open, and of one that is
	// leaving.
	WriteTimeout, FlushTimeout time.Duration
	// TurnTime bounds the work of one turn, see Loop.Spend.
	TurnTime time.Duration
	// TurnBytesMax bounds what one connection writes before it is the next one's turn.
	TurnBytesMax int
}

const (
	// FrameOverhead is what a frame that waits behind another counts for besides its bytes: its place in the list, and the
	// memory around it when it is small and this connection's own. Without it a flood of tiny frames would take many times
	// what the limits allow.
	FrameOverhead = 64
	// lingerTime is how long a connection whose peer has got all waits for the peer's end. Closing at once
	// would make the kernel reset the connection if the peer has sent anything that was not read, and the peer could lose
	// the end of our data.
	lingerTime = time.Second
	// lingerLook is how often a connection that lingers looks whether its socket has run empty.
	lingerLook = lingerTime / 10
)
