package poller

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// gateRetry is how often a shut gate looks whether descriptors are free again.
	gateRetry = 20 * time.Millisecond
	// gateRelax is how often an open gate looks whether its queues may be longer again.
	gateRelax = time.Second
)

// gate keeps accept from running out of file descriptors, which the whole process would suffer from. gnet's acceptor
// cannot be paused, and it runs ahead of the loops, where connections over the cap are refused: all that is in the
// listen queues takes descriptors. The gate has two means.
//
// It makes the listen queues shorter, the fewer descriptors are left: twice what they hold must be free. Bursts need
// long queues most when few are connected.
//
// When a loop sees a descriptor number that shows how few are left, the gate shuts: it makes the listening sockets drop
// packets; peers try again, and the queue in front of the loops runs empty meanwhile. This works for TCP on Linux;
// elsewhere FDReserve alone has to suffice. It is safe for concurrent use.
type gate struct {
	danger int          // descriptor number from which on the gate shuts
	room   int          // descriptors for connections and what the listen queues hold
	queues queueLengths // of each listening socket
	conns  func() int   // how many connections there are
	shuts  atomic.Int64
	isShut atomic.Bool
	nudge  func() // makes the acceptor try again
	warn   func() // says that the gate has shut; called with mu held
	// tight is the number of connections from which on the queues are too long.
	tight atomic.Int64

	mu     sync.Mutex
	fds    []int       // guarded by mu: duplicates of the listening sockets; nil after close
	queue  int         // guarded by mu: the length of the queues
	timer  *time.Timer // guarded by mu: set while shut, or while the queues are shorter than they may be
	tried  bool        // guarded by mu: accept has failed since the gate was open
	closed bool        // guarded by mu
}

// queueLengths are the bounds of a listen queue. Immutable.
type queueLengths struct{ longest, shortest int }

// open gives the gate descriptors of the listening sockets, which are the gate's from now on. It is called once, before
// anything is accepted.
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
	tight := int64(math.MaxInt64)
	if length > g.queues.shortest {
		tight = int64(g.room - 2*len(g.fds)*length + 1)
	}
	g.tight.Store(tight)
	return err
}

// see looks at the descriptor of a new connection, which is one of conns. All lower numbers were taken when it was
// accepted, and those behind it are not more than those before it unless peers connect faster than twice the rate of
// the loops; the margin in danger is for these.
func (g *gate) see(fd, conns int) {
	switch {
	case fd >= g.danger && !g.isShut.Load():
		g.shut()
	case int64(conns) >= g.tight.Load():
		g.shorten(conns)
	}
}

// starve notes that accept found no descriptor: the gate shuts, and when it opens the acceptor has to be told, because
// it waits for a new connection even if there are some in its queue.
func (g *gate) starve() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tried = true
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
	g.lookIn(gateRetry)
}

// shorten shortens the queues to fit that many connections.
func (g *gate) shorten(conns int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if length := g.fit(conns); length < g.queue && !g.closed {
		_ = g.listen(length)
		if !g.isShut.Load() {
			g.lookIn(gateRelax)
		}
	}
}

// lookIn schedules look. The caller holds mu.
func (g *gate) lookIn(d time.Duration) {
	if g.timer == nil {
		g.timer = time.AfterFunc(d, g.look)
		return
	}
	g.timer.Reset(d)
}

// look opens the gate when descriptors are free again, and makes the queues longer.
func (g *gate) look() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || len(g.fds) == 0 {
		return
	}
	if g.isShut.Load() && !g.tryOpen() {
		g.lookIn(gateRetry)
		return
	}
	if length := g.fit(g.conns()); length > g.queue {
		_ = g.listen(length)
	}
	if g.queue < g.fit(0) {
		g.lookIn(gateRelax)
	}
}

// tryOpen opens the gate if descriptors are free. The caller holds mu.
func (g *gate) tryOpen() bool {
	lowest, err := unix.FcntlInt(uintptr(g.fds[0]), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		_ = unix.Close(lowest)
	}
	if err != nil || lowest >= g.danger {
		return false
	}
	for _, fd := range g.fds {
		_ = allowIncoming(fd)
	}
	g.isShut.Store(false)
	if g.tried {
		g.tried = false
		go g.nudge()
	}
	return true
}

// close gives the duplicates back; the port is free when gnet has closed its own.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, fd := range g.fds {
		_ = unix.Close(fd)
	}
	g.fds, g.closed = nil, true
	if g.timer != nil {
		g.timer.Stop()
	}
}
