package session

import (
	"sync"
	"sync/atomic"
)

// Job is one piece of work of an Inbox. It must not panic.
type Job interface{ Do() }

// Inbox runs the jobs of one socket off the event loop: in order, one at a time, on a goroutine that exists only
// while there is work. Safe for concurrent use. The zero value is ready.
type Inbox struct {
	mu sync.Mutex
	// jobs are those that were put, from head on; the ones before have run, or run now. Guarded by mu, as all below.
	jobs []sized
	head int
	// bytes are those of the jobs that wait, and of the one that runs.
	bytes   int
	running bool
}

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
	if len(b.jobs)-b.head >= lim.Jobs || b.bytes+bytes > lim.Bytes {
		b.mu.Unlock()
		return false
	}
	b.add(j, bytes, lim)
	return true
}

// PutAlways appends a job whatever waits: for the events of a socket's life, of which there are few.
func (b *Inbox) PutAlways(j Job, lim *InboxLimits) {
	b.mu.Lock()
	b.add(j, 0, lim)
}

// add is called with the lock held and releases it.
func (b *Inbox) add(j Job, bytes int, lim *InboxLimits) {
	if len(b.jobs) == cap(b.jobs) && b.head*2 >= len(b.jobs) {
		// The places of jobs that have run are used again.
		rest := copy(b.jobs, b.jobs[b.head:])
		clear(b.jobs[rest:])
		b.jobs, b.head = b.jobs[:rest], 0
	}
	b.jobs = append(b.jobs, sized{j, bytes})
	b.bytes += bytes
	start := !b.running
	b.running = true
	b.mu.Unlock()
	if start {
		if lim.Running != nil {
			lim.Running.Add(1)
		}
		go b.run(lim.Running)
	}
}

// run works off the jobs.
func (b *Inbox) run(running *atomic.Int64) {
	if running != nil {
		defer running.Add(-1)
	}
	for j, ok := b.next(0); ok; j, ok = b.next(j.bytes) {
		j.job.Do()
	}
}

// next takes the next job off, when one with that many bytes has run. At the end the inbox holds no memory.
func (b *Inbox) next(ran int) (sized, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes -= ran
	if b.head == len(b.jobs) {
		b.jobs, b.head, b.running = nil, 0, false
		return sized{}, false
	}
	j := b.jobs[b.head]
	b.jobs[b.head] = sized{}
	b.head++
	return j, true
}

// Len is the number of jobs that wait.
func (b *Inbox) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.jobs) - b.head
}
