package host

import (
	"github.com/seed58c87869/siren/poller"
	"github.com/seed58c87869/siren/session"
)

// spareConns returns the number of connections above the limit that session.Config.HealthPath allows.
func (h *Host) spareConns() int {
	if h.cfg.Session.HealthPath == "" {
		return 0
	}
	return session.SparesMax(h.cfg.Session, h.cfg.Loops)
}

// pollerConns returns MaxConns of the poller, which includes the connections above the limit. 0 is as many as the limit
// of open files allows.
func (h *Host) pollerConns() int {
	if h.cfg.MaxConns == 0 {
		return 0
	}
	return h.cfg.MaxConns + h.spareConns()
}

// limitConns sets the limit of connections. Called with life held.
func (h *Host) limitConns() error {
	c := h.poller.Config()
	h.maxConns = c.MaxConns - h.spareConns()
	if h.maxConns < 1 {
		return &poller.FilesError{Limit: c.MaxConns + c.FDReserve, Need: h.spareConns() + 1 + c.FDReserve}
	}
	return nil
}

// warnFull logs now and then that the limit of connections is reached.
func (h *Host) warnFull() {
	if h.full.Pass() {
		h.cfg.Log.Warn("the limit of connections is reached, new ones get 503", "maxConns", max(h.maxConns, h.cfg.MaxConns))
	}
}

// accept takes a connection of the listeners, on its loop.
func (h *Host) accept(c *poller.Conn) poller.Receiver {
	loop := c.Loop()
	if h.cfg.Session.HealthPath == "" || h.poller.Conns()-h.engine.Spares() <= h.maxConns {
		return h.engine.Accept(c, loop.Index())
	}
	h.warnFull()
	return h.engine.AcceptSpare(c, loop.Index())
}

// fullWith reports whether Config.MaxConns is reached, with that many connections that no event loop watches.
func (h *Host) fullWith(bridged int) bool {
	limit, conns := h.cfg.MaxConns, bridged
	if p, _ := h.Running(); p != nil {
		limit, conns = h.maxConns, conns+p.Conns()
	}
	full := limit > 0 && conns >= limit
	if full {
		h.warnFull()
	}
	return full
}

// MaxConns returns the limit of connections, and the limit of open files that it follows from. It may be called when
// Listen has returned.
func (h *Host) MaxConns() (conns, openFiles int) {
	c := h.poller.Config()
	return h.maxConns, c.MaxConns + c.FDReserve
}
