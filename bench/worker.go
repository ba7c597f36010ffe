package bench

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"time"
)

const (
	// readBufferSize bounds one read; larger bursts take several events.
	readBufferSize = 256 << 10
	// handshakeTimeout is the time from the start of a connection until its
	// subscriber is ready.
	handshakeTimeout = 30 * time.Second
	// idleWait bounds a wait when no timer is due.
	idleWait = time.Second
	// expiryEvery is how often handshakes are checked for their timeout.
	expiryEvery = 500 * time.Millisecond
)

// worker is one client loop with its subscribers. All of it is loop-owned but
// the mailbox (post, call), the published progress and done, which are safe
// for concurrent use.
type worker struct {
	// Immutable.
	cfg     Config
	target  target
	clock   clock
	plan    *tickPlan
	duty    duty
	notify  func() // tells the coordinator that a phase settled; must not block
	done    chan struct{}
	poll    *epoll
	random  *rand.Rand
	sources sources

	// Connections.
	buffer  []byte // of one read
	packet  []byte // of one outgoing packet, before it is masked
	scratch []byte // of one outgoing frame
	table   []*conn
	lastID  int32

	// Subscribers.
	subs     []*subscriber
	dials    dialQueue
	pending  map[*subscriber]int64 // unfinished handshakes and their deadline
	expiryAt int64
	echo     echoLoad
	game     gameLoad
	ticks    tickLoad
	upgrades upgradeQueue
	retries  retryQueue
	leaving  int // sessions that say good-bye
	counts   counts
	tally    tally
	blocked  time.Duration // in epoll_wait with nothing ready, since the start
	stopping bool

	mailbox struct {
		sync.Mutex
		mail   []func()
		closed bool
	}
	shared struct {
		sync.Mutex
		progress progress
	}
}

// newWorker creates a worker; start runs it.
func newWorker(cfg Config, d duty, t target, c clock, plan *tickPlan, notify func()) (*worker, error) {
	poll, err := newEpoll()
	if err != nil {
		return nil, err
	}
	return &worker{
		cfg: cfg, duty: d, target: t, clock: c, plan: plan, notify: notify,
		done:    make(chan struct{}),
		poll:    poll,
		random:  rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
		sources: newSources(t, cfg.loops()),
		buffer:  make([]byte, readBufferSize),
		pending: make(map[*subscriber]int64),
		retries: retryQueue{enabled: cfg.Retry},
		counts:  counts{failures: make(map[string]int)},
		tally:   newTally(),
	}, nil
}

// start runs the loop in a goroutine of its own; done is closed at its end.
func (w *worker) start() { go w.run() }

// run is the loop.
func (w *worker) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(w.done)
	defer w.shut()
	for !w.stopping {
		events, blocked, err := w.poll.wait(w.clock, w.waitLimit())
		begin := w.clock.now()
		w.blocked += blocked
		if err != nil {
			// Nothing can be received any more: every subscriber is lost.
			w.abandon(err)
			return
		}
		for i := range events {
			w.dispatch(&events[i])
		}
		w.runMail()
		now := w.clock.now()
		w.retries.release(&w.dials, now)
		w.startDials()
		w.upgrades.start(now)
		w.echo.pace(now)
		w.game.pace(now)
		w.ticks.pace(w)
		w.expire()
		w.publishProgress(begin)
	}
}

// dispatch hands one event to its connection, if that is still the same one.
func (w *worker) dispatch(ev *event) {
	if ev.Pad == wakeID {
		w.poll.drainWake()
		return
	}
	if fd := int(ev.Fd); fd < len(w.table) {
		if c := w.table[fd]; c != nil && c.id == ev.Pad {
			c.ready(ev.Events)
		}
	}
}

// attach makes a connection known under its descriptor.
func (w *worker) attach(c *conn) {
	for len(w.table) <= c.fd {
		w.table = append(w.table, nil)
	}
	w.table[c.fd] = c
}

// detach forgets a connection.
func (w *worker) detach(c *conn) { w.table[c.fd] = nil }

// post queues fn for the loop. It is safe for concurrent use and returns false
// when the worker has ended.
func (w *worker) post(fn func()) bool {
	w.mailbox.Lock()
	defer w.mailbox.Unlock()
	if w.mailbox.closed {
		return false
	}
	w.mailbox.mail = append(w.mailbox.mail, fn)
	w.poll.wake() // under the lock: the descriptor is closed under it too
	return true
}

// call runs fn on the loop and waits for it; safe for concurrent use. On a
// worker that has ended it runs fn in place, as nobody else touches the state.
func (w *worker) call(fn func()) {
	ran := make(chan struct{})
	if w.post(func() { fn(); close(ran) }) {
		<-ran
		return
	}
	<-w.done
	fn()
}

// runMail runs what was posted so far.
func (w *worker) runMail() {
	w.mailbox.Lock()
	mail := w.mailbox.mail
	w.mailbox.mail = nil
	w.mailbox.Unlock()
	for _, fn := range mail {
		fn()
	}
}

// stop ends the loop and waits until all is released.
func (w *worker) stop() {
	w.post(func() { w.stopping = true })
	<-w.done
}

// shut closes what the loop holds, and then runs the mail that came too late.
func (w *worker) shut() {
	for _, c := range w.table {
		if c != nil {
			c.close()
		}
	}
	w.mailbox.Lock()
	w.mailbox.closed = true
	mail := w.mailbox.mail
	w.mailbox.mail = nil
	_ = w.poll.close()
	w.mailbox.Unlock()
	for _, fn := range mail {
		fn()
	}
}

// abandon fails every subscriber after an error of the loop itself.
func (w *worker) abandon(err error) {
	for _, s := range w.subs {
		s.fail(err)
	}
	w.dials.queue = nil
	w.publishProgress(w.clock.now())
}

// waitLimit returns the time until the next timer.
func (w *worker) waitLimit() time.Duration {
	now := w.clock.now()
	limit := idleWait
	if len(w.pending) > 0 {
		limit = min(limit, expiryEvery)
	}
	if due, ok := w.dials.due(now, len(w.pending)); ok {
		limit = min(limit, due)
	}
	if due, ok := w.echo.due(now); ok {
		limit = min(limit, due)
	}
	if due, ok := w.game.due(now); ok {
		limit = min(limit, due)
	}
	if due, ok := w.ticks.due(now); ok {
		limit = min(limit, due)
	}
	if due, ok := w.retries.due(now); ok {
		limit = min(limit, due)
	}
	return limit
}

// expire fails handshakes that take too long.
func (w *worker) expire() {
	now := w.clock.now()
	if len(w.pending) == 0 || now < w.expiryAt {
		return
	}
	w.expiryAt = now + int64(expiryEvery)
	for s, deadline := range w.pending {
		if now >= deadline {
			s.fail(s.late())
		}
	}
}
