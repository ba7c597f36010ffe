package poller

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
)

// acceptLogEvery is how many failures of accept give one line in the log: there may be one for each connection that
// arrives.
const acceptLogEvery = 1000

// gnetLogger passes gnet's log to slog, with gnet's Info as Debug because the engine reports its own life cycle. It
// keeps the latest error, which is the only place where gnet tells why it has ended. Safe for concurrent use.
type gnetLogger struct {
	log          *slog.Logger
	onAccept     func(error)
	acceptErrors atomic.Int64

	mu     sync.Mutex
	latest string // guarded by mu
	accept string // guarded by mu: the latest failure of accept, which gnet follows with vaguer messages
}

func (g *gnetLogger) Debugf(format string, args ...any) { g.emit(slog.LevelDebug, format, args) }
func (g *gnetLogger) Infof(format string, args ...any)  { g.emit(slog.LevelDebug, format, args) }
func (g *gnetLogger) Warnf(format string, args ...any)  { g.emit(slog.LevelWarn, format, args) }
func (g *gnetLogger) Fatalf(format string, args ...any) { g.Errorf(format, args...) }

func (g *gnetLogger) Errorf(format string, args ...any) {
	// gnet reports the cause of a failed accept only here.
	if strings.HasPrefix(format, "Accept()") && len(args) > 0 {
		if err, ok := args[0].(error); ok {
			g.onAccept(err)
		}
		if g.acceptErrors.Add(1)%acceptLogEvery != 1 {
			return
		}
	}
	g.mu.Lock()
	if strings.HasPrefix(format, "Accept()") {
		g.accept = fmt.Sprintf(format, args...)
	}
	g.latest = fmt.Sprintf(format, args...)
	g.mu.Unlock()
	g.emit(slog.LevelError, format, args)
}

func (g *gnetLogger) emit(level slog.Level, format string, args []any) {
	if g.log.Enabled(context.Background(), level) {
		g.log.Log(context.Background(), level, fmt.Sprintf(format, args...))
	}
}

// cause returns the message that explains best why gnet has ended.
func (g *gnetLogger) cause() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.accept != "" {
		return g.accept
	}
	return g.latest
}
