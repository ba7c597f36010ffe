package redis

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed58c87869/siren/room/cluster"
)

// status is the health of an adapter with its counters. Safe for concurrent use.
type status struct {
	log      *slog.Logger
	onHealth func(cluster.Health)

	published, publishedBytes, received, receivedBytes atomic.Uint64
	droppedFull, droppedDown, droppedUnknown           atomic.Uint64
	droppedInvalid, droppedBehind, malformed, outages  atomic.Uint64

	mu     sync.Mutex // guards what follows
	health cluster.Health
	// changed is closed at the next change.
	changed chan struct{}
	// since is when the last outage began, and dropped what had been dropped then.
	since   time.Time
	dropped uint64
}

func newStatus(c *Config) *status {
	return &status{
		log: c.Logger, onHealth: c.OnHealth, changed: make(chan struct{}),
		health: cluster.Health{State: cluster.Connecting, Since: time.Now()}, since: time.Now(),
	}
}

// get returns the health, and a channel that is closed at its next change.
func (s *status) get() (cluster.Health, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.health, s.changed
}

// state returns the state.
func (s *status) state() cluster.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.health.State
}

// set changes the state; one line in the log tells. Only the adapter's keeper calls it, and Close at the end.
func (s *status) set(state cluster.State, err error) {
	now := time.Now()
	s.mu.Lock()
	was := s.health.State
	if was == state || was == cluster.Closed {
		s.mu.Unlock()
		return
	}
	if was == cluster.Up {
		s.since, s.dropped = now, s.drops()
	}
	s.health = cluster.Health{State: state, Since: now, Err: err}
	close(s.changed)
	s.changed = make(chan struct{})
	health, outage, dropped := s.health, now.Sub(s.since), s.drops()-s.dropped
	s.mu.Unlock()
	switch state {
	case cluster.Up:
		s.log.Info("broker is up", "after", outage.Round(time.Millisecond), "dropped", dropped)
	case cluster.Connecting:
		s.log.Warn("connection to the broker was lost", "err", err)
	case cluster.Stalled:
		s.log.Warn("broker does not answer", "err", err)
	case cluster.Down:
		s.log.Error("broker is down", "err", err)
	case cluster.Closed:
		s.log.Info("cluster was left")
	}
	if s.onHealth != nil {
		s.onHealth(health)
	}
}

// drops is the number of messages to other nodes that were dropped.
func (s *status) drops() uint64 {
	return s.droppedFull.Load() + s.droppedDown.Load() + s.droppedUnknown.Load() + s.droppedInvalid.Load()
}

// stats returns the counters.
func (s *status) stats() cluster.Stats {
	return cluster.Stats{
		Published: s.published.Load(), Received: s.received.Load(),
		PublishedBytes: s.publishedBytes.Load(), ReceivedBytes: s.receivedBytes.Load(),
		DroppedFull: s.droppedFull.Load(), DroppedDown: s.droppedDown.Load(), DroppedUnknown: s.droppedUnknown.Load(),
		DroppedInvalid: s.droppedInvalid.Load(), DroppedBehind: s.droppedBehind.Load(),
		Malformed: s.malformed.Load(), Outages: s.outages.Load(),
	}
}
