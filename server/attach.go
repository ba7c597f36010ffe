package server

import (
	"errors"
	"fmt"

	"github.com/seed58c87869/siren/poller/memory"
	"github.com/seed58c87869/siren/poller/stream"
	"github.com/seed58c87869/siren/session"
	"github.com/seed58c87869/siren/session/mount"
)

// EventLoop is an event loop as this package sees it. The server brings its own unless it is attached to others, see
// Server.Attach. The method sets of poller.Loop and pollertest.Loop have it.
type EventLoop interface {
	session.Loop
	// Post runs t.Run on the loop, with the loop's index, after everything posted before it by Post, TryPost and
	// PostFunc, and never inside of the call. It does not refuse. Safe for concurrent use.
	Post(t interface{ Run(loop int) })
	// TryPost is Post, but refuses, by false, when the mailbox is full, which Full tells. Safe for concurrent use.
	TryPost(t interface{ Run(loop int) }) bool
	Full() bool
	// Continue is called by a task whose work is not done when its turn is over (Spend): t goes on with it, as the next
	// task of a later turn, before all that is posted. Loop-only.
	Continue(t interface{ Run(loop int) })
	// Stream is the part of the loop that serves connections. Loop-only, but immutable itself.
	Stream() *stream.Loop
}

// errBegun is for a server that listens, or is attached, already.
var errBegun = errors.New("server: it listens already, or is attached")

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
// Stats.Poller stays empty.
//
// Close ends the sessions by posts and waits for them and for the handlers, for some seconds at most, so the loops
// must be driven meanwhile by others than its caller. The loops stay the caller's.
func (srv *Server) Attach(loops []EventLoop, borrow session.Borrow) (accept func(c session.StreamConn, loop int) session.Receiver, err error) {
	srv.life.Lock()
	defer srv.life.Unlock()
	switch srv.state.Load() {
	case serverNew:
	case serverOpen:
		return nil, errBegun
	default:
		return nil, ErrClosed
	}
	if len(loops) != srv.nloops {
		return nil, fmt.Errorf("server: Attach to %d loops, but Config.Loops = %d", len(loops), srv.nloops)
	}
	if err := srv.attach(loops, borrow); err != nil {
		return nil, fmt.Errorf("server: cannot attach: %w", err)
	}
	srv.waits.counting.Store(true)
	srv.opened()
	return srv.engine.Accept, nil
}

// attach makes the engine on the loops. Called with life held.
func (srv *Server) attach(loops []EventLoop, borrow session.Borrow) error {
	shards, mounted := make([]session.Loop, 0, len(loops)), make([]mount.Loop, 0, len(loops))
	for _, l := range loops {
		if l == nil {
			return errors.New("a loop is nil")
		}
		shards, mounted = append(shards, l), append(mounted, l)
	}
	engine, err := session.New(srv.sessionConfig(), app{srv}, shards, mount.Lend(mounted, borrow))
	if err != nil {
		return err
	}
	if srv.cfg.MemoryBudget > 0 {
		srv.budget = memory.NewBudget(srv.cfg.MemoryBudget, srv.overBudget)
		for _, l := range loops {
			srv.budget.Join(l.Memory(), l.PostFunc)
		}
	}
	srv.deadlines = newDeadlines(loops)
	srv.loops, srv.mounted, srv.engine = append([]EventLoop(nil), loops...), mounted, engine
	return nil
}

// opened begins to serve. Called with life held.
func (srv *Server) opened() {
	srv.mount.Serve(srv.engine, srv.mounted)
	srv.state.Store(serverOpen)
}
