// Package wsframe reads and writes WebSocket frames (RFC 6455) in byte slices. It
// does no I/O and starts no goroutines. The caller passes in the bytes received
// from a connection and gets messages. Frames to send are appended to a slice of
// the caller.
//
// # Reading
//
// [Reader] turns a stream of frames into messages. The caller passes a slice that
// begins at a frame boundary and holds all bytes received but not yet consumed.
// One call consumes one frame, or nothing when the frame is incomplete:
//
//	var r wsframe.Reader     // part of the connection
//	var msg wsframe.Message  // may be shared by all connections of a loop
//
//	for {
//		n, err := r.Next(buf, limits, &msg)
//		buf = buf[n:]
//		if err != nil {
//			var failure *wsframe.Error
//			if errors.As(err, &failure) {
//				out = wsframe.AppendClose(out, failure.Code, failure.Reason)
//			}
//			break // fail the connection, RFC 6455 section 7.1.7
//		}
//		if n == 0 {
//			break // incomplete: keep buf, call again with more behind it
//		}
//		switch msg.Kind {
//		case wsframe.Ping:
//			out = wsframe.AppendFrame(out, ws.OpPong, msg.Data)
//		case wsframe.Close:
//			out = wsframe.AppendClose(out, msg.Code, "")
//			return // discard what follows, RFC 6455 section 1.4
//		case wsframe.Text, wsframe.Binary:
//			deliver(msg.Data) // valid until the next call
//		}
//	}
//
// The loop above calls Next until nothing is consumed. That last call also
// releases the buffer of a fragmented message that was delivered before. A loop
// that ends as soon as buf is empty must call [Reader.Release] instead.
//
// # Memory
//
// Payloads are unmasked in place. Only the bytes consumed by the call are changed.
// A message of one frame is a view of the slice. A message of several frames is
// copied into a pooled buffer, which grows with the bytes that have arrived: a
// declared length alone costs no memory. An idle Reader takes 40 bytes and holds
// no buffer.
//
// # Writing
//
// The Append functions write unmasked frames, as a server sends them. They never
// fail. [AppendMaskedFrame] writes frames of a client, for tests and load
// generators. [AppendRawHeader] writes any header, including invalid ones. A
// server's frames do not depend on the connection, so a broadcast is encoded once.
//
// # Concurrency
//
// Functions are safe for concurrent use on distinct slices. [Reader], [UTF8] and
// [Message] are loop-owned: only one goroutine may use a value at a time. [Limits]
// and [Error] values are immutable and may be shared by all connections.
package wsframe
