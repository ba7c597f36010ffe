package broker

import (
	"context"
	"errors"
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
	// link is the present link; nil when there is none. confirmed are its channels that are subscribed.
	link      Subscriber[C]
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
	s.link = nil
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
	s.link = l
	clear(s.confirmed)
	s.changes = slices.AppendSeq(s.changes[:0], maps.Keys(s.wanted))
	s.mu.Unlock()
	return s.apply(ctx, l)
}

// Follow subscribes to what is wanted from then on, until the link ends or is not the present one any more.
func (s *Subscriptions[C, R]) Follow(l Subscriber[C]) {
	for {
		select {
		case <-l.Broken():
			return
		case <-s.wake:
		}
		switch err := s.apply(context.Background(), l); {
		case err == errFormer:
			s.signal() // what has woken this link is for the present one
			return
		case err != nil:
			l.Fail(err)
			return
		}
	}
}

// errFormer means that another link has taken the place of the one that changes were to be applied to.
var errFormer = errors.New("cluster: the connection is a former one")

// subscribeMax is how many channels are changed at once.
const subscribeMax = 256

// apply makes the link's subscriptions what is wanted. It returns errFormer when l is not the present link: what is
// wanted, and what is confirmed, then is another one's.
func (s *Subscriptions[C, R]) apply(ctx context.Context, l Subscriber[C]) error {
	for {
		add, remove, err := s.next(l)
		if err != nil || len(add)+len(remove) == 0 {
			return err
		}
		if err := l.Change(ctx, add, remove); err != nil {
			return err
		}
		if err := s.subscribed(l, add); err != nil {
			return err
		}
	}
}

// subscribed notes that channels are subscribed on a link.
func (s *Subscriptions[C, R]) subscribed(l Subscriber[C], add []C) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link != l {
		return errFormer
	}
	for _, c := range add {
		s.confirmed[c] = struct{}{}
	}
	s.confirm()
	return nil
}

// next takes some of the changes and returns what is to be done for them. What is to be removed counts as unsubscribed
// from then on.
func (s *Subscriptions[C, R]) next(l Subscriber[C]) (add, remove []C, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link != l {
		return nil, nil, errFormer
	}
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
	return add, remove, nil
}
