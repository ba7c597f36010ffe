package redis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/seed58c87869/siren/room/cluster"
)

var (
	errNoAnswer = errors.New("redis: the broker has not answered")
	errReplaced = errors.New("redis: the connection does not answer, but another one does")
)

// source is something that a node reads from the broker, besides its subscriptions. Safe for concurrent use.
type source interface {
	// begin fixes where to read from, before the link counts as up.
	begin(ctx context.Context, l *link) error
	// follow reads until the link ends.
	follow(l *link)
}

// keeper keeps a link to the broker: it makes the first, finds out when it does not work, and makes the next. Its
// fields without a word on that are immutable.
type keeper struct {
	cfg     *Config
	options rueidis.ClientOption
	status  *status
	subs    *subscriptions
	// receive gets the messages on the subscribed connection; it must not block.
	receive func(m *rueidis.PubSubMessage)
	// probe is the channel of the node's own messages.
	probe string
	// down is called when messages that wait are to be given up.
	down func()
	// source is what is read from each new link; nil if there is nothing to read.
	source source

	// link is the present link; nil when there is none.
	link atomic.Pointer[link]
	// busySince is when the sender began to wait for the broker, in nanoseconds since 1970; 0 when it does not wait.
	busySince atomic.Int64
	// linked has room for one: there is a link.
	linked chan struct{}
	// ctx ends with the adapter, done is closed when the keeper has ended.
	ctx  context.Context
	done chan struct{}
}

// run keeps the link until ctx ends.
func (k *keeper) run() {
	defer close(k.done)
	var last identity
	pause := k.cfg.RetryMax / retryFirst
	for k.ctx.Err() == nil {
		l, err := k.connect(last)
		if err != nil {
			if k.ctx.Err() != nil {
				return
			}
			k.status.set(cluster.Down, err)
			k.down()
			k.sleep(pause/2 + rand.N(pause/2+1))
			pause = min(2*pause, k.cfg.RetryMax)
			continue
		}
		pause, last = k.cfg.RetryMax/retryFirst, l.self
		k.watch(l)
		k.link.Store(nil)
		k.subs.reset()
		l.fail(errEnded)
		if k.ctx.Err() == nil {
			k.status.outages.Add(1)
			k.status.set(cluster.Connecting, l.err)
		}
	}
}

func (k *keeper) sleep(d time.Duration) {
	select {
	case <-time.After(d):
	case <-k.ctx.Done():
	}
}

// connect makes a link with all subscriptions.
func (k *keeper) connect(last identity) (*link, error) {
	l, err := dial(k.ctx, k.options, func(l *link, m *rueidis.PubSubMessage) { k.receive(m) })
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(k.ctx, k.cfg.ConnectTimeout)
	defer cancel()
	if err = l.evict(ctx, last); err == nil {
		err = k.subs.subscribeAll(ctx, l)
	}
	if err == nil && k.source != nil {
		err = k.source.begin(ctx, l)
	}
	if err != nil {
		l.fail(err)
		return nil, err
	}
	go k.subs.follow(l)
	if k.source != nil {
		go k.source.follow(l)
	}
	k.link.Store(l)
	k.status.set(cluster.Up, nil)
	select {
	case k.linked <- struct{}{}:
	default:
	}
	return l, nil
}

// watchEvery is the part of StallAfter after which the link is looked at again.
const watchEvery = 4

// watch returns when the link is to be replaced, or with ctx.
func (k *keeper) watch(l *link) {
	tick := time.NewTicker(max(k.cfg.StallAfter/watchEvery, time.Millisecond))
	defer tick.Stop()
	w := watcher{keeper: k, link: l, answers: make(chan error, 1), at: time.Now()}
	for {
		select {
		case <-k.ctx.Done():
			return
		case <-l.broken:
			return
		case err := <-w.answers:
			w.attempted(err)
		case now := <-tick.C:
			w.look(now)
		}
	}
}

// watcher finds out whether a link works. It belongs to the keeper's goroutine.
type watcher struct {
	*keeper
	link *link
	// received is what had been received at the time at. probed is when a probe was sent since; zero when none was.
	received   uint64
	at, probed time.Time
	// stalled is when the link ceased to work; zero when it works.
	stalled time.Time
	// trying is set while another connection is tried, working since when one works; answers has the outcomes.
	trying  bool
	working time.Time
	answers chan error
}

// look looks at the link.
func (w *watcher) look(now time.Time) {
	if n := w.link.received.Load(); n != w.received {
		w.received, w.at, w.probed = n, now, time.Time{}
	}
	if w.probed.IsZero() && now.Sub(w.at) >= w.cfg.StallAfter {
		w.probed = now
		l := w.link
		go func() {
			if err := l.client.Do(w.ctx, l.client.B().Publish().Channel(w.probe).Message("").Build()).Error(); err != nil && !isReply(err) {
				l.fail(err)
			}
		}()
	}
	busy := w.busySince.Load()
	if !w.late(now, w.probed) && (busy == 0 || !w.late(now, time.Unix(0, busy))) {
		w.stalled, w.working = time.Time{}, time.Time{}
		w.status.set(cluster.Up, nil)
		return
	}
	if w.stalled.IsZero() {
		w.stalled = now
	}
	w.status.set(cluster.Stalled, fmt.Errorf("%w for %v", errNoAnswer, w.cfg.StallAfter))
	switch {
	case now.Sub(w.stalled) >= w.cfg.DownAfter:
		w.link.fail(errNoAnswer)
	case !w.working.IsZero() && now.Sub(w.working) >= w.cfg.StallAfter/2:
		// The broker has had the time to answer on both connections.
		w.link.fail(errReplaced)
	case !w.trying && w.working.IsZero():
		w.trying = true
		go func() { w.answers <- w.try() }()
	}
}

// late reports whether something has taken too long. The zero time is nothing.
func (w *watcher) late(now, since time.Time) bool {
	return !since.IsZero() && now.Sub(since) >= w.cfg.StallAfter
}

// try reports whether another connection to the broker works.
func (w *watcher) try() error {
	l, err := dial(w.ctx, w.options, func(*link, *rueidis.PubSubMessage) {})
	if err == nil {
		l.fail(errEnded)
	}
	return err
}

// attempted takes the outcome of try.
func (w *watcher) attempted(err error) {
	w.trying = false
	if err == nil && !w.stalled.IsZero() {
		w.working = time.Now()
	}
}
