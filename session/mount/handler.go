package mount

import (
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed58c87869/siren/poller/stream"
	"github.com/seed58c87869/siren/session"
)

// Config holds the settings of a Handler. All fields but Fallback are required.
type Config struct {
	// WriteTimeout bounds the time that a write of an answer, or to a bridged WebSocket, may take.
	WriteTimeout time.Duration
	// Fallback answers requests for other paths than the engine's. If it is nil, they are answered with 404.
	Fallback http.Handler
	// Full is called with the number of bridged WebSockets, before another one is taken over. It reports whether the
	// limit of connections is reached; the request is then refused with 503. It must be safe for concurrent use.
	Full func(bridged int) bool
	// Failed is closed when the event loops have failed, so that nobody waits for them.
	Failed <-chan struct{}
	// Logger gets errors of connections at Debug, and WebSockets that cannot be taken over at Warn.
	Logger *slog.Logger
}

// Loop is the interface of a Handler to an event loop: package session's, and the part that serves connections.
type Loop interface {
	session.Loop
	// Stream returns the part of the loop that serves connections. Immutable.
	Stream() *stream.Loop
}

// Handler is an http.Handler for the requests of an engine's path. Until Serve is called, and after Close, it answers
// with 503. Safe for concurrent use.
type Handler struct {
	cfg     Config
	serving atomic.Pointer[engine] // nil before Serve
	turn    atomic.Uint32          // the next loop for a request that belongs to none
	wires   atomic.Int64           // the number of open wires

	mu     sync.Mutex
	closed bool               // guarded by mu
	open   map[*wire]struct{} // guarded by mu; Close cuts them
	quit   chan struct{}      // guarded by mu; closed by Close, made when first needed
	users  int                // guarded by mu; requests, and the goroutines of wires
	visits int                // guarded by mu; the requests among the users
	idle   chan struct{}      // guarded by mu; made by Close, closed when there are no users
}

// engine is what a Handler serves. Immutable.
type engine struct {
	*session.Engine
	loops []Loop
}

// New returns a Handler that does not serve yet.
func New(cfg Config) *Handler { return &Handler{cfg: cfg} }

// Serve begins to serve the engine. The loops are the engine's, in the order of their indexes, and its Borrow must be
// one that Lend has returned. Serve is called once.
func (h *Handler) Serve(e *session.Engine, loops []Loop) { h.serving.Store(&engine{e, loops}) }

// closeTimeout is how long Close waits for the last goroutines after their connections were closed.
const closeTimeout = 5 * time.Second

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e := h.serving.Load()
	if e == nil || h.isClosed() {
		unavailable(w, r)
		return
	}
	target, own := targetOf(e.Engine, r)
	switch {
	case !own && h.cfg.Fallback != nil:
		h.cfg.Fallback.ServeHTTP(w, r)
	case !own && asksForWebSocket(r):
		turnAway(w, r, "Not found", http.StatusNotFound)
	case !own:
		http.Error(w, "Not found", http.StatusNotFound)
	case !h.enter():
		unavailable(w, r)
	case asksForWebSocket(r):
		defer h.exit()
		h.takeOver(e, w, r, target)
	default:
		defer h.exit()
		h.visit(e, w, r, target)
	}
}

func unavailable(w http.ResponseWriter, r *http.Request) {
	if asksForWebSocket(r) {
		closes(w, r)
	}
	w.Header().Set("Retry-After", "1")
	http.Error(w, "The server does not run", http.StatusServiceUnavailable)
}

// targetOf returns the request target as the engine must see it. A program may have stripped a prefix before the
// engine's path, which r.URL shows, or the path itself, which the request line still has.
func targetOf(e *session.Engine, r *http.Request) (target string, own bool) {
	if path, _, _ := strings.Cut(r.RequestURI, "?"); e.Owns(path) {
		return r.RequestURI, true
	}
	if !e.Owns(r.URL.Path) {
		return "", false
	}
	if r.URL.RawQuery == "" {
		return r.URL.Path, true
	}
	return r.URL.Path + "?" + r.URL.RawQuery, true
}

// peerOf returns the sender of the request. An address that cannot be read stands for none, as that of a unix socket.
func peerOf(r *http.Request) session.Peer {
	addr, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		// Middleware may have put an address without a port there.
		ip, _ := netip.ParseAddr(r.RemoteAddr)
		addr = netip.AddrPortFrom(ip, 0)
	}
	return session.Peer{Addr: netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port()), Secure: r.TLS != nil}
}

// loopFor returns the loop for a request: the home of its session, or the next in turn.
func (h *Handler) loopFor(e *engine, r *http.Request) Loop {
	if i, ok := e.HomeOf(r.URL.Query().Get("sid")); ok {
		return e.loops[i]
	}
	return e.loops[int(h.turn.Add(1)-1)%len(e.loops)]
}

// Lend returns the engine's Borrow: it makes the handles with which loops write to bridges of other loops, and uses
// borrow for all other connections. It returns nil if borrow is nil, which is for an engine of one loop.
func Lend(loops []Loop, borrow session.Borrow) session.Borrow {
	if borrow == nil {
		return nil
	}
	return func(c session.StreamConn, home int) session.Conn {
		if b, ok := c.(*bridge); ok {
			return b.Borrow(loops[home].Stream())
		}
		return borrow(c, home)
	}
}
