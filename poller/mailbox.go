package poller

import (
	"sync"
	"sync/atomic"
)

// mailboxKeep is the largest capacity of a task slice that is kept when the mailbox is empty.
const mailboxKeep = 1 << 13

// Task is a message to a loop. Run is called on that loop, with the loop's index, and must not block. Task is an alias
// of an interface literal, so that other packages can declare the identical type without importing this package.
type Task = interface{ Run(loop int) }

// plainFunc is the Task of PostFunc.
type plainFunc func()

func (f plainFunc) Run(int) { f() }

// mailbox is the queue of tasks of a loop. put, schedule and waiting are safe for concurrent use; the other methods are
// the loop's.
type mailbox struct {
	mu        sync.Mutex
	in        []Task // guarded by mu
	scheduled bool   // guarded by mu: a turn is requested or running, so put need not wake the loop
	closed    bool   // guarded by mu: the engine has ended
	taken     int    // guarded by mu: tasks left in run, as of the end of the latest turn

	// rung is set when a deadline has passed since the latest turn looked at its timers. settle then reports true.
	rung atomic.Bool

	run  []Task // loop-owned: the batch that was taken out last
	head int    // loop-owned: the index of the next task in run

	unfinished bool // loop-owned: the task that ran last goes on, which the turn has not noticed yet
}

type putResult uint8

const (
	putQuiet  putResult = iota // queued, and a turn is requested already
	putWake                    // queued, and the caller must wake the loop
	putFull                    // not queued
	putClosed                  // not queued
)

// put queues t unless the mailbox is closed or holds limit tasks. A limit of 0 means none.
func (m *mailbox) put(t Task, limit int) putResult {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed:
		return putClosed
	case limit > 0 && len(m.in)+m.taken >= limit:
		return putFull
	}
	m.in = append(m.in, t)
	return m.scheduleLocked()
}

// schedule requests a turn without a task.
func (m *mailbox) schedule() putResult {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return putClosed
	}
	return m.scheduleLocked()
}

func (m *mailbox) scheduleLocked() putResult {
	if m.scheduled {
		return putQuiet
	}
	m.scheduled = true
	return putWake
}

// next returns the next task, or nil when none waits. The loop must call it until it returns nil, or call settle.
func (m *mailbox) next() Task {
	if m.batchDone() && !m.swap() {
		return nil
	}
	t := m.run[m.head]
	m.run[m.head] = nil
	m.head++
	return t
}

// batchDone reports whether all tasks of the batch that was taken out last have run. Those that were posted meanwhile
// may wait.
func (m *mailbox) batchDone() bool { return m.head == len(m.run) }

// putBack makes t the next task, in the place of the one that runs.
func (m *mailbox) putBack(t Task) {
	m.head--
	m.run[m.head] = t
	m.unfinished = true
}

// takeUnfinished reports whether the task that ran last was put back.
func (m *mailbox) takeUnfinished() bool {
	was := m.unfinished
	m.unfinished = false
	return was
}

// swap takes out all queued tasks; the emptied batch becomes the queue. It returns false if there are none.
func (m *mailbox) swap() bool {
	empty := m.run[:0]
	if cap(empty) > mailboxKeep {
		empty = nil
	}
	m.head = 0
	m.mu.Lock()
	defer m.mu.Unlock()
	m.taken = 0
	if len(m.in) == 0 {
		m.run = empty
		return false
	}
	m.run, m.in = m.in, empty
	m.taken = len(m.run)
	return true
}

// settle ends a turn. It returns true when tasks are left, or a deadline has passed, or the loop has other work (busy);
// the caller must then request a turn. Otherwise the next put wakes the loop.
func (m *mailbox) settle(busy bool) (more bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.taken = len(m.run) - m.head
	if m.taken > 0 || len(m.in) > 0 || busy || m.rung.Load() {
		return true
	}
	m.scheduled = false
	return false
}

// claim makes posts wait for a turn that is not requested yet, until settle. It returns false, and does nothing, if one
// is requested. Loop-only.
func (m *mailbox) claim() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.scheduled || m.closed {
		return false
	}
	m.scheduled = true
	return true
}

// close makes further puts fail. Without force, it does nothing and returns false when tasks are left.
func (m *mailbox) close(force bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !force && (len(m.in) > 0 || m.head < len(m.run)) {
		return false
	}
	m.closed = true
	return true
}

// idle reports whether no task waits. Loop-only.
func (m *mailbox) idle() bool {
	if !m.batchDone() {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.in) == 0
}

// waiting returns the number of tasks not run yet, as of the latest turn.
func (m *mailbox) waiting() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.in) + m.taken
}

// Post queues t after everything that this goroutine has posted to the loop before. It always accepts t, because it is
// meant for control messages; after the end of the engine the task is dropped and counted. Safe for concurrent use.
func (l *Loop) Post(t Task) { l.post(t, 0) }

// TryPost is Post for user traffic: it returns false, and queues nothing, if the mailbox holds Config.MailboxMax tasks
// or the engine has ended. Safe for concurrent use.
func (l *Loop) TryPost(t Task) bool { return l.post(t, l.engine.config.MailboxMax) }

// Full reports whether TryPost would refuse now. To post one message to several loops, check Full on all of them and
// then use Post: slightly exceeding MailboxMax is better than delivering a message to some loops only. Safe for
// concurrent use.
func (l *Loop) Full() bool { return l.mailbox.waiting() >= l.engine.config.MailboxMax }

// Idle reports whether everything that was posted so far has run, but for the task that runs now. What the loop does at
// once comes in the same order then as what it would post.
func (l *Loop) Idle() bool { return l.mailbox.idle() }

// Continue is for a task whose turn is over (Spend) before its work is done: t goes on with it. t is run next, before
// all tasks that are posted, but in a later turn, so that sockets, timers and flushes come in between. Call it at most
// once in Run of a task that was posted.
func (l *Loop) Continue(t Task) {
	if asserting {
		l.mustOwn("Loop.Continue")
	}
	l.mailbox.putBack(t)
}

// PostFunc is Post for a plain function. Safe for concurrent use.
func (l *Loop) PostFunc(fn func()) { l.post(plainFunc(fn), 0) }

func (l *Loop) post(t Task, limit int) bool {
	switch l.mailbox.put(t, limit) {
	case putWake:
		l.wake()
	case putFull:
		l.counters.postsRefused.Add(1)
		return false
	case putClosed:
		l.counters.postsDropped.Add(1)
		return false
	}
	return true
}

// ring requests a turn that checks the timers. Safe for concurrent use.
func (l *Loop) ring() {
	l.mailbox.rung.Store(true)
	l.schedule()
}

// schedule requests a turn of this loop. Safe for concurrent use.
func (l *Loop) schedule() {
	if l.mailbox.schedule() == putWake {
		l.wake()
	}
}
