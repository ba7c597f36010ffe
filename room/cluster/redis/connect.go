package redis

import (
	"context"

	"github.com/redis/rueidis"
)

// source is something that a node reads from the broker, besides its subscriptions. Safe for concurrent use.
type source interface {
	// begin fixes where to read from, before the link counts as up.
	begin(ctx context.Context, l *link) error
	// follow reads until the link ends.
	follow(l *link)
}

// connect makes a link with all subscriptions.
func (a *Adapter) connect(ctx context.Context, last *link) (*link, error) {
	l, err := dial(ctx, a.options, a.probe, func(l *link, m *rueidis.PubSubMessage) { a.receive(m) })
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.ConnectTimeout)
	defer cancel()
	if last != nil {
		err = l.evict(ctx, last)
	}
	if err == nil {
		err = a.subs.SubscribeAll(ctx, l)
	}
	if err == nil && a.source != nil {
		err = a.source.begin(ctx, l)
	}
	if err != nil {
		l.Fail(err)
		return nil, err
	}
	return l, nil
}

// follow runs what runs with a link.
func (a *Adapter) follow(l *link) {
	go a.subs.Follow(l)
	if a.source != nil {
		go a.source.follow(l)
	}
}

// try reports whether another connection to the broker works.
func (a *Adapter) try(ctx context.Context) error {
	l, err := dial(ctx, a.options, a.probe, func(*link, *rueidis.PubSubMessage) {})
	if err == nil {
		l.Fail(nil)
	}
	return err
}
