// Package httpwire reads HTTP/1.1 requests from byte slices and appends
// responses to them. It does no I/O and keeps no goroutine, lock or pool.
//
// It is the HTTP edge of an event loop: the loop gathers the bytes of a
// connection in one slice and asks [Parser.Parse] after every read whether that
// slice starts with a whole request. The parser remembers how far it has looked,
// so a peer that sends one byte at a time costs linear time in total, and the
// answer never depends on where the network cut the stream.
//
// # Strictness
//
// The package takes no message whose end two implementations could see at
// different places (RFC 9112, section 11.2): lines end in CRLF and nothing else,
// a message has one Content-Length or one chunked coding and never both, names
// are tokens that touch their colon, folded lines are refused. Host must be there
// once in HTTP/1.1 and must be a host, or an IPv6 address as some clients write
// it. Everything a peer can make long has a
// bound in [Limits], enforced as soon as the bytes prove that it is broken.
// Where RFC 9112 lets a server be lenient, this one is not; see [Parser.Parse].
//
// # Concurrency
//
// [Limits] and [Error] are immutable and may be shared. [Parser] and [Request]
// are loop-owned: no two goroutines may use one at the same time. A Request holds
// views of the caller's buffer, so it must not outlive the buffer nor go to
// another goroutine; its Head can be copied and read again with [ParseHead].
// [QueryGet] and [AppendResponse] touch nothing but their arguments.
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
