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
	// batchKeep bounds the places for tasks that are kept.
	batchKeep = 1 << 16
)

// task is what is posted. It is an alias, so that package poller and its users have the identical type.
type task = interface{ Run(loop int) }

// plainFunc is a posted function; as it is one word, it is posted without an allocation.
type plainFunc func()

// Run implements task.
func (f plainFunc) Run(int) { f() }

// Loop is a fake event loop. It is loop-owned by the test's goroutine except for the posts.
type Loop struct {
	index int
	now   int64
	wheel *wheel.Wheel
	depth int

	mu     sync.Mutex
	posted []task // guarded by mu
	// batch is the emptied list that posted is swapped with; nil while its tasks run.
	batch []task

	after []*Conn
	dirty []*Conn
	// flushed is the emptied list that dirty is swapped with.
	flushed []*Conn
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

// PostFunc queues fn for RunUntilIdle, RunTurn or Advance. Safe for concurrent use.
func (l *Loop) PostFunc(fn func()) { l.Post(plainFunc(fn)) }

// Post queues a task, as PostFunc does. Safe for concurrent use.
func (l *Loop) Post(t interface{ Run(loop int) }) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.posted = append(l.posted, t)
}

// TryPost is Post: a fake mailbox is never full. Safe for concurrent use.
func (l *Loop) TryPost(t interface{ Run(loop int) }) bool {
	l.Post(t)
	return true
}

// Full is always false. Safe for concurrent use.
func (l *Loop) Full() bool { return false }

// Posted returns how many tasks wait. Safe for concurrent use.
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

// entered makes an entry of a call that came from outside of one.
func (l *Loop) entered() {
	if l.depth == 0 {
		l.Do(func() {})
	}
}

// RunUntilIdle runs posted tasks, also those that they post, each as an entry of its own, and returns how many it ran.
// Time stands still.
func (l *Loop) RunUntilIdle() (ran int) {
	l.Do(func() {})
	for range roundsMax {
		batch := l.take()
		if len(batch) == 0 {
			return ran
		}
		for _, t := range batch {
			l.Do(func() { t.Run(l.index) })
		}
		ran += len(batch)
		l.giveBack(batch)
	}
	return ran
}

// RunTurn runs what is posted now as one entry, as an event loop does in one turn of its mailbox: what it sends leaves
// together at the end. What it posts waits for the next turn. It returns how many tasks it ran. Time stands still.
func (l *Loop) RunTurn() (ran int) {
	batch := l.take()
	l.Do(func() {
		for _, t := range batch {
			t.Run(l.index)
		}
	})
	l.giveBack(batch)
	return len(batch)
}

// take takes out all that is posted. It is to be given back when it was run: simulations post millions.
func (l *Loop) take() []task {
	empty := l.batch
	l.batch = nil
	l.mu.Lock()
	defer l.mu.Unlock()
	batch := l.posted
	l.posted = empty
	return batch
}

func (l *Loop) giveBack(batch []task) {
	if cap(batch) <= batchKeep {
		clear(batch)
		l.batch = batch[:0]
	}
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
		l.dirty, l.flushed = l.flushed, nil
		for _, c := range dirty {
			c.flags &^= flagDirty
			c.flush()
		}
		clear(dirty)
		l.flushed = dirty[:0]
	}
}
