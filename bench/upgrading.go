package bench

import (
	"context"
	"errors"
	"fmt"
)

// upgrade moves sessions from long-polling to WebSocket, at rest and while
// messages are coming.
func (r *run) upgrade(ctx context.Context) error {
	for i := range r.each() {
		if err := r.upgradeAtRest(ctx, r.counts(i)); err != nil {
			return err
		}
		if err := r.upgradeInTraffic(ctx, r.counts(i)); err != nil {
			return err
		}
		if r.counts(i) {
			r.result.rounds++
		}
		// A floor cannot follow a session from one connection to another. An
		// upgrade is a connection with two answers on it, as a handshake is.
		cfg := r.cfg
		cfg.Transport = TransportWebSocket
		r.handshakeFloor(ctx, cfg, unitUpgrade.at("at rest"), r.counts(i))
	}
	return nil
}

// upgradeAtRest upgrades sessions that get no messages.
func (r *run) upgradeAtRest(ctx context.Context, counted bool) error {
	cfg := r.cfg
	cfg.Transport = TransportPolling
	s, err := r.open(cfg, duty{Park: true})
	if err != nil {
		return err
	}
	defer r.closeStages(s)
	defer s.noteFailures()
	n, err := s.connect(ctx, cfg.Subscribers, 0)
	if err != nil {
		return err
	}
	pause(ctx, settleAfter)
	b, stop := s.measure(ctx, measurement{
		kind: windowUpgrades, watched: watched{phase: "upgrades", unit: "upgrades"}, stall: cfg.Stall, trail: trailAfter,
		start: func(int) error {
			_, _, err := s.tell(order{Do: doUpgrade, InFlight: cfg.InFlight})
			return err
		},
		done: func(p progress) (have, want int) { return p.upgradesSettled(), n },
	})
	if b.latencies == nil {
		return stop
	}
	r.upgradeFaults("at rest", b.upgradesDone, n)
	if counted && !b.Interrupted {
		r.gauges.window(unitUpgrade.at("at rest"), &b, false)
		r.curve(latencyCurve("upgrade latency at rest", b.latencies))
	}
	return errors.Join(stop, s.leave(ctx))
}

// upgradeFaults notes upgrades that did not happen.
func (r *run) upgradeFaults(when string, done, of int) {
	if done != of {
		r.result.problem("%d of %d sessions upgraded %s", done, of, when)
	}
}

// upgradeInTraffic makes three bursts of the same messages: to polling
// sessions, to sessions that upgrade meanwhile, and to the upgraded ones. The
// first and the third say what the messages of the second cost.
func (r *run) upgradeInTraffic(ctx context.Context, counted bool) error {
	cfg := r.cfg
	cfg.Transport = TransportPolling
	if cfg.Gap == 0 {
		cfg.Gap = pollingGap
	}
	s, err := r.open(cfg, duty{Join: true, Park: true})
	if err != nil {
		return err
	}
	defer r.closeStages(s)
	defer s.noteFailures()
	n, err := r.openPublic(ctx, s, cfg.Subscribers, 0)
	if err != nil {
		return err
	}
	pause(ctx, settleAfter)
	var bursts [3]Burst
	for i := range bursts {
		var stop error
		if i == 1 {
			bursts[i], stop = s.upgradingBurst(ctx, n)
			r.upgradeFaults("while messages were coming", bursts[i].upgradesDone, n)
		} else {
			bursts[i], stop, err = s.burst(ctx)
		}
		if stop = errors.Join(err, stop); stop != nil {
			return fmt.Errorf("upgrades with messages: %w", stop)
		}
		r.result.faults("upgrades with messages", &bursts[i])
	}
	if counted {
		r.trafficFigures(bursts)
	}
	return s.leave(ctx)
}

// upgradingBurst returns a burst during which all sessions upgrade, paced so that
// they do so in its first half.
func (s *stage) upgradingBurst(ctx context.Context, n int) (Burst, error) {
	return s.measure(ctx, measurement{
		kind: windowTicks, watched: watched{phase: "upgrades with messages", unit: "messages"}, stall: s.cfg.Stall + s.cfg.Gap, trail: trailAfter,
		start: func(int) error {
			if err := s.publish(); err != nil {
				return err
			}
			_, _, err := s.tell(order{Do: doUpgrade, InFlight: s.cfg.InFlight})
			return err
		},
		done: func(p progress) (have, want int) {
			return p.Complete + p.LostReceivers + p.upgradesSettled(), p.Receivers + n
		},
	})
}

// trafficFigures takes the messages' part out of the cost of the second burst.
func (r *run) trafficFigures(bursts [3]Burst) {
	polling, mixed, socket := &bursts[0], &bursts[1], &bursts[2]
	const name = "with messages: "
	r.gauges.of(name+"upgrades that met a message", "", "").add(float64(mixed.upgradesInBurst))
	if l := mixed.Latency; l != nil {
		r.gauges.of(name+"message latency p99", "us", BetterLower).add(l.P99)
		r.curve(latencyCurve("message latency while upgrading", mixed.latencies))
	}
	if polling.Server == nil || mixed.Server == nil || socket.Server == nil || mixed.upgradesDone == 0 {
		return
	}
	overSocket := float64(mixed.Delivered - mixed.overPolling)
	messages := polling.Server.PerMessage*float64(mixed.overPolling) + socket.Server.PerMessage*overSocket
	total := (mixed.Server.User + mixed.Server.System) * 1e6
	upgrades := total - messages
	if upgrades < 0 {
		// The messages of this burst were cheaper than those of the others.
		r.result.note("the upgrades with messages took less than what the cost of messages varies by: 0 stands for that")
		upgrades = 0
	}
	r.gauges.of(name+"server CPU per upgrade", "us", BetterLower).add(upgrades / float64(mixed.upgradesDone))
	r.gauges.of(name+"server CPU per message over polling", "us", BetterLower).add(polling.Server.PerMessage)
	r.gauges.of(name+"server CPU per message over WebSocket", "us", BetterLower).add(socket.Server.PerMessage)
}
