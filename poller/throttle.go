package poller

import (
	"sync/atomic"
	"time"
)

// warnEvery is the minimum time between two warnings of one kind that clients cause.
const warnEvery = 10 * time.Second

// Throttle limits the rate of warnings of one kind that clients cause. The zero value is ready. Safe for concurrent
// use.
type Throttle struct{ next atomic.Int64 }

// Pass reports whether a warning is due: the first one, and then one every ten seconds.
func (t *Throttle) Pass() bool {
	now, next := monotonic(), t.next.Load()
	return now >= next && t.next.CompareAndSwap(next, now+int64(warnEvery))
}
