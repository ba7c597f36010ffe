package host

import "github.com/seed58c87869/siren/session"

// SetCORS replaces Config.Session.CORS for requests that come from now on; open sessions stay. An error changes nothing.
func (h *Host) SetCORS(c session.CORS) error {
	h.life.Lock()
	defer h.life.Unlock()
	check := h.cfg.Session
	check.CORS = c
	if err := session.Check(check); err != nil {
		return err
	}
	h.cfg.Session.CORS = c // for an engine that begins later
	if h.engine != nil {
		return h.engine.SetCORS(c)
	}
	return nil
}

// LevelChanged has the engine ask again whether its log takes debug records.
func (h *Host) LevelChanged() {
	h.life.RLock()
	defer h.life.RUnlock()
	if h.engine != nil {
		h.engine.LevelChanged()
	}
}
