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

// plainFunc is the Task behind PostFunc.
type plainFunc func()

func (f plainFunc) Run(int) { f() }

// mailbox is the queue of a loop. Putting is safe for concurrent use, taking belongs to the loop.
type mailbox struct {
	mu        sync.Mutex
	in        []Task // guarded by mu
	scheduled bool   // guarded by mu: a turn is on its way or running, nobody needs to wake the loop
	closed    bool   // guarded by mu: the engine has ended
	taken     int    // guarded by mu: tasks in run that are not run yet, as of the end of the latest turn

	// rung is set when a deadline has come that no turn has looked at yet. What comes in the middle of a turn, after
	// that has looked, makes settle report true.
	rung atomic.Bool

	run  []Task // loop-owned: the batch taken out last
	head int    // loop-owned: the next of run
}

type putResult uint8

const (
	putQuiet  putResult = iota // queued, the loop knows
	putWake                    // queued, and the caller has to wake the loop
	putFull                    // not queued
	putClosed                  // not queued
)

// put queues t unless the mailbox is closed or holds limit tasks; limit 0 is no limit.
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

// schedule asks for a turn without a task.
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

// next returns the task to run, or nil when none waits. The loop must call it until it gets nil or call settle.
func (m *mailbox) next() Task {
	if m.head == len(m.run) && !m.swap() {
		return nil
	}
	t := m.run[m.head]
	m.run[m.head] = nil
	m.head++
	return t
}

// swap takes out all that was put; the emptied batch becomes the next place to put into.
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

// settle ends a turn. It reports true when tasks are left, and else allows the next put to wake the loop, unless
// the loop has other work (busy) and stays scheduled for that.
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

// close makes further puts fail. It returns false when tasks are left, which must be run first.
func (m *mailbox) close(force bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !force && (len(m.in) > 0 || m.head < len(m.run)) {
		return false
	}
	m.closed = true
	return true
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
