package api

import "time"

// drain is the call drain.
func (a *API) drain(x *exchange) error {
	var timeout, spread *time.Duration
	if x.given.has(fieldTimeout) {
		timeout = &x.timeout
	}
	if x.given.has(fieldSpread) {
		spread = &x.spread
	}
	d, err := a.cfg.Drain(timeout, spread)
	if err != nil {
		return err
	}
	x.count = d.Sessions
	x.out = appendInt(append(x.out, `{"draining":true,"sessions":`...), d.Sessions)
	x.out = appendInt(append(x.out, `,"timeout_ms":`...), int(d.Timeout.Milliseconds()))
	x.out = append(appendInt(append(x.out, `,"spread_ms":`...), int(d.Spread.Milliseconds())), '}')
	return nil
}
