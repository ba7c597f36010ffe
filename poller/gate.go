package poller

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// gateRetry is how often a shut gate looks whether descriptors are free again.
const gateRetry = 20 * time.Millisecond

// gate keeps accept from running out of file descriptors, which the whole process would suffer from. gnet's acceptor cannot be paused, and it
// runs ahead of the loops, where connections over the cap are refused. So when a loop sees a descriptor number that shows
// how few are left, the gate makes the listening sockets drop packets; peers try again, and the queue in front
// of the loops runs empty meanwhile. It works for TCP on Linux; elsewhere FDReserve alone has to suffice.
// It is safe for concurrent use.
type gate struct {
	danger int // descriptor number from which on the gate shuts
	shuts  atomic.Int64
	isShut atomic.Bool
	nudge  func() // makes the acceptor try again

	mu    sync.Mutex
	fds   []int       // guarded by mu: duplicates of the listening sockets; nil after close
	timer *time.Timer // guarded by mu: set while shut
	tried bool        // guarded by mu: accept has failed since the gate was open
}

// add gives the gate a descriptor of a listening socket, which is the gate's from now on.
func (g *gate) add(fd int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fds = append(g.fds, fd)
}

// see looks at the descriptor of a new connection. All lower numbers were taken when it was accepted, and those behind
// it are not more than those before it unless peers connect faster than twice the rate of the loops; the margin in
// danger is for these.
func (g *gate) see(fd int) {
	if fd >= g.danger && !g.isShut.Load() {
		g.shut()
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
	if g.timer != nil || g.fds == nil {
		return
	}
	for _, fd := range g.fds {
		_ = dropIncoming(fd) // a unix socket does not filter
	}
	g.isShut.Store(true)
	g.shuts.Add(1)
	g.timer = time.AfterFunc(gateRetry, g.tryOpen)
}

// tryOpen opens the gate when descriptors are free again.
func (g *gate) tryOpen() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.timer == nil || len(g.fds) == 0 {
		return
	}
	lowest, err := unix.FcntlInt(uintptr(g.fds[0]), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		_ = unix.Close(lowest)
	}
	if err != nil || lowest >= g.danger {
		g.timer.Reset(gateRetry)
		return
	}
	for _, fd := range g.fds {
		_ = allowIncoming(fd)
	}
	g.isShut.Store(false)
	g.timer = nil
	if g.tried {
		g.tried = false
		go g.nudge()
	}
}

// close gives the duplicates back; the port is free when gnet has closed its own.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, fd := range g.fds {
		_ = unix.Close(fd)
	}
	g.fds = nil
	if g.timer != nil {
		g.timer.Stop()
	}
}
