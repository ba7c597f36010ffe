package server

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed58c87869/siren/poller"
	"github.com/seed58c87869/siren/session"
)

// Handler serves the server in a program that has an HTTP server already:
//
//	http.Handle("/socket.io/", srv.Handler())
//
// It answers requests for Config.Path, whether or not the program strips a prefix; for all else it is Config.Fallback,
// or 404. The server must run: Start is for programs whose only listener is net/http's, Listen for those that want both.
// Before that, and after Close, the answer is 503. Addresses of clients are http.Request.RemoteAddr, and
// Config.TrustedProxies holds for them; Config.ProxyProtocol does not.
//
// A polling request is served by net/http, over HTTP/1.1, HTTP/2 and TLS alike, and costs its goroutine and a few kilobytes
// while it waits. The time-outs of the http.Server are lifted for it; the server's own hold.
//
// A WebSocket is taken over from net/http as soon as its first request has come. A plain connection (*net.TCPConn,
// *net.UnixConn) is given to an event loop, where it costs what a connection of the server's own listener does, in
// memory, system calls and goroutines (none). Any other kind, such as TLS or what a listener has wrapped, keeps one goroutine
// that reads, has another while there is something to write, and costs some 4 KiB of buffer besides; its messages
// take a turn of the event loop each way, and a broadcast is copied, and encrypted, for each of these.
//
// Close ends all of them. http.Server.Shutdown does not wait for WebSockets but does for polling requests, which last up
// to Config.PingInterval: call Close before it, or by RegisterOnShutdown.
func (srv *Server) Handler() http.Handler { return (*mounted)(srv) }

// mounted is a Server as an http.Handler.
type mounted Server

// ServeHTTP implements http.Handler.
func (m *mounted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	srv := (*Server)(m)
	engine, ok := srv.serving()
	if !ok {
		unavailable(w, r)
		return
	}
	target, own := targetOf(engine, r)
	switch {
	case !own && srv.cfg.Fallback != nil:
		srv.cfg.Fallback.ServeHTTP(w, r)
	case !own && asksForWebSocket(r):
		turnAway(w, r, "Not found", http.StatusNotFound)
	case !own:
		http.Error(w, "Not found", http.StatusNotFound)
	case !srv.mount.enter():
		unavailable(w, r)
	case asksForWebSocket(r):
		defer srv.mount.exit()
		srv.takeOver(engine, w, r, target)
	default:
		defer srv.mount.exit()
		srv.visit(engine, w, r, target)
	}
}

func unavailable(w http.ResponseWriter, r *http.Request) {
	if asksForWebSocket(r) {
		closes(w, r)
	}
	w.Header().Set("Retry-After", "1")
	http.Error(w, "The server does not run", http.StatusServiceUnavailable)
}

// serving is the engine while it answers: it does still while the server closes, or polling clients could not fetch what
// is left for them.
func (srv *Server) serving() (*session.Engine, bool) {
	srv.life.RLock()
	defer srv.life.RUnlock()
	state := srv.state.Load()
	return srv.engine, srv.engine != nil && (serverOpen <= state && state <= serverClosing)
}

// targetOf is the request target as the engine is to see it. A program may have stripped a prefix before the engine's
// path, which r.URL shows, or the path itself, which the request line still has.
func targetOf(engine *session.Engine, r *http.Request) (target string, own bool) {
	if path, _, _ := strings.Cut(r.RequestURI, "?"); engine.Owns(path) {
		return r.RequestURI, true
	}
	if !engine.Owns(r.URL.Path) {
		return "", false
	}
	if r.URL.RawQuery == "" {
		return r.URL.Path, true
	}
	return r.URL.Path + "?" + r.URL.RawQuery, true
}

// peerOf is who has sent the request. What cannot be read stands for no address, as of a unix socket.
func peerOf(r *http.Request) session.Peer {
	addr, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		// Middleware may have put an address without a port there.
		ip, _ := netip.ParseAddr(r.RemoteAddr)
		addr = netip.AddrPortFrom(ip, 0)
	}
	return session.Peer{Addr: netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port()), Secure: r.TLS != nil}
}

// mount is what a server has in the program's own HTTP server. Safe for concurrent use; the zero value is ready.
type mount struct {
	turn  atomic.Uint32 // of the loops
	wires atomic.Int64  // how many there are

	mu     sync.Mutex
	closed bool               // guarded by mu
	open   map[*wire]struct{} // guarded by mu: they are closed by Close
	quit   chan struct{}      // guarded by mu: closed by Close; made when first needed
	users  int                // guarded by mu: requests, and the goroutines of wires
	visits int                // guarded by mu: the requests among the users
}

// closeMount is how long the last goroutines have to go when their connections are closed.
const closeMount = 5 * time.Second

// enter counts a request; false when the mount is closed.
func (m *mount) enter() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.users++
	m.visits++
	return true
}

// exit is the end of a request.
func (m *mount) exit() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.users--
	m.visits--
}

// more counts another goroutine of a user, also when the mount is closed.
func (m *mount) more() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.users++
}

func (m *mount) leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.users--
}

func (m *mount) visiting() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.visits
}

func (m *mount) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.users
}

// done is closed by Close.
func (m *mount) done() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.quit == nil {
		m.quit = make(chan struct{})
		if m.closed {
			close(m.quit)
		}
	}
	return m.quit
}

// add registers a wire; false when the mount is closed.
func (m *mount) add(w *wire) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	if m.open == nil {
		m.open = make(map[*wire]struct{})
	}
	m.open[w] = struct{}{}
	m.users++
	return true
}

func (m *mount) remove(w *wire) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.open, w)
}

// close takes nothing new, waits until what is left has ended by itself or ctx has, and cuts the rest. It returns how many
// requests it has cut, and connections with something unsent.
func (m *mount) close(ctx context.Context) (cut int) {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	pollUntil(ctx, func() bool { return m.count() == 0 })
	m.mu.Lock()
	cut = m.visits
	if m.quit != nil {
		close(m.quit)
	}
	left := make([]*wire, 0, len(m.open))
	for w := range m.open {
		left = append(left, w)
	}
	m.mu.Unlock()
	for _, w := range left {
		if w.unsent() > 0 {
			cut++
		}
		w.cut()
	}
	ending, cancel := context.WithTimeout(context.Background(), closeMount)
	defer cancel()
	pollUntil(ending, func() bool { return m.count() == 0 })
	return cut
}

// loopFor is the loop for a request: the home of its session, or the next in turn.
func (srv *Server) loopFor(engine *session.Engine, r *http.Request) EventLoop {
	if i, ok := engine.HomeOf(r.URL.Query().Get("sid")); ok {
		return srv.loops[i]
	}
	return srv.loops[int(srv.mount.turn.Add(1)-1)%len(srv.loops)]
}

// lend makes the handles with which loops write to bridges of others, and those of other connections by borrow.
func lend(loops []EventLoop, borrow session.Borrow) session.Borrow {
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

// writeTimeout is Config.WriteTimeout with its default.
func (c *Config) writeTimeout() time.Duration {
	if c.WriteTimeout == 0 {
		return poller.DefaultWriteTimeout
	}
	return c.WriteTimeout
}
