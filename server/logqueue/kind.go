package logqueue

import (
	"log/slog"
	"time"
)

const (
	// window is the time in which Limits.Burst records of one kind pass.
	window = 10 * time.Second
	// kindsMax bounds the number of distinct messages, because a message may contain text of a client.
	kindsMax = 256
	// others is the kind of all messages above kindsMax.
	others = "others"
)

// kind counts the records of one message within a window. Guarded by the queue's lock.
type kind struct {
	level slog.Level
	// since is the time of the first record, passed the number that were taken, and left the number that were left out.
	since  time.Time
	passed int
	left   uint64
}

// over reports whether the kind's window has ended. It also ends when the time goes back.
func (k *kind) over(now time.Time) bool {
	age := now.Sub(k.since)
	return age < 0 || age >= window
}

// admit reports whether the record may pass. Called with the lock held.
func (q *queue) admit(r *slog.Record) bool {
	now := r.Time
	if now.IsZero() {
		now = time.Now()
	}
	message, k := q.kind(r.Message, now)
	if k.over(now) {
		q.tell(message, k)
		*k = kind{since: now}
	}
	k.level = max(k.level, r.Level)
	if k.passed < q.limits.Burst {
		k.passed++
		return true
	}
	k.left++
	if q.sweeper == nil {
		q.sweeper = time.AfterFunc(window, q.sweep)
	}
	return false
}

// kind returns the kind of records with the message, and its name. Called with the lock held.
func (q *queue) kind(message string, now time.Time) (name string, k *kind) {
	if k = q.kinds[message]; k != nil {
		return message, k
	}
	if len(q.kinds) >= kindsMax {
		q.forget(now)
	}
	if len(q.kinds) >= kindsMax {
		if message, k = others, q.kinds[others]; k != nil {
			return message, k
		}
	}
	k = &kind{since: now}
	q.kinds[message] = k
	return message, k
}

// forget removes the kinds whose windows have ended. Called with the lock held.
func (q *queue) forget(now time.Time) {
	for message, k := range q.kinds {
		if k.over(now) {
			q.tell(message, k)
			delete(q.kinds, message)
		}
	}
}

// tell logs how many records of a kind were left out, if any. Called with the lock held.
func (q *queue) tell(message string, k *kind) {
	if k.left > 0 {
		q.say(k.level, "more of these log records were left out", "message", message, "count", k.left)
		k.left = 0
	}
}

// sweep logs what was left out in the windows that have ended.
func (q *queue) sweep() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sweeper = nil
	q.forget(time.Now())
	for _, k := range q.kinds {
		if k.left > 0 {
			q.sweeper = time.AfterFunc(window, q.sweep)
			return
		}
	}
}

// tellAll logs what was left out of all kinds. Called with the lock held.
func (q *queue) tellAll() {
	for message, k := range q.kinds {
		q.tell(message, k)
	}
	if q.sweeper != nil {
		q.sweeper.Stop()
		q.sweeper = nil
	}
}
