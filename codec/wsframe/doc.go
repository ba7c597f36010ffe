// Package wsframe reads and writes WebSocket frames (RFC 6455) over byte
// slices. It does no input or output and starts no goroutine: bytes that a
// connection received go in, messages come out, and frames to send are
// appended to a slice of the caller.
//
// # Reading
//
// [Reader] turns a stream of frames into messages. The caller hands it a slice
// that begins at a frame boundary and holds all that was received and not yet
// taken. One call takes one frame or, when the frame is not complete, nothing:
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
// The loop above calls Next until nothing is taken, and that last call also
// gives back the buffer of a fragmented message that was delivered before. A
// loop that ends as soon as buf is empty calls [Reader.Release] instead.
//
// # Memory
//
// Payloads are unmasked in place, in the part of the slice that is taken by
// the same call and nowhere else. A message of one frame is a view of the
// slice. Only a message of several frames is copied, into a pooled buffer that
// grows with the bytes that arrived; a declared length never costs memory. An
// idle Reader is 40 bytes and holds nothing.
//
// # Writing
//
// The Append functions write frames of a server, which are not masked, and
// never fail. [AppendMaskedFrame] writes frames of a client, for tests and load
// generators, and [AppendRawHeader] writes any header at all. Frames of a
// server do not depend on the connection, so a broadcast is encoded once.
//
// # Concurrency
//
// Functions are safe for concurrent use on distinct slices. A [Reader], a
// [UTF8] and a [Message] are loop-owned: one goroutine at a time. [Limits] and
// [Error] values are immutable and may be shared by all connections.
package wsframe
