package host

import (
	"context"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed58c87869/siren/codec/httpwire"
	"github.com/seed58c87869/siren/poller"
	"github.com/seed58c87869/siren/poller/memory"
	"github.com/seed58c87869/siren/server/attach"
	"github.com/seed58c87869/siren/session"
	"github.com/seed58c87869/siren/session/mount"
)

// Config holds the settings of a Host. The caller has checked them and set their defaults.
type Config struct {
	// Session is the configuration of the engine.
	Session session.Config
	// Attached, if set, is called with the loops when they are known, before the first connection.
	Attached func(loops []Loop)
	// Open makes the client of each session, see session.App.
	Open func(s *session.Session) session.Client
	// Fallback answers requests for other paths; nil for 404. MaxResponse bounds its answers, in bytes.
	Fallback    http.Handler
	MaxResponse int
	// Loops is the number of event loops. Addresses are opened with Backlog, UnixMode and SharePort, and PrivateFiles
	// is poller.Config's.
	Loops        int
	Backlog      int
	UnixMode     fs.FileMode
	SharePort    bool
	PrivateFiles bool
	// MaxConns bounds the connections; 0 is what the limit of open files allows.
	MaxConns int
	// Resolution is the resolution of the loops' timers, unless Session needs a finer one.
	Resolution time.Duration
	// WriteTimeout closes a connection whose peer takes nothing for that long; 0 is poller's. CloseTimeout bounds
	// Close.
	WriteTimeout, CloseTimeout time.Duration
	// GatherTime is poller.Config's.
	GatherTime time.Duration
	// MemoryBudget bounds, in bytes, what all clients hold; 0 or less for no bound.
	MemoryBudget int64
	// Jobs counts the handlers that run: those of the application, of Session and of Fallback.
	Jobs *atomic.Int64
	// Panicked counts a panic of Fallback. Failed is called when the event loops have failed.
	Panicked, Failed func()
	// Log gets the life of the Host, EIO what concerns sessions and their connections.
	Log, EIO *slog.Logger
}

// Loop is an event loop as a Host needs it.
type Loop = attach.Loop

// The states of a Host.
const (
	fresh = iota
	open
	// draining: sessions are ended one after the other; everything else goes on.
	draining
	// ending: accepted events are still answered; no more input is accepted, and nobody waits for answers any more.
	ending
	closing
	closed
)

// Host runs an engine of sessions: on event loops of its own, with their listeners, or on those of others. Safe for
// concurrent use.
type Host struct {
	cfg   Config
	state atomic.Int32
	// life is held while Listen or Attach starts what follows, and guards it; loops and engine are set before the first
	// connection. poller stays nil when the loops are somebody else's.
	life   sync.RWMutex
	loops  []Loop
	engine *session.Engine
	// mounted has the loops for package mount.
	mounted []mount.Loop
	// budget is nil without Config.MemoryBudget.
	budget *memory.Budget
	poller *poller.Engine
	// maxConns is the limit of connections, without those that may only request the health path. full bounds the
	// warnings that it is reached.
	maxConns int
	full     poller.Throttle
	mount    *mount.Handler // immutable

	closing sync.Once
	// report and closeErr are what Close and Drain return, set by the first of them.
	report   Report
	closeErr error
	// hurry ends a drain, after which the Host closes; cut ends all waiting.
	hurry, cut       context.Context
	hurryNow, cutNow context.CancelFunc
	// done is closed at the end. endErr is the reason, and does not change after that.
	ended  sync.Once
	done   chan struct{}
	endErr error
}

// New returns a Host that does not run yet.
func New(cfg Config) *Host {
	h := &Host{cfg: cfg, done: make(chan struct{})}
	h.hurry, h.hurryNow = context.WithCancel(context.Background())
	h.cut, h.cutNow = context.WithCancel(context.Background())
	timeout := cfg.WriteTimeout
	if timeout == 0 {
		timeout = poller.DefaultWriteTimeout
	}
	h.mount = mount.New(mount.Config{
		WriteTimeout: timeout, Fallback: cfg.Fallback, Full: h.fullWith, Failed: h.done, Logger: cfg.EIO,
	})
	return h
}

// Handler serves the engine's path in a program's own net/http server, see package mount.
func (h *Host) Handler() http.Handler { return h.mount }

// Loop returns a loop by its index. It must not be called before Listen has returned or a session has begun.
func (h *Host) Loop(i int) Loop { return h.loops[i] }

// Engine returns the engine of the sessions. It must not be called before Listen has returned or a session has begun.
func (h *Host) Engine() *session.Engine { return h.engine }

// Running returns what Listen has started, or nil before. An attached Host has no poller.
func (h *Host) Running() (*poller.Engine, *session.Engine) {
	h.life.RLock()
	defer h.life.RUnlock()
	return h.poller, h.engine
}

// Draining reports whether Drain or Close has begun.
func (h *Host) Draining() bool { return h.state.Load() >= draining }

// Started reports whether the loops run.
func (h *Host) Started() bool {
	_, engine := h.Running()
	return engine != nil
}

// Ending reports whether no more input is accepted and nobody waits for answers any more.
func (h *Host) Ending() bool { return h.state.Load() >= ending }

// Closing reports whether the sessions end, or the event loops have failed.
func (h *Host) Closing() bool {
	if h.state.Load() >= closing {
		return true
	}
	if p, _ := h.Running(); p != nil {
		select {
		case <-p.Done(): // the event loops have failed
			return true
		default:
		}
	}
	return false
}

// Addrs returns the addresses that the Host listens on, with their real ports; nil when there are none.
func (h *Host) Addrs() []net.Addr {
	p, _ := h.Running()
	if p == nil {
		return nil
	}
	return p.Addrs()
}

// app is a Host as the session.App of its engine.
type app Host

// Open implements session.App.
func (a *app) Open(s *session.Session) session.Client { return a.cfg.Open(s) }

// Serves implements session.App.
func (a *app) Serves() bool { return a.cfg.Fallback != nil }

// Request implements session.App.
func (a *app) Request(x *session.Exchange, r *httpwire.Request) { (*Host)(a).fallback(x, r) }
