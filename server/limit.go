package server

import (
	"github.com/seed58c87869/siren/poller"
	"github.com/seed58c87869/siren/session"
)

// spareConns is how many connections above the limit there may be, for Config.HealthPath.
func (srv *Server) spareConns() int {
	if srv.cfg.HealthPath == "" {
		return 0
	}
	return session.SparesMax(srv.cfg.session(), srv.nloops)
}

// pollerConns is MaxConns of the poller, whose connections above the limit are served too. 0 is what the limit of open
// files allows.
func (srv *Server) pollerConns() int {
	if srv.cfg.MaxConns == 0 {
		return 0
	}
	return srv.cfg.MaxConns + srv.spareConns()
}

// limitConns sets the limit of connections. Called with life held.
func (srv *Server) limitConns() error {
	c := srv.poller.Config()
	srv.maxConns = c.MaxConns - srv.spareConns()
	if srv.maxConns < 1 {
		return &FilesError{Limit: c.MaxConns + c.FDReserve, Need: srv.spareConns() + 1 + c.FDReserve}
	}
	return nil
}

// warnFull logs now and then that the limit of connections is reached.
func (srv *Server) warnFull() {
	if srv.full.Pass() {
		srv.log.Warn("the limit of connections is reached, new ones get 503", "maxConns", max(srv.maxConns, srv.cfg.MaxConns))
	}
}

// accept takes a connection of the listeners, on its loop.
func (srv *Server) accept(c *poller.Conn) poller.Receiver {
	loop := c.Loop()
	if srv.cfg.HealthPath == "" || srv.poller.Conns()-srv.engine.Spares() <= srv.maxConns {
		return srv.engine.Accept(c, loop.Index())
	}
	srv.warnFull()
	return srv.engine.AcceptSpare(c, loop.Index())
}
