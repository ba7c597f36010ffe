package pollertest

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/seed58c87869/siren/poller/stream"
	"github.com/seed58c87869/siren/poller/wheel"
)

const (
	// Resolution is the resolution of a fake loop's timer wheel.
	Resolution = time.Millisecond
	// start is the fake time at which a loop begins. It is not 0, so that tests notice a forgotten time.
	start = int64(time.Hour)
	// roundsMax bounds RunUntilIdle in case tasks post themselves for ever.
	roundsMax = 1_000_000
	// batchKeep is the largest capacity of a task list that is kept.
	batchKeep = 1 << 16
)

// task is a posted task. It is an alias, so that package poller and its users have the identical type.
type task = interface{ Run(loop int) }

// plainFunc is a posted function. It is one word long, so that posting it does not allocate.
type plainFunc func()

// Run implements task.
func (f plainFunc) Run(int) { f() }

// Loop is a fake event loop. It is owned by the test's goroutine, except for the Post methods.
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
	// unfinished goes on with the task that runs; nil: it has finished.
	unfinished task
	// left is the number of tasks behind the one that runs, in the batch that was taken out.
	left int
}

// NewLoop returns a loop with that index. Its clock does not move by itself.
func NewLoop(index int) *Loop {
	l := &Loop{index: index, now: start, limits: stream.Limits{
		QueueBytesMax: DefaultQueueBytesMax, RestBytesMax: math.MaxInt, DiscardBytesMax: math.MaxInt,
		WriteTimeout: never, FlushTimeout: never, TurnBytesMax: math.MaxInt, TurnTime: stream.DefaultTurnTime,
	}}
	l.Init(l, &l.limits, wheel.New(Resolution, start), start)
	return l
}

// SetQueueBytesMax sets the limit of the outbound queues of the loop's connections, and of its handles. With a negative
// limit Queue refuses everything, as for a connection that is full or closing.
func (l *Loop) SetQueueBytesMax(n int) { l.limits.QueueBytesMax = n }

// SetTurnTime sets the budget of a turn, which is stream.DefaultTurnTime. The clock of the loop does not move in a
// turn, so the estimates of Spend use it up.
func (l *Loop) SetTurnTime(d time.Duration) { l.limits.TurnTime = d }

// never is a time limit that a test does not reach, so that its peers may stall as long as they want.
const never = time.Duration(math.MaxInt64)

// Index returns the index passed to NewLoop.
func (l *Loop) Index() int { return l.index }

// Clock implements stream.Host.
func (l *Loop) Clock() int64 { return l.now }

// MustOwn implements stream.Host. It does nothing, because the caller drives the loop.
func (l *Loop) MustOwn(string) {}

// Panicked implements stream.Host. It panics again, so that the test fails.
func (l *Loop) Panicked(_ string, v any) { panic(v) }

// Entered implements stream.Host: outside of an entry, it settles the queued frames and endings at once.
func (l *Loop) Entered() {
	if l.depth == 0 {
		l.Do(func() {})
	}
}

// OnLoop returns true, because there is only one goroutine.
func (l *Loop) OnLoop() bool { return true }

// PostFunc queues fn for RunUntilIdle, RunTurn or Advance. Safe for concurrent use.
func (l *Loop) PostFunc(fn func()) { l.Post(plainFunc(fn)) }

// Post queues a task for RunUntilIdle, RunTurn or Advance. Safe for concurrent use.
func (l *Loop) Post(t interface{ Run(loop int) }) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.posted = append(l.posted, t)
}

// Continue makes t go on with the task that runs: it is the next task, in the next turn. See poller.Loop.
func (l *Loop) Continue(t interface{ Run(loop int) }) { l.unfinished = t }

// TryPost is Post and returns true: a fake mailbox is never full. Safe for concurrent use.
func (l *Loop) TryPost(t interface{ Run(loop int) }) bool {
	l.Post(t)
	return true
}

// Full returns false. Safe for concurrent use.
func (l *Loop) Full() bool { return false }

// Idle reports whether everything that was posted so far has run, but for the task that runs now. See poller.Loop.
func (l *Loop) Idle() bool { return l.left == 0 && l.Posted() == 0 }

// Posted returns the number of waiting tasks. Safe for concurrent use.
func (l *Loop) Posted() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.posted)
}

// Writes returns the number of writes of the loop: one per connection and flush.
func (l *Loop) Writes() int { return int(l.Counters.Writes.Load()) }

// Do runs fn as an entry of the loop, and then settles its effects on this loop's connections. The entry is a turn with
// its own budget, unless Do is called from inside Do. Do runs no posted tasks.
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

// RunUntilIdle runs posted tasks, including those that they post, each as a separate entry. It returns the number of
// tasks it ran. Time does not advance.
func (l *Loop) RunUntilIdle() (ran int) {
	l.Do(func() {})
	for range roundsMax {
		batch := l.take()
		if len(batch) == 0 {
			return ran
		}
		for i, t := range batch {
			l.left = len(batch) - 1 - i
			for ; t != nil; t = l.takeUnfinished() {
				l.Do(func() { t.Run(l.index) })
			}
		}
		ran += len(batch)
		l.giveBack(batch)
	}
	return ran
}

// RunTurn runs the tasks posted so far as one entry, as an event loop does in one turn of its mailbox: what they send
// is written together at the end. Tasks that they post wait for the next turn, and so does all that is behind a task
// that goes on (Continue). It returns the number of tasks it ran. Time does not advance.
func (l *Loop) RunTurn() (ran int) {
	batch := l.take()
	l.Do(func() {
		for _, t := range batch {
			ran++
			l.left = len(batch) - ran
			if t.Run(l.index); l.unfinished != nil {
				break
			}
		}
	})
	l.left = 0
	if t := l.takeUnfinished(); t != nil {
		batch[ran-1] = t
		l.putFirst(batch[ran-1:])
	}
	l.giveBack(batch)
	return ran
}

// takeUnfinished returns the task that goes on with the one that ran last, or nil.
func (l *Loop) takeUnfinished() task {
	t := l.unfinished
	l.unfinished = nil
	return t
}

// putFirst queues tasks before those that are posted.
func (l *Loop) putFirst(tasks []task) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.posted = slices.Insert(l.posted, 0, tasks...)
}

// take removes and returns the posted tasks. The caller gives the list back afterwards: simulations post millions.
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

// settle ends an entry: it closes, resumes, posts and flushes until nothing is left to do.
func (l *Loop) settle() {
	l.depth++ // what runs here is not to settle again
	defer func() { l.depth-- }()
	for l.Unsettled() || l.Unsent() || l.Dirty() > 0 {
		l.Settle()
		l.SendRemotes()
		l.FlushSome(math.MaxInt, math.MaxInt64)
	}
}
