package poller

import (
	"sync/atomic"
	"time"
)

// warnEvery is the least time between two warnings of one kind that clients cause.
const warnEvery = 10 * time.Second

// throttle thins out warnings of one kind. The zero value is ready. It is safe for concurrent use.
type throttle struct{ next atomic.Int64 }

// pass reports whether a warning is due at the time now, which is that of monotonic.
func (t *throttle) pass(now int64) bool {
	next := t.next.Load()
	return now >= next && t.next.CompareAndSwap(next, now+int64(warnEvery))
}
