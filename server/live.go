package server

import (
	"fmt"

	"github.com/seed58c87869/siren/session"
)

// SetCORS replaces Config.CORS for requests that come from now on; open sessions stay. Errors name the field that is
// wrong, and change nothing. Safe for concurrent use.
func (srv *Server) SetCORS(c CORS) error {
	srv.life.Lock()
	defer srv.life.Unlock()
	check := srv.sessionConfig()
	check.CORS = c
	if err := session.Check(check); err != nil {
		return fmt.Errorf("server: %w", err)
	}
	srv.cfg.CORS = c // for an engine that begins later
	if srv.engine != nil {
		return srv.engine.SetCORS(c)
	}
	return nil
}

// LevelChanged asks Config.Logger again whether it takes debug records: the server asks by itself only when it is made.
// Call it after the level of a logger has changed. Safe for concurrent use.
func (srv *Server) LevelChanged() {
	srv.logs.LevelChanged()
	for _, l := range []logger{srv.log, srv.eio, srv.sio} {
		l.ask()
	}
	srv.life.RLock()
	defer srv.life.RUnlock()
	if srv.engine != nil {
		srv.engine.LevelChanged()
	}
}
