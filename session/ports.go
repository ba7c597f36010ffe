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
	// Receive gets every byte that was received and not consumed yet; data is valid only in the call and may be
	// mutated. It returns how many bytes it took and, for an incomplete item, its total length when known.
	Receive(data []byte) (n, need int)
	// Closed is called exactly once, after which the connection must not be used.
	Closed(err error)
}

// Conn is the outbound side of a connection as its session's home loop sees it. Loop-owned (home loop).
type Conn interface {
	// Queue appends an immutable frame to the outbound queue. It never writes at once. It is false when the
	// connection is closing or when its queue would pass its byte limit; the frame is not queued then. The limit
	// must be above Config.QueueBytes and the overhead of Config.QueueFrames, which sessions check by themselves, and
	// leave room for an answer.
	Queue(frame []byte) bool
	// Last queues a frame whatever waits, and ends the connection behind it as CloseAfterFlush does.
	Last(frame []byte)
	// QueuedBytes and QueuedFrames are what waits to be written.
	QueuedBytes() int
	QueuedFrames() int
	// CloseAfterFlush closes the connection when all that is queued has left, or when its peer takes nothing for too long.
	CloseAfterFlush()
	// Close closes the connection and drops what is queued.
	Close()
	// RemoteAddr is the peer's address. Immutable.
	RemoteAddr() netip.AddrPort
}

// StreamConn is a connection on its own loop. Loop-owned.
type StreamConn interface {
	Conn
	// SetReceiver hands the connection to another receiver; bytes not consumed yet go to it.
	SetReceiver(r Receiver)
	// Resume calls Receive again with the bytes that were held back. After Hold it does so in a later turn of the loop.
	Resume()
	// Hold stops the input until Resume: Receive is not called, and the connection is not read where that is possible.
	Hold()
}

// Loop is an event loop as a shard sees it.
type Loop interface {
	// Index is the loop's number, the shard index in session ids. Immutable.
	Index() int
	// Now is the loop's monotonic clock in nanoseconds. Loop-only.
	Now() int64
	// Wheel is the loop's timing wheel. Loop-only.
	Wheel() *wheel.Wheel
	// Memory is the account of what the loop's clients hold. Immutable.
	Memory() *memory.Ledger
	// Spend charges work, an estimate in nanoseconds, to the budget of the running turn. It reports whether the caller
	// must stop and leave the rest of its work to a later turn: with Hold and Resume, or with PostFunc. Loop-only.
	Spend(work int) (over bool)
	// AfterHeld has fn called on the loop, behind what is posted, when no connection that is held now is held any more:
	// then the receivers have taken all that was read before. Loop-only.
	AfterHeld(fn func())
	// PostFunc runs fn on the loop, after everything posted before it. Safe for concurrent use.
	PostFunc(fn func())
}

// Borrow makes a handle with which the home loop (by index) may write to a connection of another loop. It is called
// on the connection's own loop.
type Borrow func(c StreamConn, home int) Conn

// App is the application above the sessions. Its methods run on event loops and must not block.
type App interface {
	// Open is called on the home loop when a session is open, before any of its messages. The open packet is
	// queued already. The Client returned, which must not be nil, gets what the session receives. A session that is
	// closed inside of Open ends, for its Client, when Open has returned.
	Open(s *Session) Client
	// Serves reports whether Request is for requests for paths that are not the engine's. Without it they are refused
	// with 404 as soon as their head has arrived. It is asked once, by New, and may be called on any goroutine.
	Serves() bool
	// Request gets a request for a path that is not the engine's. The views in r die with the call. x must be
	// answered exactly once, on its loop, with Respond.
	Request(x *Exchange, r *httpwire.Request)
}

// Client is the application's end of one session. Loop-owned (home loop).
type Client interface {
	// Message gets one message; data is valid only in the call.
	Message(data []byte, binary bool)
	// Closed is called exactly once, when the session is over for the application.
	Closed(reason Reason)
}
