package broker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/seed58c87869/siren/room/cluster"
)

var (
	// ErrEnded is the error of a link that ended without another reason.
	ErrEnded    = errors.New("cluster: the connection has ended")
	errNoAnswer = errors.New("cluster: the broker has not answered")
	errReplaced = errors.New("cluster: the connection does not answer, but another one does")
)

// Link is a connection to the broker, or a few that belong together. It is never repaired: when something fails, the
// next link takes its place. Safe for concurrent use.
type Link interface {
	// Broken returns a channel that is closed when the link has ended, and Err the reason, afterwards.
	Broken() <-chan struct{}
	Err() error
	// Fail ends the link: its connections end at once, and so does whatever waits for them. It does not block.
	Fail(err error)
	// Received counts what came from the broker.
	Received() uint64
	// Probe makes the broker send something, so that Received grows. It may block.
	Probe()
	// BusySince is when the sender began to wait for the broker, in nanoseconds since 1970; 0 while it does not wait.
	BusySince() int64
}

// Times are the times of a Keeper. Immutable.
type Times struct {
	// StallAfter is how long the broker may take for an answer before it counts as stalled, DownAfter how long it may
	// be stalled before it counts as down, RetryMax the longest pause between attempts to connect.
	StallAfter, DownAfter, RetryMax time.Duration
}

// Duties are what an adapter does for its Keeper. Immutable.
type Duties[L Link] struct {
	Times  Times
	Status *Status
	// Connect makes a link that has all subscriptions; last is the one before, or the zero value.
	Connect func(ctx context.Context, last L) (L, error)
	// Try reports whether another connection to the broker works.
	Try func(ctx context.Context) error
	// Follow is called once the link is there, for what runs with it. It does not block.
	Follow func(l L)
	// Lost is called when the link has ended, Down when messages that wait are to be given up.
	Lost, Down func()
}

// Keeper keeps a link to the broker: it makes the first, finds out when it does not work, and makes the next. Safe for
// concurrent use.
type Keeper[L Link] struct {
	Duties[L]
	// link is the present link; nil when there is none.
	link atomic.Pointer[L]
	// linked has room for one: there is a link.
	linked chan struct{}
	// done is closed when the keeper has ended.
	done chan struct{}
}

// NewKeeper returns a keeper, which does nothing before Run.
func NewKeeper[L Link](d Duties[L]) *Keeper[L] {
	return &Keeper[L]{Duties: d, linked: make(chan struct{}, 1), done: make(chan struct{})}
}

// Link returns the present link; the zero value when there is none.
func (k *Keeper[L]) Link() (l L) {
	if p := k.link.Load(); p != nil {
		l = *p
	}
	return l
}

// Linked returns a channel that one receives from when there is a link. It is for one goroutine.
func (k *Keeper[L]) Linked() <-chan struct{} { return k.linked }

// Done returns a channel that is closed when Run has returned.
func (k *Keeper[L]) Done() <-chan struct{} { return k.done }

// retryFirst is the part of RetryMax after which the second attempt is made.
const retryFirst = 16

// Run keeps the link until ctx ends.
func (k *Keeper[L]) Run(ctx context.Context) {
	defer close(k.done)
	var last L
	pause := k.Times.RetryMax / retryFirst
	for ctx.Err() == nil {
		l, err := k.Connect(ctx, last)
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			k.Status.Set(cluster.Down, err)
			k.Down()
			Sleep(ctx, pause/2+rand.N(pause/2+1))
			pause = min(2*pause, k.Times.RetryMax)
			continue
		}
		pause, last = k.Times.RetryMax/retryFirst, l
		k.begin(l)
		k.watch(ctx, l)
		k.link.Store(nil)
		k.Lost()
		l.Fail(ErrEnded)
		if ctx.Err() == nil {
			k.Status.Outages.Add(1)
			k.Status.Set(cluster.Connecting, l.Err())
		}
	}
}

// begin makes a link the present one.
func (k *Keeper[L]) begin(l L) {
	k.Follow(l)
	k.link.Store(&l)
	k.Status.Set(cluster.Up, nil)
	select {
	case k.linked <- struct{}{}:
	default:
	}
}

// Sleep waits, until ctx ends.
func Sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// watchEvery is the part of StallAfter after which the link is looked at again.
const watchEvery = 4

// watch returns when the link is to be replaced, or with ctx.
func (k *Keeper[L]) watch(ctx context.Context, l L) {
	tick := time.NewTicker(max(k.Times.StallAfter/watchEvery, time.Millisecond))
	defer tick.Stop()
	w := watcher[L]{Keeper: k, link: l, ctx: ctx, answers: make(chan error, 1), at: time.Now()}
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.Broken():
			return
		case err := <-w.answers:
			w.attempted(err)
		case now := <-tick.C:
			w.look(now)
		}
	}
}

// watcher finds out whether a link works. It belongs to the keeper's goroutine.
type watcher[L Link] struct {
	*Keeper[L]
	link L
	ctx  context.Context
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
func (w *watcher[L]) look(now time.Time) {
	if n := w.link.Received(); n != w.received {
		w.received, w.at, w.probed = n, now, time.Time{}
	}
	if w.probed.IsZero() && now.Sub(w.at) >= w.Times.StallAfter {
		w.probed = now
		go w.link.Probe()
	}
	busy := w.link.BusySince()
	if !w.late(now, w.probed) && (busy == 0 || !w.late(now, time.Unix(0, busy))) {
		w.stalled, w.working = time.Time{}, time.Time{}
		w.Status.Set(cluster.Up, nil)
		return
	}
	if w.stalled.IsZero() {
		w.stalled = now
	}
	w.Status.Set(cluster.Stalled, fmt.Errorf("%w for %v", errNoAnswer, w.Times.StallAfter))
	switch {
	case now.Sub(w.stalled) >= w.Times.DownAfter:
		w.link.Fail(errNoAnswer)
	case !w.working.IsZero() && now.Sub(w.working) >= w.Times.StallAfter/2:
		// The broker has had the time to answer on both connections.
		w.link.Fail(errReplaced)
	case !w.trying && w.working.IsZero():
		w.trying = true
		go func() { w.answers <- w.Try(w.ctx) }()
	}
}

// late reports whether something has taken too long. The zero time is nothing.
func (w *watcher[L]) late(now, since time.Time) bool {
	return !since.IsZero() && now.Sub(since) >= w.Times.StallAfter
}

// attempted takes the outcome of Try.
func (w *watcher[L]) attempted(err error) {
	w.trying = false
	if err == nil && !w.stalled.IsZero() {
		w.working = time.Now()
	}
}
