package logqueue

import (
	"context"
	"log/slog"
	"time"
)

// Defaults of Limits.
const (
	DefaultRecords = 4096
	DefaultBurst   = 20
)

// Limits bound a Handler. Zero fields mean the defaults.
type Limits struct {
	// Records bounds the records that wait for the next handler. Records below Warn get three quarters of it, so that a
	// flood of them leaves room for warnings. Default 4,096: about 1.5 MB, and enough for the Debug records of a
	// thousand clients that connect at once.
	Records int
	// Burst bounds the records at Warn and above that have the same message and come within ten seconds. Default 20:
	// enough to see what happens, and to whom.
	Burst int
}

// Stats has the counters of a Handler.
type Stats struct {
	// Dropped counts records that were left out because Limits.Records others were waiting, Throttled those after
	// Limits.Burst of their kind, and Failed those for which the next handler returned an error, as it does when a disk
	// is full. A line tells how many of these there were when one can be written again.
	Dropped, Throttled, Failed uint64
}

// Handler is a slog.Handler with a queue, which it shares with the handlers that its With methods return. Safe for
// concurrent use.
type Handler struct {
	next slog.Handler
	*queue
}

// New returns a Handler in front of next. It checks once whether next takes records at Debug.
func New(next slog.Handler, limits Limits) *Handler {
	if limits.Records == 0 {
		limits.Records = DefaultRecords
	}
	if limits.Burst == 0 {
		limits.Burst = DefaultBurst
	}
	h := &Handler{next, &queue{own: next, limits: limits, kinds: map[string]*kind{}}}
	h.LevelChanged()
	return h
}

// LevelChanged asks the handler behind again whether it takes debug records: it is asked only by New and here. That
// holds for all handlers that share the queue.
func (h *Handler) LevelChanged() { h.debug.Store(h.own.Enabled(context.Background(), slog.LevelDebug)) }

// Enabled reports whether records of the level may be taken. Records at Info and above are checked again with the next
// handler, on the queue's goroutine.
func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	switch {
	case level >= slog.LevelInfo:
		return true
	case level == slog.LevelDebug:
		return h.debug.Load()
	}
	return h.next.Enabled(ctx, level)
}

// Handle queues the record, or leaves it out. It never blocks or fails. Values of the record must not change
// afterwards.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	if ctx.Done() != nil {
		ctx = context.WithoutCancel(ctx)
	}
	h.put(entry{h.next, ctx, r.Clone()})
	return nil
}

// WithAttrs implements slog.Handler.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Handler{h.next.WithAttrs(attrs), h.queue}
}

// WithGroup implements slog.Handler.
func (h *Handler) WithGroup(name string) slog.Handler {
	return &Handler{h.next.WithGroup(name), h.queue}
}

// Flush waits until the next handler has got all records, at most for limit. It returns false if some still wait. It
// first reports the records that were left out in the last ten seconds.
func (h *Handler) Flush(limit time.Duration) bool {
	idle := h.awaitIdle()
	if idle == nil {
		return true
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-idle:
		return true
	case <-timer.C:
		return false
	}
}

// Stats reads the counters.
func (h *Handler) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stats
}
