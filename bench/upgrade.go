package bench

import "fmt"

// The upgrade of one session, as engine.io-client does it: a WebSocket with
// the session's id is opened while the polling goes on, `2probe` is answered
// with `3probe`, polling is paused, which waits for the request in flight (the
// server releases a parked GET with a noop), and only then `5` is sent. What
// the GET brought is handled before anything from the WebSocket.

// upgrading marks, in upgradeAt, an upgrade that has been started.
const upgrading = -2

// upgradePending reports whether an upgrade is planned or under way.
func (s *subscriber) upgradePending() bool { return s.upgradeAt != noUpgrade }

// startUpgrade opens the WebSocket, once.
func (s *subscriber) startUpgrade() {
	if s.upgradeAt == upgrading {
		return
	}
	s.upgradeAt = upgrading
	probe, err := dialWebSocket(s, s.sid)
	if err != nil {
		s.probeFailed(err)
		return
	}
	s.probe = probe
}

// probeAnswered takes the answer to the probe, the only message that the
// server may send before the upgrade.
func (s *subscriber) probeAnswered(p []byte) error {
	if string(p) != probePong || s.polling.pausing {
		return fmt.Errorf("%w instead of the probe's answer", errPacket)
	}
	s.polling.pause()
	return nil
}

// paused is called when no polling request is in flight any more.
func (s *subscriber) paused() {
	queued := s.polling.queue
	s.polling.close()
	s.probe.probing = false
	s.link, s.probe, s.polling = s.probe, nil, nil
	s.link.send(packetUpgrade)
	for _, packet := range queued {
		s.link.send(packet)
	}
	s.upgradeAt = noUpgrade
	s.w.counts.upgraded++
	s.w.upgrades.finished(s)
	if s.w.tally.counts(windowUpgrades) {
		s.w.tally.deliver(s.started, s.w.clock.now())
	}
	if !s.complete {
		s.w.tally.upgradedInBurst++
	}
}

// probeFailed gives the upgrade up; the session goes on with polling.
func (s *subscriber) probeFailed(err error) {
	if s.phase == phaseEnded || !s.upgradePending() {
		return
	}
	s.probe = nil
	s.upgradeAt = noUpgrade
	s.polling.resume()
	s.w.upgrades.finished(s)
	s.w.counts.upgradeFailed++
	s.w.counts.failure(fmt.Errorf("upgrade: %w", err))
}

// upgradeQueue starts the upgrades that are asked for at once, a bounded number
// at a time; loop-owned, the zero value has nothing to do.
type upgradeQueue struct {
	queue    []*subscriber
	inFlight int
	bound    int
}

// ask queues all sessions that poll.
func (q *upgradeQueue) ask(subs []*subscriber, bound int) (n int) {
	q.bound = bound
	for _, s := range subs {
		if s.phase == phaseReady && s.polling != nil {
			q.queue = append(q.queue, s)
			n++
		}
	}
	return n
}

// start begins those upgrades that the bound allows.
func (q *upgradeQueue) start(now int64) {
	for len(q.queue) > 0 && q.inFlight < q.bound {
		s := q.queue[0]
		q.queue = q.queue[1:]
		if s.phase != phaseReady {
			continue // lost meanwhile, which is counted
		}
		q.inFlight++
		s.started = now
		s.startUpgrade()
	}
}

// finished tells that an upgrade came to its end, good or bad.
func (q *upgradeQueue) finished(*subscriber) {
	if q.inFlight > 0 {
		q.inFlight--
	}
}
