package collect

import (
	"sync/atomic"
	"testing"
	"time"
)

// AwaitAll returns when all queues have come to their ends, or when the limit has passed.
func TestAwaitAll(t *testing.T) {
	var waiting []func()
	called := make(chan struct{}, 3)
	behind := func(i int, fn func()) bool {
		if i == 1 {
			return false
		}
		waiting = append(waiting, fn)
		called <- struct{}{}
		return true
	}
	AwaitAll(0, behind, time.Hour)
	AwaitAll(3, behind, time.Nanosecond)
	<-called
	<-called
	for _, fn := range waiting { // it is not wanted any more
		fn()
	}
	waiting = nil
	over := make(chan struct{})
	go func() {
		AwaitAll(3, behind, time.Hour)
		close(over)
	}()
	<-called
	<-called
	waiting[0]()
	select {
	case <-over:
		t.Fatal("it has not waited for the other queue")
	default:
	}
	waiting[1]()
	<-over
}

// Passed asks once, and is true when the queue has come there.
func TestPassed(t *testing.T) {
	var empty, long atomic.Uint32
	if !Passed(&empty, 1, 2, func(func()) bool { return false }) {
		t.Error("an empty queue has not passed")
	}
	var waiting []func()
	behind := func(fn func()) bool { waiting = append(waiting, fn); return true }
	for range 2 {
		if Passed(&long, 1, 2, behind) {
			t.Error("it has passed at once")
		}
	}
	if len(waiting) != 1 {
		t.Fatalf("asked %d times", len(waiting))
	}
	waiting[0]()
	if !Passed(&long, 1, 2, behind) || long.Load() != 3 {
		t.Error("it has not passed")
	}
}
