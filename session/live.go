package session

import (
	"context"
	"log/slog"
)

// SetCORS replaces Config.CORS for requests that come from now on; open sessions stay. The error is that of Check, and
// changes nothing. Safe for concurrent use.
func (e *Engine) SetCORS(c CORS) error {
	if err := c.validate(); err != nil {
		return err
	}
	e.cors.Store(c.table())
	return nil
}

// LevelChanged asks Config.Logger again whether it takes debug records. Safe for concurrent use.
func (e *Engine) LevelChanged() {
	e.debug.Store(e.cfg.Logger != nil && e.cfg.Logger.Enabled(context.Background(), slog.LevelDebug))
}
