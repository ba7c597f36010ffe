package stream

// Socket is what carries the bytes of a Conn. The Conn calls it on its loop.
type Socket interface {
	// Write writes the parts in order, total bytes in all, as far as the socket takes them without waiting. It returns
	// how many bytes it took; fewer than total mean that the socket is full. The parts are immutable; the slice that
	// holds them is the caller's and may be changed by Write. An error ends the connection.
	Write(parts [][]byte, total int) (n int, err error)
	// AwaitWritable asks for one call of Loop.Writable with the ticket, on the loop, as soon as the socket takes more. It
	// is called after Write has found the socket full.
	AwaitWritable(ticket uint64) error
	// Unsent returns how many of the bytes taken have not reached the peer yet, or -1 when nobody knows. It tells a slow
	// reader from a dead one.
	Unsent() int
	// StopReading makes the backend stop to read for the connection, so that its peer waits, or go on. Input that it reads
	// nevertheless, because it cannot stop, is given to Conn.Read as ever.
	StopReading(stop bool)
	// CloseWrite tells the peer that no more bytes follow those taken.
	CloseWrite() error
	// Close gives the socket back. It is called exactly once, at the end of the connection, whoever ended it, with what the
	// Receiver is told behind it.
	Close(reason error)
}

// Receiver gets what happens on a connection, on the connection's loop. It is an alias of an interface literal, so that
// packages may declare the same one and need not import this package.
type Receiver = interface {
	// Receive gets all bytes that were received and not consumed yet. data is valid only in the call; the receiver may
	// change it.
	//
	// It returns how many bytes it has consumed. The rest (an incomplete frame or request, or input that it does not
	// want yet) is kept and given again, in front of what comes next. need is the total length of the incomplete
	// item if it is known, else 0. It is a hint for the buffer, which grows with what was received, up to need:
	// a declared length alone allocates nothing.
	Receive(data []byte) (n, need int)
	// Closed is called exactly once: with nil after Close or CloseAfterFlush, and with an error otherwise. The Conn must
	// not be used afterwards; its methods do nothing then.
	Closed(err error)
}

// Task is a message to a loop. It is an alias of an interface literal, as Receiver is.
type Task = interface{ Run(loop int) }

// Host is the event loop around a Loop.
type Host interface {
	// Index returns the loop's number. Safe for concurrent use.
	Index() int
	// Post runs t on the loop, behind everything posted before. Safe for concurrent use.
	Post(t Task)
	// Clock returns the loop's time in nanoseconds, looked up now.
	Clock() int64
	// Panicked reports a panic that was recovered in an entry of a Receiver ("receive", "closed").
	Panicked(entry string, v any)
	// MustOwn panics when the caller does not run on the loop. It is called only when assertions are compiled in.
	MustOwn(method string)
	// Entered tells that something was queued or ended, so that a host whose connections may be used outside of an entry
	// (a test's) can settle at once.
	Entered()
}
