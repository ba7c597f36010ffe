package stream

// Socket carries the bytes of a Conn. The Conn calls it on its loop.
type Socket interface {
	// Write writes the parts in order, total bytes in all, as far as the socket accepts them without blocking. It
	// returns the number of bytes written; fewer than total mean that the socket is full. The parts are immutable.
	// Write may change the slice that holds them. An error ends the connection.
	Write(parts [][]byte, total int) (n int, err error)
	// AwaitWritable requests one call of Loop.Writable with the ticket, on the loop, as soon as the socket accepts
	// more. It is called after Write has found the socket full.
	AwaitWritable(ticket uint64) error
	// Unsent returns the number of written bytes that have not reached the peer yet, or -1 if it is unknown. It
	// distinguishes a slow peer from a dead one.
	Unsent() int
	// StopReading stops or resumes reading from the connection. While reading is stopped the peer has to wait. A
	// backend that cannot stop passes its input to Conn.Read as usual.
	StopReading(stop bool)
	// CloseWrite tells the peer that no more bytes follow those written.
	CloseWrite() error
	// Close releases the socket. It is called exactly once, at the end of the connection, whoever ended it, after
	// Receiver.Closed and with its error. So everything that the Receiver counts is counted off before the connection
	// is.
	Close(reason error)
}

// Receiver handles the events of a connection, on the connection's loop. It is an alias of an interface literal, so
// that other packages can declare the identical type without importing this package.
type Receiver = interface {
	// Receive gets all bytes that were received and not consumed yet. data is valid only during the call; the receiver
	// may change it.
	//
	// It returns the number of bytes consumed. The rest (an incomplete frame or request, or input that the receiver
	// does not want yet) is kept and passed again, before the bytes that arrive next. need is the total length of the
	// incomplete item if it is known, else 0. It is a hint for the size of the buffer. The buffer grows with the bytes
	// received, up to need: a declared length alone allocates nothing.
	Receive(data []byte) (n, need int)
	// Closed is called exactly once: with nil after Close or CloseAfterFlush, and with an error otherwise. The methods
	// of the Conn do nothing afterwards.
	Closed(err error)
}

// Task is a message to a loop. Like Receiver, it is an alias of an interface literal.
type Task = interface{ Run(loop int) }

// Host is the event loop around a Loop.
type Host interface {
	// Index returns the loop's number. Safe for concurrent use.
	Index() int
	// Post runs t on the loop, after everything posted before. Safe for concurrent use.
	Post(t Task)
	// Clock returns the current time of the loop's clock in nanoseconds.
	Clock() int64
	// Panicked reports a panic that was recovered in an entry of a Receiver ("receive", "closed").
	Panicked(entry string, v any)
	// MustOwn panics if the caller does not run on the loop. It is called only if assertions are compiled in.
	MustOwn(method string)
	// Entered is called when something was queued or closed. A host whose connections may be used outside of an entry
	// (in tests) can then settle at once.
	Entered()
}
