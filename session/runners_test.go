package session

import (
	"bytes"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// goroutine is the number of the running goroutine, from the head of its stack trace.
func goroutine() string {
	var buf [64]byte
	head := buf[:runtime.Stack(buf[:], false)]
	return string(bytes.Fields(head)[1])
}

// Inboxes that have work one after the other share goroutines: a new one costs more than a small event.
func TestInboxesUseGoroutinesAgain(t *testing.T) {
	const inboxes = 2000
	var running atomic.Int64
	lim := roomy
	lim.Running, lim.Runners = &running, new(Runners)
	seen := make(map[string]bool)
	for range inboxes {
		var b Inbox
		done := make(chan struct{})
		b.Put(jobFunc(func() { seen[goroutine()] = true; close(done) }), 1, &lim)
		<-done
	}
	waitIdle(t, &running)
	if len(seen) > inboxes/2 {
		t.Errorf("%d goroutines for %d inboxes", len(seen), inboxes)
	}
}

// Goroutines that are not needed end by themselves, and only so many of a crowd wait for work at all.
func TestIdleRunnersEnd(t *testing.T) {
	const inboxes = 3 * runnerPools * runnersKept
	before := runtime.NumGoroutine()
	var running atomic.Int64
	lim := roomy
	lim.Running, lim.Runners = &running, new(Runners)
	release := make(chan struct{})
	var begun sync.WaitGroup
	begun.Add(inboxes)
	list := make([]Inbox, inboxes)
	for i := range list {
		list[i].Put(jobFunc(func() { begun.Done(); <-release }), 1, &lim)
	}
	begun.Wait() // all at once: a job that blocks holds up no other inbox
	close(release)
	waitIdle(t, &running)
	for i := range lim.Runners.pools {
		p := &lim.Runners.pools[i]
		p.mu.Lock()
		if len(p.idle) > runnersKept {
			t.Errorf("pool %d: %d goroutines wait", i, len(p.idle))
		}
		p.mu.Unlock()
	}
	for deadline := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

// A goroutine that waits holds nothing of the inbox that it ran last.
func TestIdleRunnerHoldsNothing(t *testing.T) {
	var running atomic.Int64
	lim := roomy
	lim.Running, lim.Runners = &running, new(Runners)
	collected := make(chan struct{})
	func() {
		b := &struct {
			Inbox
			_ [64]byte
		}{}
		runtime.AddCleanup(b, func(c chan struct{}) { close(c) }, collected)
		b.Put(jobFunc(func() {}), 1, &lim)
	}()
	waitIdle(t, &running)
	for deadline := time.Now().Add(20 * time.Second); ; runtime.GC() {
		select {
		case <-collected:
			return
		case <-time.After(time.Millisecond):
		}
		// Another inbox keeps goroutines waiting: they must not end before the look.
		var other Inbox
		other.Put(jobFunc(func() {}), 1, &lim)
		if time.Now().After(deadline) {
			t.Fatal("the inbox is still in memory")
		}
	}
}

// A job that ends its goroutine takes nothing with it but that.
func TestRunnerThatAJobEnds(t *testing.T) {
	var running atomic.Int64
	lim := roomy
	lim.Running, lim.Runners = &running, new(Runners)
	var ran atomic.Int64
	for range 100 {
		var b Inbox
		b.Put(jobFunc(func() { ran.Add(1); runtime.Goexit() }), 1, &lim)
		b.Put(jobFunc(func() { ran.Add(1) }), 1, &lim)
		waitIdle(t, &running)
	}
	if ran.Load() != 200 {
		t.Errorf("%d jobs ran", ran.Load())
	}
}

// After End no goroutine waits, and inboxes are started all the same.
func TestEndOfRunners(t *testing.T) {
	var running atomic.Int64
	lim := roomy
	lim.Running, lim.Runners = &running, new(Runners)
	ran := make(chan struct{}, 2)
	var b Inbox
	for range 2 {
		b.Put(jobFunc(func() { ran <- struct{}{} }), 1, &lim)
		<-ran
		waitIdle(t, &running)
		lim.Runners.End()
		for i := range lim.Runners.pools {
			p := &lim.Runners.pools[i]
			p.mu.Lock()
			if len(p.idle) > 0 {
				t.Errorf("%d goroutines wait", len(p.idle))
			}
			p.mu.Unlock()
		}
	}
}
