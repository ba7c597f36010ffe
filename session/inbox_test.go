package session

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"
)

type jobFunc func()

func (f jobFunc) Do() { f() }

var roomy = InboxLimits{Jobs: 1 << 20, Bytes: 1 << 30}

// waitIdle waits until no goroutine runs an inbox.
func waitIdle(t *testing.T, running *atomic.Int64) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); running.Load() != 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("an inbox does not come to rest")
		}
	}
}

// In order, one at a time, from several goroutines at once.
func TestInboxOrder(t *testing.T) {
	var b Inbox
	var running atomic.Int64
	lim := roomy
	lim.Running = &running
	const senders, jobs = 4, 5000
	var inside atomic.Int32
	next := make([]int, senders) // unguarded: the inbox is the lock
	var group sync.WaitGroup
	for s := range senders {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := range jobs {
				job := jobFunc(func() {
					if inside.Add(1) != 1 {
						t.Error("two jobs at once")
					}
					if next[s] != i {
						t.Errorf("sender %d: job %d after %d", s, i, next[s])
					}
					next[s] = i + 1
					inside.Add(-1)
				})
				if i%7 == 0 {
					b.PutAlways(job, &lim)
				} else if !b.Put(job, 10, &lim) {
					t.Error("full")
				}
			}
		}()
	}
	group.Wait()
	waitIdle(t, &running)
	for s, n := range next {
		if n != jobs {
			t.Errorf("sender %d: %d jobs", s, n)
		}
	}
	if b.Len() != 0 || b.work != nil {
		t.Errorf("an idle inbox holds %d jobs, %+v", b.Len(), b.work)
	}
}

// The limits count what waits; jobs that have run make room at once, not when all have.
func TestInboxLimits(t *testing.T) {
	var running atomic.Int64
	lim := InboxLimits{Jobs: 3, Bytes: 100, Running: &running}
	var b Inbox
	started, step := make(chan struct{}), make(chan struct{})
	slow := jobFunc(func() { started <- struct{}{}; <-step })
	put := func(bytes int, want bool) {
		t.Helper()
		if got := b.Put(slow, bytes, &lim); got != want {
			t.Fatalf("Put of %d bytes: %v with %d jobs and %d bytes", bytes, got, b.Len(), b.waiting())
		}
	}
	put(10, true)
	<-started // it runs, and does not count as waiting
	put(10, true)
	put(10, true)
	put(10, true)
	put(10, false)
	for range 50 {
		step <- struct{}{}
		<-started
		put(10, true)
		put(10, false)
	}
	step <- struct{}{}
	<-started
	put(71, false) // 30 wait or run
	put(70, true)
	b.PutAlways(slow, &lim)
	if b.Len() != 4 {
		t.Errorf("%d jobs", b.Len())
	}
	for range 4 {
		step <- struct{}{}
		<-started
	}
	step <- struct{}{}
	waitIdle(t, &running)
	put(100, true)
	<-started
	step <- struct{}{}
	waitIdle(t, &running)
	if b.work != nil {
		t.Error("memory is held")
	}
}

// A long busy inbox uses its places again.
func TestInboxReusesMemory(t *testing.T) {
	var b Inbox
	step := make(chan struct{})
	var running atomic.Int64
	lim := roomy
	lim.Running = &running
	for range 4 {
		b.Put(jobFunc(func() { <-step }), 0, &lim)
	}
	for range 10_000 {
		b.Put(jobFunc(func() { <-step }), 0, &lim)
		step <- struct{}{}
	}
	b.mu.Lock()
	if cap(b.work.jobs) > inboxKeep { // other tests leave as many
		t.Errorf("%d places for 4 jobs", cap(b.work.jobs))
	}
	b.mu.Unlock()
	for range 4 {
		step <- struct{}{}
	}
	waitIdle(t, &running)
}

// No goroutine without work, and jobs may put jobs.
func TestInboxGoroutines(t *testing.T) {
	boxes := make([]Inbox, 100)
	var running, ran atomic.Int64
	lim := roomy
	lim.Running = &running
	before := runtime.NumGoroutine()
	for i := range boxes {
		b := &boxes[i]
		b.PutAlways(jobFunc(func() {
			ran.Add(1)
			b.PutAlways(jobFunc(func() { ran.Add(1) }), &lim)
		}), &lim)
	}
	waitIdle(t, &running)
	if ran.Load() != 200 {
		t.Errorf("%d of 200 jobs", ran.Load())
	}
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

func BenchmarkInbox(b *testing.B) {
	b.ReportAllocs()
	var box Inbox
	var running atomic.Int64
	lim := roomy
	lim.Running = &running
	done := make(chan struct{}, 1)
	job := jobFunc(func() { done <- struct{}{} })
	for b.Loop() {
		box.Put(job, 1, &lim)
		<-done
	}
}

// PutAll puts a job into each inbox, as Put does, and starts one goroutine, which starts the inboxes' own.
func TestPutAll(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // goroutines that are started run when this one waits
	const n = 1000
	inboxes := make([]Inbox, n)
	var running atomic.Int64
	lim := &InboxLimits{Jobs: 1, Bytes: 100, Running: &running}
	var mu sync.Mutex
	got := make([][]int, n)
	put := func(round int) (started int, refused []int) {
		before := runtime.NumGoroutine()
		PutAll(n, 10, func(i int) (*Inbox, Job, *InboxLimits) {
			return &inboxes[i], jobFunc(func() {
				mu.Lock()
				defer mu.Unlock()
				got[i] = append(got[i], round)
			}), lim
		}, func(i int) { refused = append(refused, i) })
		return runtime.NumGoroutine() - before, refused
	}
	few := false
	for round := range 20 { // the runtime may let others run in between
		started, refused := put(round)
		few = few || started <= 1
		if waitIdle(t, &running); len(refused) > 0 {
			t.Fatalf("%d refused", len(refused))
		}
	}
	if !few {
		t.Error("PutAll starts the goroutines of all inboxes")
	}
	mu.Lock()
	inboxes[0].Put(jobFunc(func() { mu.Lock(); mu.Unlock() }), 10, lim) // runs until the end
	for inboxes[0].Len() > 0 {
		runtime.Gosched()
	}
	_, none := put(20)
	_, some := put(21)
	mu.Unlock()
	waitIdle(t, &running)
	if len(none) > 0 || len(some) == 0 || some[0] != 0 {
		t.Errorf("%d and %v refused by inboxes of one place", len(none), some)
	}
	for i := range got {
		if len(got[i]) < 21 || !slices.IsSorted(got[i]) {
			t.Fatalf("inbox %d: %v", i, got[i])
		}
	}
}

// The events of one read are put and run without memory for their places, once the inbox has had as many before.
func TestInboxKeepsPlaces(t *testing.T) {
	if n := unsafe.Sizeof(sized{}); n != sizedBytes {
		t.Fatalf("a job takes %d bytes", n)
	}
	const burst = 256
	var b Inbox
	var running atomic.Int64
	lim := InboxLimits{Jobs: burst, Bytes: 1 << 30, Running: &running}
	enough, done := make(chan struct{}), make(chan struct{})
	n := 0
	job := jobFunc(func() {
		if n++; n%burst == 1 {
			<-enough
		}
		if n%burst == 0 {
			done <- struct{}{}
		}
	})
	allocations := testing.AllocsPerRun(50, func() {
		for range burst {
			b.Put(job, 100, &lim)
		}
		enough <- struct{}{}
		<-done
		waitIdle(t, &running)
	})
	if allocations > 4 { // the goroutine; places would be nine more
		t.Errorf("%v allocations for %d jobs", allocations, burst)
	}
}
