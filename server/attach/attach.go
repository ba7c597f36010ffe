// Package attach runs a server on event loops and connections that its caller owns. Simulations and test kits of this
// module are built on it; programs use server.Server.Listen, servertest or engineio. What it exports may change in any
// version.
package attach

import (
	"github.com/seed58c87869/siren/poller/stream"
	"github.com/seed58c87869/siren/session"
)

// Loop is an event loop as a server needs it. It is an alias of an interface literal, so that a slice of loops has the
// same type in all packages. The method sets of poller.Loop and pollertest.Loop have it.
type Loop = interface {
	session.Loop
	// Post runs t.Run on the loop, with the loop's index, after everything posted before it by Post, TryPost and
	// PostFunc, and never inside of the call. It does not refuse. Safe for concurrent use.
	Post(t interface{ Run(loop int) })
	// TryPost is Post, but returns false and posts nothing if the mailbox is full, which Full reports. Safe for
	// concurrent use.
	TryPost(t interface{ Run(loop int) }) bool
	Full() bool
	// Continue is called by a task whose work is not done when its turn is over (Spend): t continues it, as the first
	// task of a later turn, before all that is posted. Loop-only.
	Continue(t interface{ Run(loop int) })
	// Stream is the part of the loop that serves connections. Loop-only, but immutable itself.
	Stream() *stream.Loop
}

// Accept takes a new connection, on its loop, and returns the receiver of its bytes.
type Accept = func(c session.StreamConn, loop int) session.Receiver

// Server starts srv, a *server.Server, on loops that the caller owns, instead of Listen: no socket is opened and no
// goroutine started. Package server sets it.
//
// There must be Config.Loops loops, in the order of their indexes, from 0. borrow makes the handle with which a loop
// writes to a connection of another one; it is needed when there are several loops.
//
// The caller drives each loop, as package poller does: accept, the receivers, timers (Loop.Wheel) and what was posted
// run on one goroutine at a time for each loop, and nothing is re-entrant. Several loops may be driven at the same time
// if their connections and borrow allow it. All else of the server is as safe for concurrent use as ever. Limits of the
// network are the caller's: Config.MaxConns and Config.WriteTimeout have no effect, and Stats.Poller stays empty. Loops
// with a method Elapsed() time.Duration, which any goroutine may call, give the server its clock for what is not a
// loop's.
//
// Close ends the sessions by posts and waits for them and for the handlers, for some seconds at most, so another
// goroutine than its caller must drive the loops meanwhile. The loops stay the caller's.
var Server func(srv any, loops []Loop, borrow session.Borrow) (Accept, error)
