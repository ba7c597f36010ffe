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

// LevelChanged asks Config.Logger again whether it takes debug records: the server asks by itself only when it is made.
// Call it after the level of a logger has changed. Safe for concurrent use.
func (srv *Server) LevelChanged() {
	srv.logs.LevelChanged()
	for _, l := range []logger{srv.log, srv.eio, srv.sio} {
		l.ask()
	}
	srv.host.LevelChanged()
}
