// Package servertest runs a Socket.IO server in memory, for tests of what is built on package server: no network, a
// clock that the test moves, and clients that speak the real protocol.
//
//	func TestChat(t *testing.T) {
//		ts := servertest.New(t, server.Config{})
//		chat.Register(ts.Server) // your handlers
//
//		ann := ts.Connect("/chat", nil)
//		bob := ts.Connect("/chat", nil)
//		ann.Emit("say", "hello")
//		bob.Expect("said", "hello")
//
//		ts.Advance(time.Hour) // heartbeats and all; takes no time
//	}
//
// # What is real
//
// Everything but the sockets and the clock: a client's bytes are HTTP requests and WebSocket frames, they go through
// the server's parsers, sessions and namespaces, and handlers run on their goroutines as in production.
//
// # Time
//
// All of the server's own times are under the test's clock, which only [Server.Advance] moves: heartbeats, the times
// for connecting, upgrading, acknowledging, for requests and for closing. What handlers do with package time (Sleep,
// timers, deadlines of contexts) is not. Run the test in a bubble of testing/synctest, and it is: there the clock of
// the server is the bubble's, and Advance moves both.
//
//	synctest.Test(t, func(t *testing.T) {
//		ts := servertest.New(t, server.Config{})
//		...
//	})
//
// # Order
//
// What a test has a client do is done when the call returns: the loops are idle, and no handler is at work but those
// that wait for a client in Request or Call. So the same test takes the same course each time. Only handlers that one
// cause starts for several sockets at once, such as the disconnect handlers when the server closes, run side by side.
// A handler that waits for something else makes the test fail after some seconds, unless the test runs in a bubble,
// where all blocked handlers are known, or has called [Server.Manual].
//
// # Concurrency
//
// Server and Client are for the test's goroutine; the embedded server.Server is as safe for concurrent use as ever.
package servertest
