package logqueue

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// entry is a queued record. Immutable.
type entry struct {
	handler slog.Handler
	ctx     context.Context
	record  slog.Record
}

// queue is shared by the handlers of one New. Safe for concurrent use.
type queue struct {
	// own gets the lines of the queue itself: it is the handler that New was given. Immutable, as are limits.
	own    slog.Handler
	limits Limits
	// debug tells whether own takes debug records, as far as LevelChanged knows.
	debug atomic.Bool

	mu sync.Mutex // guards the following fields
	// waiting has the records after batch. The goroutine has taken batch, and passed on its first at records.
	waiting, batch []entry
	at             int
	running        bool
	stats          Stats
	// told is the part of stats.Dropped that a line has reported.
	told uint64
	// unwritten is the number of records that have failed since one was written.
	unwritten uint64
	// idle, if set, is closed at the end of the goroutine.
	idle chan struct{}
	// kinds are the records at Warn and above of late, by their messages; sweeper tells what was left out of them.
	kinds   map[string]*kind
	sweeper *time.Timer
}

// keepMax is the largest capacity that an empty queue keeps.
const keepMax = 64

// put queues an entry, or counts it.
func (q *queue) put(e entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	limit := q.limits.Records
	if e.record.Level < slog.LevelWarn {
		limit -= limit / 4
	} else if !q.admit(&e.record) {
		q.stats.Throttled++
		return
	}
	if len(q.waiting)+len(q.batch)-q.at >= limit {
		q.stats.Dropped++
		return
	}
	q.push(e)
}

// push queues an entry. Called with the lock held.
func (q *queue) push(e entry) {
	q.waiting = append(q.waiting, e)
	if !q.running {
		q.running = true
		go q.run()
	}
}

// say queues one of the queue's own lines, without a limit because they are few. Called with the lock held.
func (q *queue) say(level slog.Level, message string, args ...any) {
	r := slog.NewRecord(time.Now(), level, message, 0)
	r.Add(args...)
	q.push(entry{q.own, context.Background(), r})
}

// run passes on records until there are none. A record whose handler panics, or ends the goroutine, is not passed on
// again.
func (q *queue) run() {
	ended := false
	defer func() {
		if !ended {
			_ = recover()
			go q.run()
		}
	}()
	for {
		e, ok := q.next()
		if !ok {
			ended = true
			return
		}
		if e.handler.Enabled(e.ctx, e.record.Level) {
			q.wrote(e.handler.Handle(e.ctx, e.record))
		}
	}
}

// wrote notes whether a record was written. The first one behind others that failed is followed by a line about these.
func (q *queue) wrote(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch n := q.unwritten; {
	case err != nil:
		q.unwritten++
		q.stats.Failed++
	case n > 0:
		q.unwritten = 0
		q.say(slog.LevelWarn, "log records were lost: they could not be written", "count", n)
	}
}

// next removes and returns a record. If there is none, the goroutine ends.
func (q *queue) next() (e entry, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.at == len(q.batch) {
		q.turn()
	}
	if q.at == len(q.batch) {
		q.running = false
		if q.idle != nil {
			close(q.idle)
			q.idle = nil
		}
		return entry{}, false
	}
	e, q.batch[q.at] = q.batch[q.at], entry{}
	q.at++
	return e, true
}

// turn makes the waiting records the next batch, after a line about those that did not fit. Called with the lock held.
func (q *queue) turn() {
	empty := q.batch[:0]
	if cap(empty) > keepMax {
		empty = nil
	}
	q.batch, q.at = nil, 0
	if n := q.stats.Dropped - q.told; n > 0 {
		q.told = q.stats.Dropped
		q.say(slog.LevelWarn, "log records were left out: the log was behind", "count", n)
	}
	q.batch, q.waiting = q.waiting, empty
}

// awaitIdle returns a channel that is closed when no record waits any more, or nil if none does now.
func (q *queue) awaitIdle() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tellAll()
	if !q.running {
		return nil
	}
	if q.idle == nil {
		q.idle = make(chan struct{})
	}
	return q.idle
}
