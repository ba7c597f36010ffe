package session

import (
	"sync"
	"sync/atomic"
)

// Job is one piece of work of an Inbox. It must not panic, but may end its goroutine (runtime.Goexit).
type Job interface{ Do() }

// Inbox runs the jobs of one socket off the event loop: in order, one at a time, on a goroutine that exists only
// while there is work. Safe for concurrent use. The zero value is ready.
type Inbox struct {
	mu sync.Mutex
	// work is nil while there is none: an idle inbox is two words. Guarded by mu.
	work *inboxWork
}

// inboxWork is what an inbox needs while its goroutine runs. Guarded by the inbox's mutex.
type inboxWork struct {
	// jobs are those that were put, from head on; the ones before have run, or run now.
	jobs []sized
	head int
	// bytes are those of the jobs that wait, and of the one that runs.
	bytes int
}

// inboxPool keeps what inboxes needed last, with the places for their jobs.
var inboxPool = sync.Pool{New: func() any { return new(inboxWork) }}

// inboxKeep bounds the places for jobs that are kept.
const inboxKeep = 64

type sized struct {
	job   Job
	bytes int
}

// InboxLimits bound an Inbox. Immutable.
type InboxLimits struct {
	// Jobs is the number of jobs that may wait behind the one that runs, Bytes the sum of their sizes and its.
	Jobs, Bytes int
	// Running, when set, counts the goroutines that run inboxes.
	Running *atomic.Int64
}

// Put appends a job of that size. It is false, and the job is not taken, when the inbox is full.
func (b *Inbox) Put(j Job, bytes int, lim *InboxLimits) bool {
	b.mu.Lock()
	if w := b.work; w != nil && len(w.jobs)-w.head >= lim.Jobs || bytes+b.waiting() > lim.Bytes {
		b.mu.Unlock()
		return false
	}
	b.add(j, bytes, lim)
	return true
}

// waiting is the bytes that count. Called with the lock held.
func (b *Inbox) waiting() int {
	if b.work == nil {
		return 0
	}
	return b.work.bytes
}

// PutAlways appends a job whatever waits: for the events of a socket's life, of which there are few.
func (b *Inbox) PutAlways(j Job, lim *InboxLimits) {
	b.mu.Lock()
	b.add(j, 0, lim)
}

// add is called with the lock held and releases it.
func (b *Inbox) add(j Job, bytes int, lim *InboxLimits) {
	start := b.work == nil
	if start {
		b.work = inboxPool.Get().(*inboxWork)
	}
	b.work.push(sized{j, bytes})
	b.mu.Unlock()
	if start {
		if lim.Running != nil {
			lim.Running.Add(1)
		}
		go b.run(lim.Running)
	}
}

func (w *inboxWork) push(j sized) {
	if len(w.jobs) == cap(w.jobs) && w.head*2 >= len(w.jobs) {
		// The places of jobs that have run are used again.
		rest := copy(w.jobs, w.jobs[w.head:])
		clear(w.jobs[rest:])
		w.jobs, w.head = w.jobs[:rest], 0
	}
	w.jobs = append(w.jobs, j)
	w.bytes += j.bytes
}

// run works off the jobs. A job may end the goroutine (runtime.Goexit): then the next one goes on.
func (b *Inbox) run(running *atomic.Int64) { b.resume(running, 0) }

// resume goes on when a job with that many bytes has run.
func (b *Inbox) resume(running *atomic.Int64, ran int) {
	finished := false
	defer func() {
		switch {
		case !finished:
			go b.resume(running, ran)
		case running != nil:
			running.Add(-1)
		}
	}()
	for j, ok := b.next(ran); ok; j, ok = b.next(ran) {
		ran = j.bytes
		j.job.Do()
	}
	finished = true
}

// next takes the next job off, when one with that many bytes has run. At the end the inbox holds no memory.
func (b *Inbox) next(ran int) (sized, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.work
	w.bytes -= ran
	if w.head == len(w.jobs) {
		b.work = nil
		if cap(w.jobs) <= inboxKeep {
			w.jobs, w.head = w.jobs[:0], 0
			inboxPool.Put(w)
		}
		return sized{}, false
	}
	j := w.jobs[w.head]
	w.jobs[w.head] = sized{}
	w.head++
	return j, true
}

// Len is the number of jobs that wait.
func (b *Inbox) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.work == nil {
		return 0
	}
	return len(b.work.jobs) - b.work.head
}
