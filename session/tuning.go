package session

import (
	"errors"
	"fmt"
	"time"

	"github.com/seed58c87869/siren/codec/wsframe"
	"github.com/seed58c87869/siren/poller/wheel"
)

// Tuning holds the settings that can differ per session. The names are those of Config. A plain value.
type Tuning struct {
	// PingInterval and PingTimeout are in the open packet, reduced as described at Config. Their precision follows from
	// the shortest time in Config, see Config.Resolution.
	PingInterval, PingTimeout time.Duration
	// MaxPayload is in the open packet. It is at most Config's, because buffers are sized for that.
	MaxPayload int
	// QueueBytes is at most Config's.
	QueueBytes int
	// VolatileBytes and OnFull are as in Config.
	VolatileBytes int
	OnFull        Overflow
}

// tuning is a validated Tuning with derived values. Immutable.
type tuning struct {
	Tuning
	// ws has the limits of a WebSocket, packed those of one that negotiated compression.
	ws, packed wsframe.Limits
	// announced is the PingInterval in the open packet.
	announced time.Duration
	// heartbeat is the longest HeartbeatMax that the session has had.
	heartbeat time.Duration
}

// HeartbeatMax returns the longest possible time between sending the last ping that a client answers and the end of its
// session: the timeout for that pong, and the interval and timeout of the ping that is not answered. Packets sent
// before the answered ping have arrived.
func HeartbeatMax(interval, timeout time.Duration) time.Duration {
	return time.Duration(wheel.Deadline(wheel.Deadline(int64(interval), timeout), timeout))
}

// HeartbeatMax returns the longest HeartbeatMax of the settings that the session has had. Safe for concurrent use.
func (s *Session) HeartbeatMax() time.Duration { return s.tuning().heartbeat }

// tuning returns the session's own settings or, without these, the engine's. Safe for concurrent use.
func (s *Session) tuning() *tuning {
	if t := s.tuned.Load(); t != nil {
		return t
	}
	return &s.shard.engine.tuning
}

// Tuning returns the current settings. Safe for concurrent use.
func (s *Session) Tuning() Tuning { return s.tuning().Tuning }

// tune validates a Tuning and derives the values needed.
func (e *Engine) tune(t Tuning, announced time.Duration) (*tuning, error) {
	cfg := &e.cfg
	switch {
	case t.PingInterval < time.Millisecond || t.PingTimeout < time.Millisecond:
		return nil, fmt.Errorf("session: Tuning.PingInterval = %v and PingTimeout = %v: at least 1ms is needed", t.PingInterval, t.PingTimeout)
	case t.MaxPayload < 1 || t.MaxPayload > cfg.MaxPayload:
		return nil, fmt.Errorf("session: Tuning.MaxPayload = %d: from 1 to Config.MaxPayload = %d is possible", t.MaxPayload, cfg.MaxPayload)
	case t.QueueBytes < 1 || t.QueueBytes > cfg.QueueBytes:
		return nil, fmt.Errorf("session: Tuning.QueueBytes = %d: from 1 to Config.QueueBytes = %d is possible", t.QueueBytes, cfg.QueueBytes)
	case t.VolatileBytes < 0:
		return nil, fmt.Errorf("session: Tuning.VolatileBytes = %d is negative", t.VolatileBytes)
	case t.OnFull > Expendable:
		return nil, fmt.Errorf("session: Tuning.OnFull = %d is no policy", t.OnFull)
	}
	t.PingInterval, _ = announce(t.PingInterval, t.PingTimeout)
	out := &tuning{Tuning: t, ws: e.ws, announced: announced, heartbeat: HeartbeatMax(t.PingInterval, t.PingTimeout)}
	out.ws.MessageBytes = t.MaxPayload
	out.packed = out.ws
	out.packed.AllowRSV1 = true
	return out, nil
}

var (
	errAnnouncedPayload  = errors.New("session: the client was told MaxPayload, which stays")
	errAnnouncedInterval = errors.New("session: PingInterval is longer than the client was told")
)

// Retune changes the settings of an open session. The client is not told: it gives up when no ping has come for the
// PingInterval and PingTimeout of its open packet. So the PingInterval must not exceed the one in the open packet; the
// PingTimeout, which is how long the server waits, may have any value. In protocol 3 the client pings, and keeps to the
// PingInterval that it was told. MaxPayload cannot change. If there is an error, nothing changes. Safe for concurrent
// use; change may be called more than once.
func (s *Session) Retune(change func(t *Tuning)) error {
	for {
		old := s.tuned.Load()
		now := s.tuning()
		t := now.Tuning
		change(&t)
		interval, _ := announce(t.PingInterval, t.PingTimeout)
		switch {
		case t.MaxPayload != now.MaxPayload:
			return errAnnouncedPayload
		case interval > now.announced:
			return fmt.Errorf("%w: %v, not %v", errAnnouncedInterval, now.announced, t.PingInterval)
		}
		next, err := s.shard.engine.tune(t, now.announced)
		if err != nil {
			return err
		}
		next.heartbeat = max(next.heartbeat, now.heartbeat)
		if s.tuned.CompareAndSwap(old, next) {
			s.post(s.advancePing)
			return nil
		}
	}
}

// advancePing moves the next ping forward if the interval has become shorter. It never moves it back, because the
// client counts from the last one.
func (s *Session) advancePing() {
	if s.state != stateOpen || s.awaitPong {
		return
	}
	loop := s.shard.loop
	if due := wheel.Deadline(loop.Now(), s.tuning().PingInterval); due < s.timer.When() {
		loop.Wheel().Schedule(&s.timer, due)
	}
}
