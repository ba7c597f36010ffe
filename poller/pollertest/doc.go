// Package pollertest provides a loop with a fake clock and connections without sockets, for tests of code that runs on
// poller's loops. Both have the methods of their counterparts in package poller that make sense without a network, with
// the same meaning: no entry is re-entrant, Closed is called when the current entry has returned, and unconsumed input
// is kept and passed again.
//
// Concurrency: the test's goroutine drives a Loop, through Do, RunUntilIdle, RunTurn and Advance. The Post methods are
// safe for concurrent use. Conns are owned by their loop. Several loops may have a goroutine each as long as no
// connection is borrowed. A Conn made by NewQuietConn only counts; a million of them fit into one process.
//
//	loop := pollertest.NewLoop(0)
//	conn := pollertest.NewConn(loop, session)
//	conn.Feed([]byte("2probe"))
//	loop.Advance(25 * time.Second) // fires the timers on the way, in order
//	got := conn.TakeFrames()
package pollertest
