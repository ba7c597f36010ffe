package session

import (
	"net/netip"

	"github.com/seed58c87869/siren/codec/httpwire"
	"github.com/seed58c87869/siren/poller/memory"
	"github.com/seed58c87869/siren/poller/wheel"
)

// Receiver consumes the bytes of one connection. Loop-owned. It is an alias of an interface literal, so that the
// event-loop package can declare the identical type and neither needs to import the other.
type Receiver = interface {
	// Receive gets all bytes that were received and not consumed yet. data is valid only during the call; the receiver
	// may change it. Receive returns the number of bytes consumed and, for an incomplete item, its total length if
	// known.
	Receive(data []byte) (n, need int)
	// Closed is called exactly once, after which the connection must not be used.
	Closed(err error)
}

// Conn is the outbound side of a connection for its session's home loop. Loop-owned (home loop).
type Conn interface {
	// Queue appends an immutable frame to the outbound queue. It never writes at once. If the connection is closing or
	// its queue would exceed its limit, Queue returns false and does not queue the frame. The limit must be greater
	// than Config.QueueBytes plus the overhead of Config.QueueFrames, which sessions check themselves, and leave room
	// for a response.
	Queue(frame []byte) bool
	// Expendable has what is queued not count as lost when the peer does not take it.
	Expendable()
	// Last queues a frame, whatever the queue holds, and then closes the connection like CloseAfterFlush.
	Last(frame []byte)
	// QueuedBytes and QueuedFrames return the size of the outbound queue.
	QueuedBytes() int
	QueuedFrames() int
	// CloseAfterFlush closes the connection when everything queued is sent, or when its peer takes nothing for too
	// long.
	CloseAfterFlush()
	// Close closes the connection and drops its queue.
	Close()
	// RemoteAddr returns the peer's address. Immutable.
	RemoteAddr() netip.AddrPort
}

// StreamConn is a connection, used on its own loop. Loop-owned.
type StreamConn interface {
	Conn
	// SetReceiver replaces the receiver; the new one gets the bytes not consumed yet.
	SetReceiver(r Receiver)
	// Resume calls Receive again with the unconsumed bytes. After Hold it does so in a later turn of the loop.
	Resume()
	// Hold stops the input until Resume: Receive is not called, and reading stops where that is possible.
	Hold()
	// OnDrained calls fn once when everything that is queued was sent, unless the connection ends before. It replaces
	// the function of an earlier call.
	OnDrained(fn func())
}

// Loop is the event loop of a shard.
type Loop interface {
	// Index returns the loop's number, which is the shard index in session ids. Immutable.
	Index() int
	// Now returns the loop's monotonic time in nanoseconds. Loop-only.
	Now() int64
	// Wheel returns the loop's timing wheel. Loop-only.
	Wheel() *wheel.Wheel
	// Memory returns the ledger of the memory that the loop's clients hold. Immutable.
	Memory() *memory.Ledger
	// Queued returns the number of bytes in the queues of the loop's connections. Loop-only.
	Queued() int
	// Spend charges work, an estimate in nanoseconds, to the budget of the running turn. It reports whether the caller
	// must stop and leave the rest of its work to a later turn: with Hold and Resume, or with PostFunc. Loop-only.
	Spend(work int) (over bool)
	// AfterHeld calls fn on the loop, after everything posted, as soon as no connection that is held now is still held.
	// The receivers have then consumed everything that was read before. Loop-only.
	AfterHeld(fn func())
	// PostFunc runs fn on the loop, after everything posted before it. Safe for concurrent use.
	PostFunc(fn func())
	// Idle reports whether everything that was posted so far has run, but for the task that runs now. Loop-only.
	Idle() bool
}

// Borrow returns a handle through which the home loop (by index) may write to a connection of another loop. It is
// called on the connection's own loop.
type Borrow func(c StreamConn, home int) Conn

// App is the application above the sessions. Its methods run on event loops and must not block.
type App interface {
	// Open is called on the home loop when a session has opened, before any of its messages. The open packet is already
	// queued. The returned Client, which must not be nil, gets what the session receives. If the session is closed
	// inside Open, the Client is told when Open has returned.
	Open(s *Session) Client
	// Serves reports whether Request handles requests for paths outside the engine's. If not, they are refused with 404
	// as soon as their head has arrived. New calls it once; it may be called on any goroutine.
	Serves() bool
	// Request handles a request for a path outside the engine's. The views in r are valid only during the call. x must
	// be answered exactly once, on its loop, with Respond.
	Request(x *Exchange, r *httpwire.Request)
}

// Client is the application's side of one session. Loop-owned (home loop).
type Client interface {
	// Message handles one message; data is valid only during the call.
	Message(data []byte, binary bool)
	// Closed is called exactly once, when the session has ended for the application.
	Closed(reason Reason)
}

// Settler is a Client that Engine.Drain asks before it ends the session. Loop-owned (home loop).
type Settler interface {
	Client
	// Settled reports whether nothing is under way for the client: no handler runs or waits, and no answer is awaited
	// from it. While Session.Quiet is true the Client should begin nothing new, so that this comes true.
	Settled() bool
}
