package servertest

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/logqueue"
)

// panicLog keeps the panics that the server logs. Safe for concurrent use.
type panicLog struct {
	mu   sync.Mutex
	list []string // guarded by mu
}

// take returns what was kept since the last call.
func (l *panicLog) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.list
	l.list = nil
	return list
}

// queueLog puts a queue in front of the Logger's handler, so that the kit can wait for it, and keeps the panics. A
// Logger with its own queue is used as it is; its panics are counted, but their texts are not kept.
func queueLog(cfg *server.Config, panics *panicLog) *logqueue.Handler {
	inner := slog.DiscardHandler
	if cfg.Logger != nil {
		inner = cfg.Logger.Handler()
	}
	h, ok := inner.(*logqueue.Handler)
	if !ok {
		h = logqueue.New(panicHandler{inner, panics}, logqueue.Limits{Records: cfg.LogQueue, Burst: cfg.LogBurst})
		cfg.Logger = slog.New(h)
	}
	return h
}

// panicHandler is a slog.Handler that keeps panics and passes all records on. Safe for concurrent use.
type panicHandler struct {
	slog.Handler
	panics *panicLog
}

// Enabled implements slog.Handler: panics are logged as errors.
func (h panicHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelError || h.Handler.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h panicHandler) Handle(ctx context.Context, r slog.Record) error {
	var value, stack, about string
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "panic":
			value = a.Value.String()
		case "stack":
			stack = a.Value.String()
		default:
			about += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		}
		return true
	})
	if stack != "" {
		h.panics.mu.Lock()
		h.panics.list = append(h.panics.list, fmt.Sprintf("%s:%s: %s\n%s", r.Message, about, value, stack))
		h.panics.mu.Unlock()
	}
	if !h.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h panicHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return panicHandler{h.Handler.WithAttrs(attrs), h.panics}
}

// WithGroup implements slog.Handler.
func (h panicHandler) WithGroup(name string) slog.Handler {
	return panicHandler{h.Handler.WithGroup(name), h.panics}
}

// Panics settles, and returns the panics of handlers, hooks and listeners since the last call, with their stacks. They
// no longer make the test fail. Those that end their goroutine with runtime.Goexit are among them. Of very many at once
// some have no text; see server.Config.LogBurst.
func (ts *Server) Panics() []string {
	ts.t.Helper()
	ts.settle()
	n := int(ts.Stats().Panics - ts.forgiven)
	ts.forgiven += uint64(n)
	list := ts.panics.take()
	for len(list) < n {
		list = append(list, "a panic without a text")
	}
	return slices.Clip(list)
}

// failOfPanics makes the test fail for the panics that it has not taken.
func (ts *Server) failOfPanics() {
	ts.t.Helper()
	if n := ts.Stats().Panics - ts.forgiven; n > 0 {
		ts.logs.Flush(ts.patience)
		ts.t.Errorf("servertest: %d panics of handlers, which Server.Panics would allow:\n%s", n, strings.Join(ts.panics.take(), "\n\n"))
	}
}
