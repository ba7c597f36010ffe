// Package httpwire parses HTTP/1.1 requests from byte slices and appends responses to byte
// slices. It does no I/O and uses no goroutines, locks or pools.
//
// It is made for event loops: the loop collects the bytes of a connection in one slice and
// calls [Parser.Parse] after every read to find out whether the slice starts with a whole
// request. The parser remembers its position, so a peer that sends one byte at a time causes
// linear work in total. The result never depends on how the network splits the stream.
//
// # Strictness
//
// The package refuses every message whose end two implementations could see at different
// places (RFC 9112, section 11.2). Lines must end in CRLF. A message has one Content-Length or
// one chunked coding, never both. Field names are tokens directly followed by a colon, and
// folded lines are refused. HTTP/1.1 requires exactly one Host field, whose value is a host, or
// an IPv6 address in a form that some clients send. [Limits] bounds everything that a peer can
// make long; a limit is enforced as soon as the bytes prove that it is exceeded. The package is
// strict where RFC 9112 lets a server be lenient; see [Parser.Parse].
//
// # Concurrency
//
// [Limits] and [Error] are immutable and may be shared. [Parser] and [Request] are loop-owned:
// only one goroutine may use a value at a time. A Request holds views of the caller's buffer, so
// it must not outlive the buffer or be passed to another goroutine. Its Head can be copied and
// parsed again with [ParseHead]. [QueryGet] and [AppendResponse] access only their arguments.
//
// # Use
//
//	var lim httpwire.Limits  // shared by all connections, zero means defaults
//	var req httpwire.Request // one for each loop
//
//	// On each read; c.in starts at the first byte not consumed yet.
//	for len(c.in) > 0 {
//		n, err := c.parser.Parse(c.in, &lim, &req)
//		if err != nil {
//			var bad *httpwire.Error
//			errors.As(err, &bad)
//			c.out = httpwire.AppendResponse(c.out, &httpwire.Response{Status: bad.Status, Close: true})
//			return closeAfterFlush
//		}
//		if n == 0 {
//			if c.parser.ExpectsContinue() {
//				c.out = append(c.out, httpwire.ContinueResponse...)
//			}
//			break // read more
//		}
//		c.serve(&req)
//		c.in = c.in[n:]
//	}
package httpwire
