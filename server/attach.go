package server

import (
	"fmt"

	"github.com/seed58c87869/siren/poller/stream"
	"github.com/seed58c87869/siren/session"
)

// EventLoop is an event loop as this package sees it. It is an alias of an interface literal, so that packages below this
// one have the identical type. The server brings its own unless it is attached to others, see
// Server.Attach. The method sets of poller.Loop and pollertest.Loop have it.
type EventLoop = interface {
	session.Loop
	// Post runs t.Run on the loop, with the loop's index, after everything posted before it by Post, TryPost and
	// PostFunc, and never inside of the call. It does not refuse. Safe for concurrent use.
	Post(t interface{ Run(loop int) })
	// TryPost is Post, but refuses, by false, when the mailbox is full, which Full tells. Safe for concurrent use.
	TryPost(t interface{ Run(loop int) }) bool
	Full() bool
	// Idle reports whether everything that was posted so far has run, but for the task that runs now. Loop-only.
	Idle() bool
	// Continue is called by a task whose work is not done when its turn is over (Spend): t goes on with it, as the next
	// task of a later turn, before all that is posted. Loop-only.
	Continue(t interface{ Run(loop int) })
	// Stream is the part of the loop that serves connections. Loop-only, but immutable itself.
	Stream() *stream.Loop
}

// Attach is Listen on event loops and connections that the caller owns: no socket is opened and no goroutine started.
// It is what simulations and test kits are built on; servers use Listen.
//
// There must be Config.Loops loops, in the order of their indexes, from 0. borrow makes the handle with which a loop
// writes to a connection of another one; it is needed when there are several loops. accept takes a new connection, on
// its loop, and returns the receiver of its bytes.
//
// The caller drives each loop, as package poller does: accept, the receivers, timers (EventLoop.Wheel) and what was
// posted run on one goroutine at a time for each loop, and nothing is re-entrant. Several loops may be driven at the
// same time when their connections and borrow allow for it. All else of the Server is as safe for concurrent use as
// ever. Limits of the network are the caller's: Config.MaxConns and Config.WriteTimeout have no effect, and
// Stats.Poller stays empty. Loops that have a method Elapsed() time.Duration, which any goroutine may call, give the server
// its clock for what is not a loop's.
//
// Close ends the sessions by posts and waits for them and for the handlers, for some seconds at most, so the loops
// must be driven meanwhile by others than its caller. The loops stay the caller's.
func (srv *Server) Attach(loops []EventLoop, borrow session.Borrow) (accept func(c session.StreamConn, loop int) session.Receiver, err error) {
	if len(loops) != srv.nloops {
		return nil, fmt.Errorf("server: Attach to %d loops, but Config.Loops = %d", len(loops), srv.nloops)
	}
	if accept, err = srv.host.Attach(loops, borrow); err != nil {
		return nil, srv.startError("attach", err)
	}
	srv.waits.Counting.Store(true)
	srv.clock.Follow(loops[0])
	return accept, nil
}
