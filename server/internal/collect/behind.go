package collect

import (
	"sync"
	"sync/atomic"
	"time"
)

// AwaitAll waits for n queues at the same time, until each of them has come to where it ends now, or until the limit
// has passed. behind has fn called by the queue with that number, or returns false if the queue is empty.
func AwaitAll(n int, behind func(i int, fn func()) bool, limit time.Duration) {
	var waits sync.WaitGroup
	some := false
	for i := range n {
		waits.Add(1)
		if behind(i, waits.Done) {
			some = true
		} else {
			waits.Done()
		}
	}
	if !some {
		return
	}
	over := make(chan struct{})
	go func() {
		waits.Wait()
		close(over)
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-over:
	case <-timer.C:
	}
}

// Passed reports whether a queue has come to where it ended at the first call with these marks. asked and passed are
// the bits of marks that note the first call and the end. behind has fn called by the queue, or returns false if the
// queue is empty. Safe for concurrent use.
func Passed(marks *atomic.Uint32, asked, passed uint32, behind func(fn func()) bool) bool {
	if marks.Or(asked)&asked == 0 && !behind(func() { marks.Or(passed) }) {
		marks.Or(passed)
	}
	return marks.Load()&passed != 0
}
