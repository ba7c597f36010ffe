package session

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// runnerIdle is how long a goroutine waits for another inbox, about: long enough for the next events of a busy
	// server, and short enough that an idle one has no goroutines.
	runnerIdle = 50 * time.Millisecond
	// runnersKept bounds the goroutines that wait in one pool. A stack of 8 KiB for each makes 4 MiB for all pools.
	runnersKept = 64
	// runnerPools is the number of pools of Runners, so that loops and goroutines seldom wait for each other's lock.
	runnerPools = 8
)

// Runners keeps goroutines that have run an inbox for the inboxes that have work next. A new goroutine costs more than
// a small event: its stack begins small, and each time that a handler makes it grow it is copied. One that is not
// needed ends after a moment. The zero value is ready to use. Safe for concurrent use.
type Runners struct{ pools [runnerPools]runnerPool }

// runnerPool is some of the goroutines. Safe for concurrent use.
type runnerPool struct {
	mu sync.Mutex
	// idle are those that wait, the latest at the end. The latest one is used first, so that the others can end.
	idle []*runner // guarded by mu
	// low is the smallest number that has waited since trim last looked; so many were not needed.
	low      int  // guarded by mu
	trimming bool // guarded by mu: trim is going to run
	ended    bool // guarded by mu: nobody waits any more

	_ [16]byte // a pool has a cache line of its own
}

// runner is one goroutine of a pool, and work brings it its next inbox.
type runner struct{ work chan inboxRun }

// inboxRun is an inbox that has jobs, and the count of those that run.
type inboxRun struct {
	b       *Inbox
	running *atomic.Int64
}

// start runs an inbox on a goroutine. The inbox is counted already, if there is a count.
func (b *Inbox) start(lim *InboxLimits) {
	next := inboxRun{b, lim.Running}
	if lim.Runners == nil {
		go b.run(next.running)
		return
	}
	lim.Runners.pools[rand.Uint32()%runnerPools].start(next)
}

// End ends the goroutines that wait, and lets no other ones wait. Inboxes may still be started.
func (r *Runners) End() {
	for i := range r.pools {
		p := &r.pools[i]
		p.mu.Lock()
		p.ended, p.low = true, 0
		p.dismiss(len(p.idle))
		p.mu.Unlock()
	}
}

func (p *runnerPool) start(next inboxRun) {
	p.mu.Lock()
	last := len(p.idle) - 1
	if last < 0 {
		p.mu.Unlock()
		go (&runner{work: make(chan inboxRun, 1)}).run(p, next)
		return
	}
	r := p.idle[last]
	p.idle[last] = nil
	p.idle = p.idle[:last]
	p.low = min(p.low, last)
	p.mu.Unlock()
	r.work <- next
}

// run works inboxes off until the pool has no use for the goroutine. A job that ends the goroutine (runtime.Goexit)
// takes it out of the pool.
func (r *runner) run(p *runnerPool, next inboxRun) {
	for ok := true; ok; next, ok = <-r.work {
		next.b.run(next.running)
		if !p.park(r) {
			return
		}
	}
}

// park adds a runner to those that wait; false when there are enough, or at the end.
func (p *runnerPool) park(r *runner) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended || len(p.idle) >= runnersKept {
		return false
	}
	p.idle = append(p.idle, r)
	if !p.trimming {
		p.trimming, p.low = true, len(p.idle)
		time.AfterFunc(runnerIdle, p.trim)
	}
	return true
}

// trim ends the runners that were not needed since it last looked. It looks again as long as any wait.
func (p *runnerPool) trim() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dismiss(p.low)
	p.low, p.trimming = len(p.idle), len(p.idle) > 0
	if p.trimming {
		time.AfterFunc(runnerIdle, p.trim)
	}
}

// dismiss ends the n runners that wait longest. Called with the lock held.
func (p *runnerPool) dismiss(n int) {
	for _, r := range p.idle[:n] {
		close(r.work)
	}
	kept := copy(p.idle, p.idle[n:])
	clear(p.idle[kept:])
	p.idle = p.idle[:kept]
}
