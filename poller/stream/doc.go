// Package stream is the core of a connection: what every connection does whatever carries its bytes.
//
// A [Conn] keeps input that its [Receiver] has not consumed, holds outbound frames by reference until its [Socket] takes
// them, and ends in an order that loses nothing. A [Loop] is the part of an event loop that serves connections: the lists
// of connections with something to flush, to close or to resume, and the free lists behind them.
//
// Three backends implement Socket: package poller (a descriptor of the kernel), package pollertest (memory) and package
// server (a connection of net/http). Tests, the test kit and simulations therefore run the code that ships.
//
// # Writing
//
// Queue appends an immutable frame and links the connection into the loop's dirty list; it never writes. The loop calls
// Flush at the end of its turn. When the socket is full, the connection keeps the rest by reference, asks the socket to
// report when it can take more (Socket.AwaitWritable), and goes on when Loop.Writable is called.
//
// # Endings
//
// There are two ways to end a connection. CloseAfterFlush ends it in order, Close cuts it. The table shows the states and
// what each event does; an empty field means that the event changes nothing.
//
//	state      CloseAfterFlush  queue empty         no progress in time     input            Close, failure, peer's end
//	open       leaving                              closed: WriteTimeout    to the Receiver  closed
//	leaving                     lingering (FIN)     closed: ErrFlushTimeout discarded        closed
//	lingering                                       closed: nil             discarded        closed
//	closed
//
// Limits of time count the time without progress: a peer that reads slowly gets everything. A connection that is leaving
// or lingering discards input, at most Limits.DiscardBytesMax, and is cut beyond that.
//
// All types are loop-owned unless they say otherwise.
package stream
