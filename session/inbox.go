package session

import (
	"sync"
	"sync/atomic"

	"github.com/seed58c87869/siren/poller/memory"
)

// Job is one piece of work of an Inbox. It must not panic, but may end its goroutine (runtime.Goexit).
type Job interface{ Do() }

// Inbox runs the jobs of one socket off the event loop: in order, one at a time, on a goroutine that it has only while
// there are jobs. Safe for concurrent use. The zero value is ready to use.
type Inbox struct {
	mu sync.Mutex
	// work is nil while the inbox is idle, which then takes two words. Guarded by mu.
	work *inboxWork
}

// inboxWork is the state of an inbox whose goroutine runs. Guarded by the inbox's mutex.
type inboxWork struct {
	// jobs has the waiting jobs, from head on. Those before head have run, or run now.
	jobs []sized
	head int
	// bytes is the size of the waiting jobs and of the one that runs.
	bytes int
	// own is the part of bytes that PutCounted has put. counted is the part of own in the ledger: whole steps of
	// countStep, or none below memory.ListMin. listed is set when the ledger was told to list the holder.
	own, counted int
	ledger       *memory.Ledger
	listed       bool
}

// inboxPool keeps the working memory of idle inboxes.
var inboxPool = sync.Pool{New: func() any { return new(inboxWork) }}

// inboxKeep is the largest capacity for jobs that an idle inbox returns to the pool: what fits into 8 KiB, enough for
// the small events of one read.
const inboxKeep = 8 << 10 / sizedBytes

// sizedBytes is the size of a sized.
const sizedBytes = 24

type sized struct {
	job Job
	// size is the number of bytes or, for a job of PutCounted, its complement. One word is enough for both, and queues
	// of small jobs are long.
	size int
}

// bytes returns the size of the job.
func (j sized) bytes() int { return max(j.size, ^j.size) }

// own reports whether PutCounted has put the job.
func (j sized) own() bool { return j.size < 0 }

// InboxLimits bounds an Inbox. Immutable.
type InboxLimits struct {
	// Jobs bounds the number of waiting jobs, and Bytes the sum of the sizes of these and the running job.
	Jobs, Bytes int
	// Running, if set, counts the goroutines that run inboxes.
	Running *atomic.Int64
	// Runners, if set, keeps goroutines for the next inbox.
	Runners *Runners
}

// Put appends a job of that size in bytes. If the inbox is full, it returns false and does not take the job.
func (b *Inbox) Put(j Job, bytes int, lim *InboxLimits) bool {
	ok, start, _ := b.put(sized{j, bytes}, lim, nil)
	if start {
		b.start(lim)
	}
	return ok
}

// PutAll puts a job of that size into each of n inboxes, as Put does, and calls refused for those that are full. get
// gives an inbox and its job by number; the limits may differ, but not in Running and Runners. Inboxes without work are
// started by another goroutine, because starting one takes ten times as long as putting.
func PutAll(n, bytes int, get func(i int) (b *Inbox, j Job, lim *InboxLimits), refused func(i int)) {
	var idle []*Inbox
	var limits *InboxLimits
	for i := range n {
		b, j, lim := get(i)
		ok, start, _ := b.put(sized{j, bytes}, lim, nil)
		switch {
		case !ok:
			refused(i)
		case start:
			if idle == nil {
				idle = make([]*Inbox, 0, n-i)
			}
			idle, limits = append(idle, b), lim
		}
	}
	if len(idle) > 0 {
		go func() {
			for _, b := range idle {
				b.start(limits)
			}
		}()
	}
}

// PutCounted is Put for a job whose bytes belong to this inbox alone. From memory.ListMin bytes on, the waiting bytes
// are entered in the ledger, in steps of countStep, and the ledger lists h. Call it on the loop of the ledger.
func (b *Inbox) PutCounted(j Job, bytes int, lim *InboxLimits, m *memory.Ledger, h memory.Holder) bool {
	if m.On() {
		bytes = ^bytes
	}
	ok, start, list := b.put(sized{j, bytes}, lim, m)
	if start {
		b.start(lim)
	}
	if list {
		m.List(h)
	}
	return ok
}

// put returns ok = false if the inbox is full. start means that the caller must start the inbox's goroutine, which is
// counted already, and list that the ledger m must list the holder.
func (b *Inbox) put(j sized, lim *InboxLimits, m *memory.Ledger) (ok, start, list bool) {
	b.mu.Lock()
	if w := b.work; w != nil && len(w.jobs)-w.head >= lim.Jobs || j.bytes()+b.waiting() > lim.Bytes {
		b.mu.Unlock()
		return false, false, false
	}
	start, list = b.add(j, lim, m)
	return true, start, list
}

// waiting returns the bytes that count against the limit. Called with the lock held.
func (b *Inbox) waiting() int {
	if b.work == nil {
		return 0
	}
	return b.work.bytes
}

// PutAlways appends a job without a limit, for the events of a socket's life, of which there are few.
func (b *Inbox) PutAlways(j Job, lim *InboxLimits) {
	b.mu.Lock()
	if start, _ := b.add(sized{job: j}, lim, nil); start {
		b.start(lim)
	}
}

// add is called with the lock held and releases it. The results are those of put.
func (b *Inbox) add(j sized, lim *InboxLimits, m *memory.Ledger) (start, list bool) {
	start = b.work == nil
	if start {
		b.work = inboxPool.Get().(*inboxWork)
	}
	w := b.work
	w.push(j)
	if j.own() {
		w.ledger = m
		w.count()
		list = w.counted > 0 && !w.listed
		w.listed = w.listed || list
	}
	b.mu.Unlock()
	if start && lim.Running != nil {
		lim.Running.Add(1)
	}
	return start, list
}

func (w *inboxWork) push(j sized) {
	if len(w.jobs) == cap(w.jobs) && w.head*2 >= len(w.jobs) {
		// Reuse the places of jobs that have run.
		rest := copy(w.jobs, w.jobs[w.head:])
		clear(w.jobs[rest:])
		w.jobs, w.head = w.jobs[:rest], 0
	}
	w.jobs = append(w.jobs, j)
	n := j.bytes()
	w.bytes += n
	if j.own() {
		w.own += n
	}
}

// gone takes off the bytes of a job that has run or was dropped.
func (w *inboxWork) gone(j sized) {
	n := j.bytes()
	w.bytes -= n
	if j.own() {
		w.own -= n
		w.count()
	}
}

// countStep is the unit in bytes in which the ledger counts the jobs of an inbox. The loop and the goroutine of the
// inbox write to the ledger in turns, so the cache line of its sum changes hands less often than jobs do.
const countStep = 1 << 10

// count updates the ledger. Less than memory.ListMin bytes are not entered, because most events are handled before the
// next one comes.
func (w *inboxWork) count() {
	n := w.own - w.own%countStep
	if n < memory.ListMin {
		n = 0
	}
	if n != w.counted {
		w.ledger.Add(n - w.counted)
		w.counted = n
	}
}

// run runs the jobs. If a job ends the goroutine (runtime.Goexit), another one continues with the next job.
func (b *Inbox) run(running *atomic.Int64) { b.resume(running, sized{}) }

// resume continues run after the job ran.
func (b *Inbox) resume(running *atomic.Int64, ran sized) {
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
		ran = sized{size: j.size}
		j.job.Do()
	}
	finished = true
}

// next removes and returns the next job, after the job ran. If there is none, it returns false, and the inbox holds no
// memory.
func (b *Inbox) next(ran sized) (sized, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.work
	w.gone(ran)
	if w.head == len(w.jobs) {
		b.work = nil
		w.ledger, w.listed = nil, false
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

// Counted returns the number of bytes in the ledger. If it is 0, the caller, on the loop, must unlist the holder.
func (b *Inbox) Counted() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.work
	if w == nil {
		return 0
	}
	if w.counted == 0 {
		w.listed = false
	}
	return w.counted
}

// Shed drops the waiting jobs of PutCounted and returns their number. Other jobs stay.
func (b *Inbox) Shed() (dropped int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.work
	if w == nil {
		return 0
	}
	kept := w.jobs[:w.head]
	for _, j := range w.jobs[w.head:] {
		if !j.own() {
			kept = append(kept, j)
			continue
		}
		dropped++
		w.gone(j)
	}
	clear(w.jobs[len(kept):])
	w.jobs = kept
	return dropped
}

// Idle reports whether no job runs or waits.
func (b *Inbox) Idle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.work == nil
}

// Len returns the number of waiting jobs.
func (b *Inbox) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.work == nil {
		return 0
	}
	return len(b.work.jobs) - b.work.head
}
