package server

import "fmt"

// SetCORS replaces Config.CORS for requests that come from now on; open sessions stay. Errors name the field that is
// wrong, and change nothing. Safe for concurrent use.
func (srv *Server) SetCORS(c CORS) error {
	if err := srv.host.SetCORS(c); err != nil {
		return fmt.Errorf("server: %w", err)
	}
	return nil
}

// SetLimits replaces Config.Limits at once, for open connections too. Errors name the field that is wrong, and change
// nothing. Safe for concurrent use.
func (srv *Server) SetLimits(l Limits) error {
	if err := srv.host.SetLimits(l); err != nil {
		return fmt.Errorf("server: %w", err)
	}
	return nil
}

// SetMaxSessions replaces Config.MaxSessions; open sessions stay. 0 is the default. Safe for concurrent use.
func (srv *Server) SetMaxSessions(n int) error {
	if err := srv.host.SetMaxSessions(n); err != nil {
		return fmt.Errorf("server: %w", err)
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
	srv.host.LevelChanged()
}
