// Package deflate compresses: the messages of a WebSocket (permessage-deflate,
// RFC 7692) and the bodies of HTTP answers (RFC 9110 section 8.4.1). It does no
// input or output: slices go in, and results are appended to slices of the
// caller.
//
// # Messages
//
// [Accept] answers the offers of a client. What a server sends is made by a
// [Compressor], which keeps nothing from one message to the next, so that one
// compressed message may go to any number of connections:
//
//	params, ok, err := deflate.Accept(header, deflate.Options{})
//	...
//	frame := wsframe.AppendCompressedHeader(nil, ws.OpText, true, len(packed))
//
// or, when takeover of the context was negotiated, by a [Stream], one for each
// connection. [Inflate] takes a message apart again; a [Window] is the context
// of a client that keeps its own.
//
// # Memory
//
// Compressors and decompressors, which take hundreds of kilobytes, come from
// pools and go back at the end of the call; a connection without takeover holds
// none of them. A Window has at most what its negotiated size allows. Inflate
// writes no more than its limit, and its time is bounded by its input and its
// limit: honest data takes 2 ms for each megabyte of output, while the worst input
// (blocks that have a table of codes and no content) takes a sixth of a second for
// each megabyte of its own. Who has less time at once takes an [Inflation].
//
// # Bodies
//
// [AcceptEncoding] finds the content coding for an answer, a [BodyCompressor]
// makes it.
//
// # Concurrency
//
// [Compressor] and [BodyCompressor] are safe for concurrent use, as are the
// functions on distinct slices. [Stream], [Window], [Inflation] and [Coding] are owned by one
// goroutine at a time. [Options] and [Params] are immutable.
package deflate
