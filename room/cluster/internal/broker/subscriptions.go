package broker

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// Subscriptions are the channels that a node wants, of type C, with what to do with their messages, and those that the
// broker has confirmed on the present link. Safe for concurrent use.
type Subscriptions[C comparable, R any] struct {
	mu sync.RWMutex // guards what follows
	// wanted has the channels.
	wanted map[C]R
	// changes are the channels that became wanted or unwanted and were not looked at since.
	changes []C
	// confirmed are the channels of the present link that are subscribed.
	confirmed map[C]struct{}
	// changed is closed when confirmed changes.
	changed chan struct{}
	// wake has room for one: there are changes.
	wake chan struct{}
}

// NewSubscriptions returns subscriptions without channels.
func NewSubscriptions[C comparable, R any]() *Subscriptions[C, R] {
	return &Subscriptions[C, R]{
		wanted: map[C]R{}, confirmed: map[C]struct{}{}, changed: make(chan struct{}), wake: make(chan struct{}, 1),
	}
}

// Subscriber is a link that subscribes to channels of type C, and returns when the broker has confirmed it.
type Subscriber[C comparable] interface {
	Link
	Change(ctx context.Context, add, remove []C) error
}

// Want adds channels with their routes.
func (s *Subscriptions[C, R]) Want(r map[C]R) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c, to := range r {
		s.wanted[c] = to
		s.changes = append(s.changes, c)
	}
	s.signal()
}

// Drop removes channels.
func (s *Subscriptions[C, R]) Drop(all ...C) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range all {
		delete(s.wanted, c)
		s.changes = append(s.changes, c)
	}
	s.signal()
}

// DropIf removes the channels whose routes ok selects.
func (s *Subscriptions[C, R]) DropIf(ok func(R) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c, to := range s.wanted {
		if ok(to) {
			delete(s.wanted, c)
			s.changes = append(s.changes, c)
		}
	}
	s.signal()
}

// signal wakes the subscriber. Called with the lock held.
func (s *Subscriptions[C, R]) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Find returns the route of the first of the channels that is wanted.
func (s *Subscriptions[C, R]) Find(all ...C) (to R, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, c := range all {
		if to, ok = s.wanted[c]; ok {
			return to, true
		}
	}
	return to, false
}

// isConfirmed reports whether a channel is subscribed, and returns a channel that is closed at the next change.
func (s *Subscriptions[C, R]) isConfirmed(c C) (bool, <-chan struct{}) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, ok := s.confirmed[c]
	return ok, s.changed
}

// Await waits until a channel is subscribed.
func (s *Subscriptions[C, R]) Await(ctx context.Context, c C) error {
	for {
		ok, changed := s.isConfirmed(c)
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Reset forgets what is confirmed: there is no link.
func (s *Subscriptions[C, R]) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.confirmed)
	s.confirm()
}

// confirm tells those who wait. Called with the lock held.
func (s *Subscriptions[C, R]) confirm() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// SubscribeAll subscribes to everything on a new link. It returns when the broker has confirmed it.
func (s *Subscriptions[C, R]) SubscribeAll(ctx context.Context, l Subscriber[C]) error {
	s.mu.Lock()
	clear(s.confirmed)
	s.changes = slices.AppendSeq(s.changes[:0], maps.Keys(s.wanted))
	s.mu.Unlock()
	return s.apply(ctx, l)
}

// Follow subscribes to what is wanted from then on, until the link ends.
func (s *Subscriptions[C, R]) Follow(l Subscriber[C]) {
	for {
		select {
		case <-l.Broken():
			return
		case <-s.wake:
		}
		if err := s.apply(context.Background(), l); err != nil {
			l.Fail(err)
			return
		}
	}
}

// subscribeMax is how many channels are changed at once.
const subscribeMax = 256

// apply makes the link's subscriptions what is wanted.
func (s *Subscriptions[C, R]) apply(ctx context.Context, l Subscriber[C]) error {
	for {
		add, remove := s.next()
		if len(add)+len(remove) == 0 {
			return nil
		}
		if err := l.Change(ctx, add, remove); err != nil {
			return err
		}
		s.mu.Lock()
		for _, c := range add {
			s.confirmed[c] = struct{}{}
		}
		s.confirm()
		s.mu.Unlock()
	}
}

// next takes some of the changes and returns what is to be done for them. What is to be removed counts as unsubscribed
// from then on.
func (s *Subscriptions[C, R]) next() (add, remove []C) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[C]bool{}
	for len(s.changes) > 0 && len(seen) < subscribeMax {
		c := s.changes[0]
		s.changes = s.changes[1:]
		if seen[c] {
			continue
		}
		seen[c] = true
		_, wanted := s.wanted[c]
		switch _, have := s.confirmed[c]; {
		case wanted && !have:
			add = append(add, c)
		case !wanted && have:
			delete(s.confirmed, c)
			remove = append(remove, c)
		}
	}
	return add, remove
}
