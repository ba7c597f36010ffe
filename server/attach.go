package server

import (
	"fmt"

	"github.com/seed58c87869/siren/server/attach"
	"github.com/seed58c87869/siren/session"
)

// eventLoop is an event loop as this package sees it.
type eventLoop = attach.Loop

func init() {
	attach.Server = func(srv any, loops []eventLoop, borrow session.Borrow) (attach.Accept, error) {
		return srv.(*Server).attach(loops, borrow)
	}
}

// attach is Listen on loops of others; see attach.Server.
func (srv *Server) attach(loops []eventLoop, borrow session.Borrow) (accept attach.Accept, err error) {
	if len(loops) != srv.nloops {
		return nil, fmt.Errorf("server: attached to %d loops, but Config.Loops = %d", len(loops), srv.nloops)
	}
	if accept, err = srv.host.Attach(loops, borrow); err != nil {
		return nil, srv.startError("attach", err)
	}
	srv.waits.Counting.Store(true)
	srv.clock.Follow(loops[0])
	return accept, nil
}
