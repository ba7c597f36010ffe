package tally

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed58c87869/siren/session"
)

// fakeLoops run what is posted to them when run is called.
type fakeLoops struct {
	mu     sync.Mutex
	posted map[int][]Task
}

func (f *fakeLoops) post(loop int, t Task) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.posted == nil {
		f.posted = map[int][]Task{}
	}
	f.posted[loop] = append(f.posted[loop], t)
}

// run runs what was posted to a loop, and returns how much that was.
func (f *fakeLoops) run(loop int) int {
	f.mu.Lock()
	tasks := f.posted[loop]
	f.posted[loop] = nil
	f.mu.Unlock()
	for _, t := range tasks {
		t.Run(loop)
	}
	return len(tasks)
}

func (f *fakeLoops) waiting(loop int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.posted[loop])
}

func noTraffic(int) session.Traffic { return session.Traffic{} }

// TestBuckets puts observations at, below and above the bounds into their buckets.
func TestBuckets(t *testing.T) {
	for _, c := range []struct{ v, bucket int64 }{{-1, 0}, {0, 0}, {1, 0}, {2, 1}, {3, 2}, {5, 2}, {6, 3}, {1_000_000, 15}, {1_000_001, 16}} {
		var b buckets
		b.observe(recipientScale, c.v)
		if h := b.histogram(recipientScale); h.Counts[c.bucket] != 1 || h.Count() != 1 || h.Sum != float64(c.v) {
			t.Errorf("%d is in %v, sum %v", c.v, h.Counts, h.Sum)
		}
	}
	for _, s := range []*scale{recipientScale, lagScale, handlerScale} {
		if !slices.IsSorted(s.at[:]) || !slices.IsSorted(s.shown) || s.at[0] <= 0 || len(s.shown) != bounds {
			t.Error(s.at, s.shown)
		}
	}
}

// TestDurationsAreSeconds shows times in seconds.
func TestDurationsAreSeconds(t *testing.T) {
	s := NewSpace(2)
	s.Took(1, time.Now().Add(-20*time.Millisecond))
	h := s.Stats().Handlers
	if i := slices.Index(h.Counts, 1); h.Count() != 1 || h.Sum < 0.02 || i < slices.Index(h.Bounds, 0.025) {
		t.Errorf("%+v", h)
	}
}

// TestStuckLoop tells the latest numbers of a loop that does not answer, and how far it is behind.
func TestStuckLoop(t *testing.T) {
	ty, loops := New(2), new(fakeLoops)
	for i := range 2 {
		ty.Connected(i, ty.Unknown)
	}
	probe := func(answer ...int) []LoopStats {
		ctx, cancel := context.WithCancel(t.Context())
		post := func(loop int, task Task) {
			loops.post(loop, task)
			if loop == 1 {
				for _, i := range answer {
					loops.run(i)
				}
				if len(answer) < 2 {
					cancel()
				}
			}
		}
		defer cancel()
		return ty.Probe(ctx, post, noTraffic, true, nil)
	}
	if all := probe(0, 1); all[0].Connects != 1 || all[1].Connects != 1 {
		t.Fatalf("%+v", all)
	}
	for i := range 2 {
		ty.Connected(i, ty.Unknown)
	}
	all := probe()
	if all[0].Connects != 1 || all[1].Connects != 1 || all[1].Lag <= 0 || all[1].Loop != 1 {
		t.Errorf("of stuck loops: %+v", all)
	}
	loops.run(1) // late: the next one finds it
	if all = probe(); all[0].Connects != 1 || all[1].Connects != 2 {
		t.Errorf("after the loop has gone on: %+v", all)
	}
}

// TestProbeDoesNotWait returns at once where the caller is a loop.
func TestProbeDoesNotWait(t *testing.T) {
	ty, loops := New(1), new(fakeLoops)
	ty.Probe(context.Background(), loops.post, noTraffic, false, nil)
	if loops.waiting(0) != 1 {
		t.Error("no probe was posted")
	}
	done := make(chan struct{})
	close(done)
	ty.Probe(context.Background(), loops.post, noTraffic, true, done) // nor when the server has ended
}

// TestSample times the first event of each namespace on each loop, and then one in sampleEvery.
func TestSample(t *testing.T) {
	s := NewSpace(2)
	for loop := range 2 {
		var timed []int
		for i := range 2*sampleEvery + 1 {
			if s.Sample(loop) {
				timed = append(timed, i)
			}
		}
		if !slices.Equal(timed, []int{0, sampleEvery, 2 * sampleEvery}) {
			t.Error(timed)
		}
	}
}

// TestMissed makes up for the measurements that were due while the process stood still.
func TestMissed(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		pause time.Duration
		n     int
	}{{lagEvery / 2, 0}, {lagEvery, 0}, {lagEvery * 19 / 10, 0}, {5 * lagEvery, 4}, {time.Hour, lagsMax - 1}} {
		due := missed(now.Add(-c.pause), now)
		if len(due) != c.n || !slices.IsSortedFunc(due, time.Time.Compare) {
			t.Errorf("after %v: %v", c.pause, due)
		}
		if c.n > 0 && (now.Sub(due[0]) != time.Duration(c.n)*lagEvery || now.Sub(due[len(due)-1]) != lagEvery) {
			t.Errorf("after %v: from %v to %v", c.pause, now.Sub(due[0]), now.Sub(due[len(due)-1]))
		}
	}
}

// TestWatchLag counts every measurement that was due while a loop stood still, with its own lag, and bounds those that
// wait.
func TestWatchLag(t *testing.T) {
	ty, loops := New(1), new(fakeLoops)
	var lags []time.Duration
	late := func(_ int, lag time.Duration) { lags = append(lags, lag) }
	begin := time.Now()
	for i := range 2 * lagsMax {
		ty.measure(&lagProbe{ty, begin.Add(-time.Duration(2*lagsMax-i) * lagEvery), late}, loops.post)
	}
	if n := loops.run(0); n != lagsMax {
		t.Fatalf("%d measurements waited", n)
	}
	if len(lags) != lagsMax || lags[0] < 2*lagsMax*lagEvery || lags[1] >= lags[0] {
		t.Error(lags)
	}
	ty.measure(&lagProbe{ty, time.Now(), late}, loops.post)
	if loops.run(0) != 1 {
		t.Error("the measurements ended")
	}

	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ty.WatchLag(context.Background(), loops.post, nil, done)
	}()
	for deadline := time.Now().Add(10 * time.Second); loops.waiting(0) < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing is measured")
		}
	}
	close(done)
	<-ended
}

// TestAllocations: counting takes no memory.
func TestAllocations(t *testing.T) {
	ty := New(1)
	s := ty.Space(false)
	if n := testing.AllocsPerRun(100, func() {
		ty.Connected(0, s)
		ty.Loop(0).Disconnected(session.ReasonQueueFull)
		ty.Broadcast(0, s, 7)
		s.Connect(0, Denied)
		if s.Sample(0) {
			s.Took(0, time.Now())
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkBroadcast(b *testing.B) {
	ty := New(1)
	s := ty.Space(false)
	b.ReportAllocs()
	for b.Loop() {
		ty.Broadcast(0, s, 7)
	}
}

// BenchmarkProbe is what a scrape costs an event loop.
func BenchmarkProbe(b *testing.B) {
	ty := New(1)
	p := &probe{t: ty, begun: time.Now(), traffic: noTraffic, answered: make(chan int, 1)}
	b.ReportAllocs()
	for b.Loop() {
		p.Run(0)
		<-p.answered
	}
}
