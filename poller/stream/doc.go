// Package stream is the core of a connection, independent of the transport of its bytes.
//
// A [Conn] keeps input that its [Receiver] has not consumed, holds outbound frames by reference until its [Socket]
// takes them, and closes in an order that loses nothing. A [Loop] is the part of an event loop that serves connections:
// the lists of connections to flush, to close or to resume, and free lists for their memory.
//
// Three packages implement Socket: poller (a descriptor of the kernel), pollertest (memory) and server (a connection of
// net/http). Tests and simulations therefore run the same code as production.
//
// # Writing
//
// Queue appends an immutable frame and adds the connection to the loop's dirty list; it never writes. The loop calls
// Flush at the end of its turn. If the socket is full, the connection keeps the rest by reference, asks the socket to
// report when it accepts more (Socket.AwaitWritable), and continues when Loop.Writable is called.
//
// # Endings
//
// CloseAfterFlush ends a connection in order, and Close ends it at once. The table shows the states and the effect of
// each event; an empty field means that the event changes nothing.
//
//	state      CloseAfterFlush queue empty         no progress in time     input            Close, failure, peer's end
//	open       leaving                             closed: WriteTimeout    to the Receiver  closed
//	leaving                    lingering (FIN)     closed: ErrFlushTimeout discarded        closed
//	lingering                                      closed: nil             discarded        closed
//	closed
//
// Time limits count the time without progress: a slow peer gets everything. A connection that is leaving or lingering
// discards at most Limits.DiscardBytesMax bytes of input; more input closes it.
//
// All types are loop-owned unless they say otherwise.
package stream
