package redis

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/redis/rueidis"
)

// role is what the messages of a channel are. Immutable.
type role uint8

const (
	roleProbe     role = iota // the adapter's own, which find out whether the broker works
	roleBroadcast             // for the sockets
	roleRequest               // for the nodes
	roleResponse              // answers
)

// channelKind is the kind of a subscription. Immutable.
type channelKind uint8

const (
	kindChannel channelKind = iota
	kindPattern
	kindShard
	kindCount
)

// channel is something to subscribe to. Immutable.
type channel struct {
	kind channelKind
	name string
}

// route is where the messages of a channel go. Immutable.
type route struct {
	space *space
	role  role
}

// subscriptions are the channels that this node wants, and those that the broker has confirmed on the present link.
// Safe for concurrent use.
type subscriptions struct {
	mu sync.RWMutex // guards what follows
	// wanted has the channels.
	wanted map[channel]route
	// changes are the channels that became wanted or unwanted and were not looked at since.
	changes []channel
	// confirmed are the channels of the present link that are subscribed.
	confirmed map[channel]struct{}
	// changed is closed when confirmed changes.
	changed chan struct{}
	// wake has room for one: there are changes.
	wake chan struct{}
}

func newSubscriptions() *subscriptions {
	return &subscriptions{
		wanted: map[channel]route{}, confirmed: map[channel]struct{}{}, changed: make(chan struct{}), wake: make(chan struct{}, 1),
	}
}

// want adds channels with their routes.
func (s *subscriptions) want(r map[channel]route) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c, to := range r {
		s.wanted[c] = to
		s.changes = append(s.changes, c)
	}
	s.signal()
}

// drop removes channels.
func (s *subscriptions) drop(all ...channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range all {
		delete(s.wanted, c)
		s.changes = append(s.changes, c)
	}
	s.signal()
}

// dropSpace removes the channels of a namespace.
func (s *subscriptions) dropSpace(sp *space) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c, to := range s.wanted {
		if to.space == sp {
			delete(s.wanted, c)
			s.changes = append(s.changes, c)
		}
	}
	s.signal()
}

// signal wakes the subscriber. Called with the lock held.
func (s *subscriptions) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// find returns the route of a message.
func (s *subscriptions) find(m *rueidis.PubSubMessage) (route, bool) {
	c := channel{kindChannel, m.Channel}
	if m.Pattern != "" {
		c = channel{kindPattern, m.Pattern}
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	to, ok := s.wanted[c]
	if !ok && c.kind == kindChannel { // a message does not tell which of the two kinds it is
		to, ok = s.wanted[channel{kindShard, c.name}]
	}
	return to, ok
}

// isConfirmed reports whether a channel is subscribed, and returns a channel that is closed at the next change.
func (s *subscriptions) isConfirmed(c channel) (bool, <-chan struct{}) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, ok := s.confirmed[c]
	return ok, s.changed
}

// await waits until a channel is subscribed.
func (s *subscriptions) await(ctx context.Context, c channel) error {
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

// reset forgets what is confirmed: there is no link.
func (s *subscriptions) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.confirmed)
	s.confirm()
}

// confirm tells those who wait. Called with the lock held.
func (s *subscriptions) confirm() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// subscribeAll subscribes to everything on a new link. It returns when the broker has confirmed it.
func (s *subscriptions) subscribeAll(ctx context.Context, l *link) error {
	s.mu.Lock()
	clear(s.confirmed)
	s.changes = slices.AppendSeq(s.changes[:0], maps.Keys(s.wanted))
	s.mu.Unlock()
	return s.apply(ctx, l)
}

// follow subscribes to what is wanted from then on, until the link ends.
func (s *subscriptions) follow(l *link) {
	for {
		select {
		case <-l.broken:
			return
		case <-s.wake:
		}
		if err := s.apply(context.Background(), l); err != nil {
			l.fail(err)
			return
		}
	}
}

// subscribeMax is how many channels are in one command.
const subscribeMax = 256

// apply makes the link's subscriptions what is wanted.
func (s *subscriptions) apply(ctx context.Context, l *link) error {
	for {
		add, remove := s.next()
		if len(add)+len(remove) == 0 {
			return nil
		}
		commands := commandsFor(l.sub.B(), add, true)
		commands = append(commands, commandsFor(l.sub.B(), remove, false)...)
		for _, r := range l.sub.DoMulti(ctx, commands...) {
			if err := r.Error(); err != nil {
				return err
			}
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
func (s *subscriptions) next() (add, remove []channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[channel]bool{}
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

// commandsFor returns the commands that subscribe to channels, or end their subscriptions: one for each kind.
func commandsFor(b rueidis.Builder, all []channel, on bool) []rueidis.Completed {
	var names [kindCount][]string
	for _, c := range all {
		names[c.kind] = append(names[c.kind], c.name)
	}
	var out []rueidis.Completed
	if n := names[kindChannel]; len(n) > 0 && on {
		out = append(out, b.Subscribe().Channel(n...).Build())
	} else if len(n) > 0 {
		out = append(out, b.Unsubscribe().Channel(n...).Build())
	}
	if n := names[kindPattern]; len(n) > 0 && on {
		out = append(out, b.Psubscribe().Pattern(n...).Build())
	} else if len(n) > 0 {
		out = append(out, b.Punsubscribe().Pattern(n...).Build())
	}
	if n := names[kindShard]; len(n) > 0 && on {
		out = append(out, b.Ssubscribe().Channel(n...).Build())
	} else if len(n) > 0 {
		out = append(out, b.Sunsubscribe().Channel(n...).Build())
	}
	return out
}
