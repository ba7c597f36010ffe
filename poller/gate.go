package poller

import (
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// gateRetry is how often a shut gate checks for free descriptors.
	gateRetry = 20 * time.Millisecond
	// gateRelax is how often an open gate checks whether its queues may be longer again.
	gateRelax = time.Second
)

// gate keeps accept(2) from taking the last file descriptors, which the whole process needs. gnet's acceptor cannot be
// paused, and it runs ahead of the loops, which refuse connections above the limit: everything in the listen queues
// takes a descriptor. The gate has two means.
//
// The fewer descriptors are free, the shorter it makes the listen queues: twice what they hold must be free. Queues are
// longest when few clients are connected, because that is when bursts of connects come.
//
// When a loop sees a descriptor number that shows how few are left, the gate shuts: it makes the listening sockets drop
// packets. Peers try again, and the queue in front of the loops empties meanwhile. This works for TCP on Linux;
// elsewhere FDReserve alone has to be enough. Safe for concurrent use.
type gate struct {
	shutAt int          // the gate shuts at descriptors from this number on
	room   int          // descriptors for connections and for the listen queues
	queues queueLengths // of each listening socket
	conns  func() int   // returns the number of connections
	shuts  atomic.Int64
	isShut atomic.Bool
	nudge  func() // makes the acceptor try again
	warn   func() // logs that the gate has shut; called with mu held
	// shortenAt is the number of connections from which on the queues are too long.
	shortenAt atomic.Int64

	mu     sync.Mutex
	fds    []int       // guarded by mu: duplicates of the listening sockets; nil after close
	queue  int         // guarded by mu: the length of the queues
	timer  *time.Timer // guarded by mu: set while shut, or while the queues are shorter than they may be
	missed bool        // guarded by mu: accept has failed since the gate was open
	closed bool        // guarded by mu
}

// queueLengths holds the bounds of a listen queue. Immutable.
type queueLengths struct{ longest, shortest int }

// open gives the gate its own descriptors of the listening sockets. It is called once, before anything is accepted.
func (g *gate) open(fds []int) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fds = fds
	return g.listen(g.fit(0))
}

// fit returns the length of the queues for that many connections: the longest, halved as often as necessary, so that it
// seldom changes.
func (g *gate) fit(conns int) int {
	q := g.queues.longest
	for q > g.queues.shortest && conns+2*len(g.fds)*q > g.room {
		q /= 2
	}
	return max(q, g.queues.shortest)
}

// listen sets the length of the queues. The caller holds mu.
func (g *gate) listen(length int) (err error) {
	for _, fd := range g.fds {
		if e := unix.Listen(fd, length); e != nil {
			err = e
		}
	}
	g.queue = length
	shortenAt := int64(math.MaxInt64)
	if length > g.queues.shortest {
		shortenAt = int64(g.room - 2*len(g.fds)*length + 1)
	}
	g.shortenAt.Store(shortenAt)
	return err
}

// note takes the descriptor of a new connection, one of conns. All lower numbers were taken when it was accepted. The
// connections accepted after it are no more than those before it, unless peers connect at more than twice the rate of
// the loops; the margin in shutAt is for these.
func (g *gate) note(fd, conns int) {
	switch {
	case fd >= g.shutAt && !g.isShut.Load():
		g.shut()
	case int64(conns) >= g.shortenAt.Load():
		g.shorten(conns)
	}
}

// outOfFiles notes that accept found no free descriptor, and shuts the gate. When it opens again, the acceptor must be
// woken: it waits for a new connection even if there are some in its queue.
func (g *gate) outOfFiles() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.missed = true
	g.shutLocked()
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shutLocked()
}

func (g *gate) shutLocked() {
	if g.closed || g.isShut.Load() {
		return
	}
	for _, fd := range g.fds {
		_ = dropIncoming(fd) // a unix socket does not filter
	}
	g.isShut.Store(true)
	g.shuts.Add(1)
	g.warn()
	g.checkIn(gateRetry)
}

// shorten shortens the queues as that many connections require.
func (g *gate) shorten(conns int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if length := g.fit(conns); length < g.queue && !g.closed {
		_ = g.listen(length)
		if !g.isShut.Load() {
			g.checkIn(gateRelax)
		}
	}
}

// checkIn schedules a check. The caller holds mu.
func (g *gate) checkIn(d time.Duration) {
	if g.timer == nil {
		g.timer = time.AfterFunc(d, g.check)
		return
	}
	g.timer.Reset(d)
}

// check opens the gate if descriptors are free again, and makes the queues longer.
func (g *gate) check() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || len(g.fds) == 0 {
		return
	}
	if g.isShut.Load() && !g.tryOpen() {
		g.checkIn(gateRetry)
		return
	}
	if length := g.fit(g.conns()); length > g.queue {
		_ = g.listen(length)
	}
	if g.queue < g.fit(0) {
		g.checkIn(gateRelax)
	}
}

// tryOpen opens the gate if descriptors are free. The caller holds mu.
func (g *gate) tryOpen() bool {
	lowest, err := unix.FcntlInt(uintptr(g.fds[0]), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		_ = unix.Close(lowest)
	}
	if err != nil || lowest >= g.shutAt {
		return false
	}
	for _, fd := range g.fds {
		_ = allowIncoming(fd)
	}
	g.isShut.Store(false)
	if g.missed {
		g.missed = false
		go g.nudge()
	}
	return true
}

// each calls fn for each listening socket.
func (g *gate) each(fn func(fd int) error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var err error
	for _, fd := range g.fds {
		err = errors.Join(err, fn(fd))
	}
	return err
}

// yield gives the gate's descriptors to the caller, and ends the gate.
func (g *gate) yield() []int {
	g.mu.Lock()
	defer g.mu.Unlock()
	fds := g.fds
	if g.isShut.Load() {
		for _, fd := range fds {
			_ = allowIncoming(fd)
		}
	}
	g.endLocked()
	return fds
}

func (g *gate) endLocked() {
	g.fds, g.closed = nil, true
	if g.timer != nil {
		g.timer.Stop()
	}
}

// close closes the gate's descriptors. The port is free when gnet has closed its own.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, fd := range g.fds {
		_ = unix.Close(fd)
	}
	g.endLocked()
}
