package pollertest

import (
	"math"
	"sync"
	"time"

	"github.com/seed58c87869/siren/poller/stream"
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
	stream.Loop
	limits stream.Limits
	index  int
	now    int64
	depth  int

	mu     sync.Mutex
	posted []task // guarded by mu
	// batch is the emptied list that posted is swapped with; nil while its tasks run.
	batch []task
}

// NewLoop returns a loop with that number whose clock stands still.
func NewLoop(index int) *Loop {
	l := &Loop{index: index, now: start, limits: stream.Limits{
		QueueBytesMax: DefaultQueueBytesMax, RestBytesMax: math.MaxInt, DiscardBytesMax: math.MaxInt,
		WriteTimeout: never, FlushTimeout: never, TurnBytesMax: math.MaxInt, TurnTime: stream.DefaultTurnTime,
	}}
	l.Init(l, &l.limits, wheel.New(Resolution, start), start)
	return l
}

// SetQueueBytesMax sets the high mark of the loop's connections, and of its handles of others. A negative one makes Queue
// refuse everything, as that of a connection does whose queue is full, or which is closing.
func (l *Loop) SetQueueBytesMax(n int) { l.limits.QueueBytesMax = n }

// never is a limit of time that a test does not reach: its peers stall as long as it wants.
const never = time.Duration(math.MaxInt64)

// Index returns the number that NewLoop was given.
func (l *Loop) Index() int { return l.index }

// Clock implements stream.Host.
func (l *Loop) Clock() int64 { return l.now }

// MustOwn implements stream.Host: the caller drives the loop.
func (l *Loop) MustOwn(string) {}

// Panicked implements stream.Host: a panic is the test's.
func (l *Loop) Panicked(_ string, v any) { panic(v) }

// Entered implements stream.Host: outside of an entry, what was queued or ended is seen to at once.
func (l *Loop) Entered() {
	if l.depth == 0 {
		l.Do(func() {})
	}
}

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
func (l *Loop) Writes() int { return int(l.Counters.Writes.Load()) }

// Do runs fn as an entry of the loop, a turn with a budget of its own unless Do is on the stack already, and then what it
// caused on this loop's connections. It runs no posted functions.
func (l *Loop) Do(fn func()) {
	if l.depth == 0 {
		l.Renew()
	}
	l.Enter()
	l.depth++
	defer func() {
		if l.depth--; l.depth == 0 {
			l.settle()
		}
	}()
	fn()
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
	end := wheel.Deadline(l.now, d)
	for {
		when, ok := l.Wheel().Next()
		if !ok || when > end {
			break
		}
		l.setNow(max(l.now, when))
		l.Do(func() { l.Expire() })
		l.RunUntilIdle()
	}
	l.setNow(end)
	l.Do(func() { l.Expire() })
	l.RunUntilIdle()
}

// setNow moves the clock.
func (l *Loop) setNow(now int64) {
	l.now = now
	l.SetNow(now)
}

// settle is the end of an entry: it closes, resumes, posts and flushes until nothing is left of it.
func (l *Loop) settle() {
	l.depth++ // what runs here is not to settle again
	defer func() { l.depth-- }()
	for l.Unsettled() || l.Unsent() || l.Dirty() > 0 {
		l.Settle()
		l.SendRemotes()
		l.FlushSome(math.MaxInt, math.MaxInt64)
	}
}
