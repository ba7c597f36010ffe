package broker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed58c87869/siren/room/cluster"
)

// Status is the health of an adapter with its counters. Safe for concurrent use.
type Status struct {
	log      *slog.Logger
	onHealth func(cluster.Health)

	// The counters are those of cluster.Stats.
	Published, PublishedBytes, Received, ReceivedBytes atomic.Uint64
	DroppedFull, DroppedDown, DroppedUnknown           atomic.Uint64
	DroppedInvalid, DroppedBehind, Malformed, Outages  atomic.Uint64

	mu     sync.Mutex // guards what follows
	health cluster.Health
	// changed is closed at the next change.
	changed chan struct{}
	// since is when the last outage began, and dropped what had been dropped then.
	since   time.Time
	dropped uint64
}

// NewStatus returns the status of an adapter that begins to connect. onHealth may be nil.
func NewStatus(log *slog.Logger, onHealth func(cluster.Health)) *Status {
	return &Status{
		log: log, onHealth: onHealth, changed: make(chan struct{}),
		health: cluster.Health{State: cluster.Connecting, Since: time.Now()}, since: time.Now(),
	}
}

// Get returns the health, and a channel that is closed at its next change.
func (s *Status) Get() (cluster.Health, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.health, s.changed
}

// State returns the state.
func (s *Status) State() cluster.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.health.State
}

// Set changes the state; one line in the log tells. Only the adapter's keeper calls it, and Close at the end.
func (s *Status) Set(state cluster.State, err error) {
	now := time.Now()
	s.mu.Lock()
	was := s.health.State
	if was == state || was == cluster.Closed {
		s.mu.Unlock()
		return
	}
	if was == cluster.Up {
		s.since, s.dropped = now, s.Drops()
	}
	s.health = cluster.Health{State: state, Since: now, Err: err}
	close(s.changed)
	s.changed = make(chan struct{})
	health, outage, dropped := s.health, now.Sub(s.since), s.Drops()-s.dropped
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

// Drops is the number of messages to other nodes that were dropped.
func (s *Status) Drops() uint64 {
	return s.DroppedFull.Load() + s.DroppedDown.Load() + s.DroppedUnknown.Load() + s.DroppedInvalid.Load()
}

// Stats returns the counters.
func (s *Status) Stats() cluster.Stats {
	return cluster.Stats{
		Published: s.Published.Load(), Received: s.Received.Load(),
		PublishedBytes: s.PublishedBytes.Load(), ReceivedBytes: s.ReceivedBytes.Load(),
		DroppedFull: s.DroppedFull.Load(), DroppedDown: s.DroppedDown.Load(), DroppedUnknown: s.DroppedUnknown.Load(),
		DroppedInvalid: s.DroppedInvalid.Load(), DroppedBehind: s.DroppedBehind.Load(),
		Malformed: s.Malformed.Load(), Outages: s.Outages.Load(),
	}
}

// AwaitUp waits until the broker is up, until ctx ends, or until the adapter is closed.
func (s *Status) AwaitUp(ctx context.Context) error {
	for {
		h, changed := s.Get()
		switch h.State {
		case cluster.Up:
			return nil
		case cluster.Closed:
			return cluster.ErrClosed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// WhileUp returns a context that ends when the broker is stalled or down; it has ended already if it is.
func (s *Status) WhileUp(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	out, cancel := context.WithCancelCause(ctx)
	h, changed := s.Get()
	if err := away(h); err != nil {
		cancel(err)
		return out, cancel
	}
	go func() {
		for {
			select {
			case <-changed:
			case <-out.Done():
				return
			}
			if h, changed = s.Get(); away(h) != nil {
				cancel(away(h))
				return
			}
		}
	}()
	return out, cancel
}

// away returns why no node can be reached, or nil.
func away(h cluster.Health) error {
	switch h.State {
	case cluster.Stalled, cluster.Down:
		return fmt.Errorf("%w: %w", cluster.ErrDown, h.Err)
	case cluster.Closed:
		return cluster.ErrClosed
	}
	return nil
}
