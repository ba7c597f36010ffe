package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/seed58c87869/siren/bench/sequence"
)

// Packets of Engine.IO 4 and Socket.IO 5 that the load profile uses.
const (
	packetPong    = "3"
	packetUpgrade = "5"
	packetConnect = "40"
	packetClose   = "1"
	packetJoin    = `420["join"]`
	packetJoined  = "30[]" // the acknowledgement of packetJoin, without the Engine.IO type
	probePing     = "2probe"
	probePong     = "3probe"
)

// Errors of a session.
var (
	errHandshakeTimeout = errors.New("handshake timed out")
	errPacket           = errors.New("unexpected packet")
	errServerClosed     = errors.New("session closed by the server")
	errRefused          = errors.New("namespace refused")
)

// phase is how far a session got; each waits for one thing.
type phase uint8

const (
	phaseOpening    phase = iota // the open packet
	phaseConnecting              // CONNECT of the namespace
	phaseJoining                 // the acknowledgement of join
	phaseReady                   // ticks
	phaseLeaving                 // the end of what is in flight
	phaseEnded
)

// link is the transport that a session uses at the moment.
type link interface {
	send(packet string)
	sendBytes(packet []byte) // which is not retained
	close()
	// reset cuts the connection off, as a failing network does.
	reset()
	// leave ends the session in a way that the server notices at once.
	leave()
}

// subscriber is one Socket.IO session; loop-owned. The publisher is one too.
type subscriber struct {
	w         *worker
	link      link
	polling   *pollLink // while the session polls
	probe     *wsLink   // while an upgrade is under way
	sid       string
	seq       sequence.Sequence
	player    *player       // nil unless the session plays
	asked     []echoRequest // echoes without an answer, oldest first
	started   int64         // clock time of the dial, or of the upgrade's
	upgradeAt int           // tick number that starts the upgrade, noUpgrade for never
	phase     phase
	slow      bool // stops reading when told to
	publisher bool
	receives  bool // takes part in the present burst
	complete  bool // has every tick of the present burst
}

// noUpgrade is the upgradeAt of sessions that stay on their transport.
const noUpgrade = -1

// start opens the session's connection.
func (s *subscriber) start() {
	now := s.w.clock.now()
	s.w.pending[s] = now + int64(handshakeTimeout)
	if s.started == 0 {
		s.started = now
	}
	var err error
	if s.publisher || s.w.cfg.Transport == TransportWebSocket {
		var l *wsLink
		if l, err = dialWebSocket(s, ""); err == nil {
			s.link = l
		}
	} else {
		var l *pollLink
		if l, err = dialPolling(s); err == nil {
			s.link, s.polling = l, l
		}
	}
	if err != nil {
		s.fail(err)
	}
}

// packet handles one Engine.IO packet. An error ends the session.
func (s *subscriber) packet(p []byte, now int64) error {
	if len(p) == 0 {
		return s.unexpected(p)
	}
	switch p[0] {
	case '4':
		return s.message(p[1:], now)
	case '2':
		s.w.counts.pings++
		s.link.send(packetPong)
	case '6': // noop: it released a GET
	case '1':
		return errServerClosed
	case '0':
		return s.open(p[1:])
	default:
		return s.stray(p)
	}
	return nil
}

// open takes the handshake.
func (s *subscriber) open(p []byte) error {
	var handshake struct {
		SID string `json:"sid"`
	}
	if s.phase != phaseOpening {
		return s.stray(p)
	}
	if err := json.Unmarshal(p, &handshake); err != nil || handshake.SID == "" {
		return s.unexpected(p)
	}
	// A clone: the decoded string may be part of a larger buffer.
	s.sid = strings.Clone(handshake.SID)
	if s.polling != nil {
		s.polling.identified(s.sid)
	}
	s.phase = phaseConnecting
	s.link.send(packetConnect)
	return nil
}

// message handles one Socket.IO packet.
func (s *subscriber) message(p []byte, now int64) error {
	switch {
	case s.unasked(p):
		return nil
	case s.phase == phaseReady && s.player != nil:
		s.w.game.received(s, p, now)
		return nil
	case s.phase == phaseReady && s.publisher && s.w.ticks.answered(p, now):
		return nil
	case s.phase == phaseReady && len(p) > 0 && p[0] == '3' && len(s.asked) > 0:
		s.answered(p, now)
		return nil
	case s.phase == phaseReady:
		s.tick(p, now)
		return nil
	case s.phase == phaseConnecting && bytes.HasPrefix(p, []byte("0{")):
		if s.w.duty.Players > 0 {
			s.w.game.seat(s)
			s.phase = phaseJoining
			s.link.send(`420["enter","` + s.player.room + `"]`)
			return nil
		}
		if s.publisher || !s.w.duty.Join {
			s.ready(now)
			return nil
		}
		s.phase = phaseJoining
		packet, _ := s.w.cfg.Vocabulary.join()
		s.link.send(packet)
		return nil
	case s.phase == phaseConnecting && len(p) > 0 && p[0] == '4':
		return fmt.Errorf("%w: %.80q", errRefused, p[1:])
	case s.phase == phaseJoining && s.hasJoined(p):
		s.ready(now)
		return nil
	default:
		return s.unexpected(p)
	}
}

// awaits words what a session that is not ready waits for.
func (s *subscriber) awaits() string {
	switch s.phase {
	case phaseOpening:
		return "the Engine.IO handshake"
	case phaseConnecting:
		return "the answer of the namespace"
	}
	return "the acknowledgement that it has joined"
}

// unexpected is the error of a packet that is not what the session waits for.
func (s *subscriber) unexpected(p []byte) error {
	return fmt.Errorf("%w: expected %s, got %.60q", errPacket, s.awaits(), p)
}

// late is the error of a session that waits for too long.
func (s *subscriber) late() error {
	return fmt.Errorf("%w: expected %s, got nothing within %v; connect fewer at a time (--in-flight, --connect-rate)",
		errHandshakeTimeout, s.awaits(), handshakeTimeout)
}

// unasked reports whether the packet is an event that the server sends by itself: the number of clients that siren serve
// tells, and whatever comes to sessions that only connect.
func (s *subscriber) unasked(p []byte) bool {
	if !s.w.cfg.Kind.usesEvents() {
		return s.phase == phaseReady && len(p) > 0 && p[0] == '2'
	}
	return s.w.cfg.Vocabulary == VocabularyNode && bytes.HasPrefix(p, []byte(nodeCount))
}

// hasJoined reports whether the packet acknowledges that the session has joined. A floor and a game have the answer of
// the load profile.
func (s *subscriber) hasJoined(p []byte) bool {
	_, joined := s.w.cfg.Vocabulary.join()
	return string(p) == joined
}

// ready ends the handshake.
func (s *subscriber) ready(now int64) {
	s.phase = phaseReady
	s.w.counts.ready++
	if s.w.tally.counts(windowHandshakes) {
		s.w.tally.deliver(s.started, now)
	}
	delete(s.w.pending, s)
}

// tick checks one message of the burst.
func (s *subscriber) tick(p []byte, now int64) {
	w := s.w
	if s.slow {
		s.lateTick(p)
		return
	}
	if !w.tally.counts(windowTicks) {
		w.counts.stray++
		return
	}
	number, sent, ok := w.plan.parse(p)
	if !ok || !s.receives {
		w.tally.malformedPacket(p)
		return
	}
	switch s.seq.Take(number) {
	case sequence.Duplicated:
		w.tally.duplicated++
		return
	case sequence.Reordered:
		w.tally.reordered++
	}
	w.tally.deliver(sent, now)
	if s.polling != nil {
		w.tally.overPolling++
	}
	if s.seq.Complete(w.cfg.Broadcasts) {
		s.complete = true
		w.counts.complete++
	}
	if s.upgradeAt != noUpgrade && number >= s.upgradeAt {
		s.startUpgrade()
	}
}

// stray counts a packet that has no place in a ready session and ends one
// that is not ready yet.
func (s *subscriber) stray(p []byte) error {
	if s.phase != phaseReady {
		return s.unexpected(p)
	}
	s.w.tally.malformedPacket(p)
	return nil
}

// publish asks the server for a burst.
func (s *subscriber) publish() {
	if s.w.cfg.Vocabulary == VocabularyNode {
		s.w.ticks.begin(s, s.w.cfg, s.w.clock.now())
		return
	}
	event := "publish"
	if s.w.cfg.All {
		event = "publish-all"
	}
	s.link.send(fmt.Sprintf(`42["%s",{"n":%d,"size":%d,"gap_us":%d}]`,
		event, s.w.cfg.Broadcasts, s.w.cfg.Size, s.w.cfg.Gap.Microseconds()))
}

// beginBurst prepares the subscriber for ticks and returns whether it is going
// to get any.
func (s *subscriber) beginBurst() bool {
	s.seq = sequence.Sequence{}
	s.complete = false
	s.receives = s.phase == phaseReady && (!s.publisher || s.w.cfg.All) && !s.slow
	return s.receives
}

// fail ends the session and counts it, once.
func (s *subscriber) fail(err error) {
	if s.phase == phaseEnded {
		return
	}
	counts := &s.w.counts
	s.w.game.abandon(s)
	s.w.echo.abandon(s)
	switch {
	case s.phase == phaseLeaving:
		s.w.leaving--
		s.end()
		return
	case s.phase == phaseReady && s.slow:
		counts.slowLost++
	case s.phase == phaseReady:
		counts.lost++
		if s.receives && !s.complete {
			counts.lostReceivers++
		}
	default:
		delete(s.w.pending, s)
		if s.w.retry(s, err) {
			return
		}
		counts.connectFailed++
	}
	if s.upgradePending() {
		counts.upgradeFailed++
		s.w.upgrades.finished(s)
		s.upgradeAt = noUpgrade
	}
	counts.failure(err)
	s.end()
}

// leave ends the session in good order.
func (s *subscriber) leave() {
	if s.phase == phaseEnded || s.phase == phaseLeaving {
		return
	}
	delete(s.w.pending, s)
	s.phase = phaseLeaving
	s.w.leaving++
	if s.link == nil {
		s.left()
		return
	}
	s.link.leave()
}

// left completes a leave.
func (s *subscriber) left() {
	if s.phase == phaseLeaving {
		s.w.leaving--
		s.end()
	}
}

// reset makes an ended session ready to be opened again.
func (s *subscriber) reset() {
	s.end()
	*s = subscriber{w: s.w, upgradeAt: noUpgrade, started: s.started, publisher: s.publisher}
}

// end closes what the session has open.
func (s *subscriber) end() {
	s.phase = phaseEnded
	if s.probe != nil {
		s.probe.close()
	}
	if s.link != nil {
		s.link.close()
	}
}
