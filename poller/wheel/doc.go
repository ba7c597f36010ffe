// Package wheel is a hierarchical timing wheel with intrusive entries.
//
// It exists because an idle connection must cost neither a goroutine nor a time.Timer: a session embeds a [Timer]
// and the event loop that owns the session embeds the [Wheel]. Scheduling and cancelling are O(1) and never allocate,
// finding the next deadline looks at one bitmap per level.
//
// Concurrency: a Wheel and all Timers scheduled on it are loop-owned. Nothing in this package locks, starts a goroutine
// or reads a clock; time is what the caller says it is, in nanoseconds of a monotonic clock that starts at or above 0.
//
// Precision: a timer never fires early. It fires at most one resolution after its deadline, provided that Advance is
// called at the times that Next returns.
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
