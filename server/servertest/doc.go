// Package servertest runs a Socket.IO server in memory, for tests of programs that use package server: no network, a
// clock under the test's control, and clients that use the real protocol.
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
//		ts.Advance(time.Hour) // with all heartbeats; takes no time
//	}
//
// # What is real
//
// Everything except the sockets and the clock. Clients send HTTP requests and WebSocket frames, which pass through the
// server's parsers, sessions and namespaces, and handlers run on their goroutines as in production.
//
// # Time
//
// All times of the server are under the test's clock, which only [Server.Advance] moves: heartbeats, and the times for
// connecting, upgrading, acknowledgements, requests and closing. Package time (Sleep, timers, deadlines of contexts) in
// handlers is not, unless the test runs in a bubble of testing/synctest. There the server's clock is the bubble's, and
// Advance moves both.
//
//	synctest.Test(t, func(t *testing.T) {
//		ts := servertest.New(t, server.Config{})
//		...
//	})
//
// # Order
//
// When a call on a client returns, its effects are complete: the loops are idle, and no handler runs except those that
// wait for a client in Request or Call. So a test takes the same course each time. Only handlers that one cause starts
// for several sockets at once, such as the disconnect handlers when the server closes, run concurrently. A handler that
// waits for anything else makes the test fail after some seconds, unless the test runs in a bubble, where all blocked
// handlers are known, or has called [Server.Manual].
//
// # Concurrency
//
// Server and Client are for the test's goroutine. The embedded server.Server is safe for concurrent use as usual.
package servertest
