package poller

import (
	"sync/atomic"
	"time"
)

// warnEvery is the least time between two warnings of one kind that clients cause.
const warnEvery = 10 * time.Second

// Throttle thins out warnings of one kind that clients cause. The zero value is ready. It is safe for concurrent use.
type Throttle struct{ next atomic.Int64 }

// Pass reports whether a warning is due: the first one, and one ten seconds after the last.
func (t *Throttle) Pass() bool {
	now, next := monotonic(), t.next.Load()
	return now >= next && t.next.CompareAndSwap(next, now+int64(warnEvery))
}
