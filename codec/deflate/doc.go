// Package deflate compresses WebSocket messages (permessage-deflate, RFC 7692) and
// the bodies of HTTP responses (RFC 9110 section 8.4.1). It does no I/O: functions
// take slices and append results to slices of the caller.
//
// # Messages
//
// [Accept] answers the offers of a client. A [Compressor] compresses the messages of
// a server. It keeps no context between messages, so that one compressed message can
// be sent to any number of connections:
//
//	params, ok, err := deflate.Accept(header, deflate.Options{})
//	...
//	frame := wsframe.AppendCompressedHeader(nil, ws.OpText, true, len(packed))
//
// If context takeover was negotiated, each connection has a [Stream] instead.
// [Inflate] decompresses a message. A [Window] is the context of a client that keeps
// its context between messages.
//
// # Memory
//
// Compressors and decompressors take hundreds of kilobytes. They come from pools and
// return to them at the end of each call, so a connection without context takeover
// holds none. A Window has at most the negotiated size. Inflate appends at most
// limit bytes. Its time is bounded by its input and its limit: ordinary data takes
// 2 ms for each megabyte of output, the worst input (blocks with a code table and no
// content) a sixth of a second for each megabyte of input. An [Inflation] divides
// the work into steps.
//
// # Bodies
//
// [AcceptEncoding] chooses the content coding of a response, and a [BodyCompressor]
// compresses the body.
//
// # Concurrency
//
// [Compressor] and [BodyCompressor] are safe for concurrent use, and so are the
// functions on distinct slices. Only one goroutine at a time may use a [Stream], a
// [Window] or an [Inflation]. [Coding], [Options] and [Params] are immutable.
package deflate
