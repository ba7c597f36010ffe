package host

import "github.com/seed58c87869/siren/session"

// SetCORS replaces Config.Session.CORS for requests that come from now on; open sessions stay. An error changes
// nothing.
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

// SetLimits replaces Config.Session.Limits, for open sessions too. An error changes nothing.
func (h *Host) SetLimits(l session.Limits) error {
	h.life.Lock()
	defer h.life.Unlock()
	check := h.cfg.Session
	check.Limits = l
	if err := session.Check(check); err != nil {
		return err
	}
	h.cfg.Session.Limits = l // for an engine that begins later
	if h.engine != nil {
		return h.engine.SetLimits(l)
	}
	return nil
}

// SetMaxSessions replaces Config.Session.MaxSessions; open sessions stay. An error changes nothing.
func (h *Host) SetMaxSessions(n int) error {
	h.life.Lock()
	defer h.life.Unlock()
	check := h.cfg.Session
	check.MaxSessions = n
	if err := session.Check(check); err != nil {
		return err
	}
	h.cfg.Session.MaxSessions = n
	if h.engine != nil {
		return h.engine.SetMaxSessions(n)
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
