package pollertest

import (
	"sync"
	"time"

	"github.com/seed58c87869/siren/poller/wheel"
)

const (
	// Resolution is that of the wheel of a fake loop.
	Resolution = time.Millisecond
	// start is the fake time at which a loop begins; not 0, so that a forgotten time shows.
	start = int64(time.Hour)
	// roundsMax bounds RunUntilIdle, for tasks that post themselves for ever.
	roundsMax = 1_000_000
)

// Loop is a fake event loop. It is loop-owned by the test's goroutine except for PostFunc.
type Loop struct {
	index int
	now   int64
	wheel *wheel.Wheel
	depth int

	mu     sync.Mutex
	posted []func() // guarded by mu

	after   []*Conn
	dirty   []*Conn
	remotes []*Remote
	writes  int
}

// NewLoop returns a loop with that number whose clock stands still.
func NewLoop(index int) *Loop {
	return &Loop{index: index, now: start, wheel: wheel.New(Resolution, start)}
}

// Index is the loop's number.
func (l *Loop) Index() int { return l.index }

// Now returns the fake time in nanoseconds.
func (l *Loop) Now() int64 { return l.now }

// Wheel returns the loop's timers; Advance fires them.
func (l *Loop) Wheel() *wheel.Wheel { return l.wheel }

// OnLoop is always true: there is one goroutine.
func (l *Loop) OnLoop() bool { return true }

// PostFunc queues fn for RunUntilIdle or Advance. Safe for concurrent use.
func (l *Loop) PostFunc(fn func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.posted = append(l.posted, fn)
}

// Post queues a task, as PostFunc does. Safe for concurrent use.
func (l *Loop) Post(t interface{ Run(loop int) }) { l.PostFunc(func() { t.Run(l.index) }) }

// TryPost is Post: a fake mailbox is never full. Safe for concurrent use.
func (l *Loop) TryPost(t interface{ Run(loop int) }) bool {
	l.Post(t)
	return true
}

// Full is always false. Safe for concurrent use.
func (l *Loop) Full() bool { return false }

// Posted returns how many functions wait. Safe for concurrent use.
func (l *Loop) Posted() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.posted)
}

// Writes returns how many writes the loop would have made: one per connection and flush.
func (l *Loop) Writes() int { return l.writes }

// Do runs fn as an entry of the loop and then what it caused on this loop's connections. It runs no posted functions.
func (l *Loop) Do(fn func()) {
	l.depth++
	defer func() {
		if l.depth--; l.depth == 0 {
			l.settle()
		}
	}()
	fn()
}

// RunUntilIdle runs posted functions, also those that they post, and returns how many it ran. Time stands still.
func (l *Loop) RunUntilIdle() (ran int) {
	l.Do(func() {})
	for range roundsMax {
		l.mu.Lock()
		batch := l.posted
		l.posted = nil
		l.mu.Unlock()
		if len(batch) == 0 {
			return ran
		}
		for _, fn := range batch {
			l.Do(fn)
			ran++
		}
	}
	return ran
}

// Advance moves the clock by d. It stops at each deadline on the way to fire its timers and to run what they post.
func (l *Loop) Advance(d time.Duration) {
	l.RunUntilIdle()
	end := l.now + int64(d)
	for {
		when, ok := l.wheel.Next()
		if !ok || when > end {
			break
		}
		l.now = max(l.now, when)
		l.Do(func() { l.wheel.Advance(l.now) })
		l.RunUntilIdle()
	}
	l.now = end
	l.Do(func() { l.wheel.Advance(l.now) })
	l.RunUntilIdle()
}

// settle does what the entry has asked for, as poller does between entries: closings, resumes, posts, flushes.
func (l *Loop) settle() {
	l.depth++ // what runs here is not to settle again
	defer func() { l.depth-- }()
	for len(l.after) > 0 || len(l.remotes) > 0 || len(l.dirty) > 0 {
		for i := 0; i < len(l.after); i++ { // grows meanwhile
			c := l.after[i]
			c.flags &^= flagAfter
			c.settle()
		}
		l.after = l.after[:0]
		for _, r := range l.remotes {
			r.send()
		}
		l.remotes = l.remotes[:0]
		dirty := l.dirty
		l.dirty = nil
		for _, c := range dirty {
			c.flags &^= flagDirty
			c.flush()
		}
	}
}
