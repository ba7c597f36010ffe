// Package wheel is a hierarchical timing wheel with intrusive entries.
//
// It exists because an idle connection must cost neither a goroutine nor a time.Timer. A session embeds a [Timer], and
// the event loop that owns the session embeds the [Wheel]. Scheduling and cancelling take constant time and never
// allocate. Finding the next deadline reads one bitmap per level.
//
// Concurrency: a Wheel and all Timers scheduled on it are loop-owned. The package has no locks and no goroutines and
// reads no clock: the caller passes the time, in nanoseconds of a monotonic clock that starts at or above 0.
//
// Precision: a timer never fires early. It fires at most one resolution after its deadline if Advance is called at the
// times that Next returns.
//
//	type session struct {
//		ping wheel.Timer
//	}
//
//	func (s *session) Expire(now int64) { /* send the ping, schedule again */ }
//
//	w := wheel.New(10*time.Millisecond, now)
//	s.ping.Init(s)
//	w.Schedule(&s.ping, wheel.Deadline(now, 25*time.Second))
//	if when, ok := w.Next(); ok {
//		// sleep until when, then w.Advance(now)
//	}
package wheel
