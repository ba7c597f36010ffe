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
	s.w.counts.upgradeFailed++
	s.w.counts.failure(fmt.Errorf("upgrade: %w", err))
}
