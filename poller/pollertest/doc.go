// Package pollertest has a loop with a fake clock and connections without sockets, for tests of what runs on poller's
// loops. Both have the methods of their counterparts in package poller that make sense without a network, with the
// same meaning: nothing is re-entrant, Closed is told when the current entry has returned, rests are kept and given again.
//
// Concurrency: a Loop is driven by the test's goroutine, through Do, RunUntilIdle, RunTurn and Advance; the posts are
// safe for concurrent use. Conns are owned by their loop. Several loops may each have a goroutine of their own, as long
// as no connection is borrowed. A Conn made by NewQuietConn only counts; a million of them fit in one process.
//
//	loop := pollertest.NewLoop(0)
//	conn := pollertest.NewConn(loop, session)
//	conn.Feed([]byte("2probe"))
//	loop.Advance(25 * time.Second) // fires the timers on the way, in order
//	got := conn.TakeFrames()
package pollertest
