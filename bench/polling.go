package bench

import (
	"context"
	"time"
)

// pollingGap is the default gap of broadcasts to polling sessions. It is so long that each message gets a response of
// its own.
const pollingGap = 20 * time.Millisecond

// polling measures the cost of sessions that cannot use a WebSocket.
func (r *run) polling(ctx context.Context) error {
	cfg := r.cfg
	cfg.Transport = TransportPolling
	cfg.Concurrency = min(cfg.Concurrency, cfg.Subscribers)
	if err := r.connectRounds(ctx, cfg, unitHandshake.at("polling"), false); err != nil {
		return err
	}
	paced := cfg
	if paced.Gap == 0 {
		paced.Gap = pollingGap
	}
	if err := r.fanoutAttempt(ctx, paced, unitMessage.at("broadcast"), r.rounds(), false); err != nil {
		return err
	}
	return r.echoRounds(ctx, cfg, unitTrip.at("POST"), true)
}
