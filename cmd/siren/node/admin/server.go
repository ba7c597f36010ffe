package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/seed58c87869/siren/cmd/siren/node/problem"
	"github.com/seed58c87869/siren/poller/portshare"
)

// Server is the operators' listener. Safe for concurrent use, but Handle and Listen are for one goroutine.
type Server struct {
	cfg    Config
	place  place
	routes map[string]*Route // immutable once it listens
	keys   atomic.Pointer[keyring]
	rate   rate
	// protectsMetrics is Config.ProtectMetrics.
	protectsMetrics atomic.Bool
	http            *fasthttp.Server
	ln              net.Listener
	// socket is the descriptor of a socket that Listen uses, if it is above 0.
	socket int
	served sync.WaitGroup
	// strangers has why a request may not be made whose body is being read, by its *fasthttp.RequestHeader: when the body is
	// too large, fasthttp has forgotten the head.
	strangers sync.Map
}

// New makes a server. Errors name the field of Config that is wrong, or are ErrKeyNeeded, wrapped.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.settle()
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, routes: map[string]*Route{}}
	if s.place, err = parseAddress(cfg.Address); err != nil {
		return nil, err
	}
	if err := s.SetKeys(cfg.Keys); err != nil {
		return nil, err
	}
	s.rate.set(cfg.RequestsPerSecond)
	s.protectsMetrics.Store(cfg.ProtectMetrics)
	s.http = &fasthttp.Server{
		Handler: s.serve, ErrorHandler: s.unread, HeaderReceived: s.bound, Logger: logger{cfg.Logger},
		ReadBufferSize: cfg.MaxHead, MaxRequestBodySize: cfg.MaxBody, Concurrency: cfg.MaxConns,
		ReadTimeout: cfg.ReadTimeout, WriteTimeout: cfg.WriteTimeout, IdleTimeout: cfg.IdleTimeout,
		NoDefaultServerHeader: true, NoDefaultContentType: true, DisablePreParseMultipartForm: true, CloseOnShutdown: true,
		SecureErrorLogMessage: true,
	}
	s.Handle(s.own()...)
	return s, nil
}

// SetKeys changes the keys. It returns an error, and changes nothing, when a key is empty, or when there would be none and
// the address is reachable from other machines.
func (s *Server) SetKeys(keys []string) error {
	ring, err := newKeyring(keys)
	if err != nil {
		return err
	}
	if len(ring) == 0 && !s.place.local {
		return fmt.Errorf("admin: cannot listen on %s: %w", s.cfg.Address, ErrKeyNeeded)
	}
	s.keys.Store(&ring)
	return nil
}

// SetRate changes Config.RequestsPerSecond.
func (s *Server) SetRate(perSecond int) { s.rate.set(max(perSecond, 0)) }

// SetProtectMetrics changes Config.ProtectMetrics.
func (s *Server) SetProtectMetrics(on bool) { s.protectsMetrics.Store(on) }

// listenQueue is the length of the queue of a shared port: the kernel makes it shorter.
const listenQueue = 4096

// Bind takes an address with Config.SharePort without listening, so that Listen cannot fail for want of the address:
// connections come to a process from the moment in which it listens. Without SharePort it does nothing.
func (s *Server) Bind() (err error) {
	switch {
	case !s.cfg.SharePort:
		return nil
	case s.place.network == "unix":
		return fmt.Errorf("admin: %s: processes cannot share a unix socket", s.cfg.Address)
	}
	if s.socket, err = portshare.Bind(s.place.network, s.place.address); err != nil {
		return fmt.Errorf("admin: cannot listen on %s: %w", s.cfg.Address, err)
	}
	return nil
}

// TakeOver has new connections come to this server, from that of another process that shares the address and has listened
// before.
func (s *Server) TakeOver() error {
	if ln, ok := s.ln.(*portshare.Listener); ok {
		return ln.Steer()
	}
	return nil
}

// Listen opens the address and serves until Close.
func (s *Server) Listen() error {
	if s.socket > 0 {
		ln, err := portshare.Listen(s.socket, listenQueue)
		if err != nil {
			return fmt.Errorf("admin: cannot listen on %s: %w", s.cfg.Address, err)
		}
		s.Serve(ln)
		return nil
	}
	if s.place.network == "unix" {
		if err := removeStale(s.place.address); err != nil {
			return err
		}
	}
	ln, err := net.Listen(s.place.network, s.place.address)
	if err != nil {
		return fmt.Errorf("admin: cannot listen on %s: %w", s.cfg.Address, err)
	}
	s.Serve(ln)
	return nil
}

// removeStale removes the file of a unix socket on which nobody listens any more.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode()&os.ModeSocket == 0:
		return fmt.Errorf("admin: cannot listen on %s: it is a file", path)
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		_ = c.Close()
		return fmt.Errorf("admin: cannot listen on %s: the address is in use", path)
	}
	return os.Remove(path)
}

// Serve serves the connections of a listener of the caller's until Close, which closes it. The listener must be of
// Config.Address.
func (s *Server) Serve(ln net.Listener) {
	s.ln = ln
	if !s.place.local && s.cfg.TLS == nil {
		s.cfg.Logger.Warn("keys travel in clear: other machines can reach the operators' listener, and it has no TLS", "addr", ln.Addr().String())
	}
	ln = &lingering{ln}
	if s.cfg.TLS != nil {
		ln = tlsListener(ln, s.cfg.TLS)
	}
	s.served.Go(func() {
		if err := s.http.Serve(ln); err != nil {
			s.cfg.Logger.Error("the operators' listener has ended", "err", err)
		}
	})
}

// Addr is where the server listens, with its real port; nil before Listen.
func (s *Server) Addr() net.Addr {
	if s.ln == nil {
		return nil
	}
	return s.ln.Addr()
}

// Close stops listening, lets the requests under way finish until ctx ends, and closes the connections.
func (s *Server) Close(ctx context.Context) error {
	if s.ln == nil {
		return nil
	}
	err := s.http.ShutdownWithContext(ctx)
	_ = s.ln.Close() // fasthttp does not know it before Serve runs, and would accept for ever
	s.served.Wait()
	return err
}

// strangerBody is how much of a body is read of somebody who may not ask.
const strangerBody = 64 << 10

// bound bounds the body of a request when its head has arrived: who may not ask has nothing kept for it.
func (s *Server) bound(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	if n := h.ContentLength(); n >= 0 && n <= strangerBody {
		return fasthttp.RequestConfig{} // it is small anyway, and looked at later
	}
	if _, _, p := s.admit(h, false); p != nil {
		s.strangers.Store(h, p)
		return fasthttp.RequestConfig{MaxRequestBodySize: min(strangerBody, s.cfg.MaxBody)}
	}
	return fasthttp.RequestConfig{}
}

// unread answers a request that could not be read.
func (s *Server) unread(ctx *fasthttp.RequestCtx, err error) {
	linger(ctx.Conn())
	p := problem.New(problem.BadRequest, "the request cannot be read")
	var small *fasthttp.ErrSmallBuffer
	var timeout net.Error
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		p = problem.New(problem.TooLarge, fmt.Sprintf("the body is larger than %d bytes", s.cfg.MaxBody))
	case errors.As(err, &small):
		p = problem.New(problem.HeadTooLarge, fmt.Sprintf("the head is larger than %d bytes", s.cfg.MaxHead))
	case errors.As(err, &timeout) && timeout.Timeout():
		p = problem.New(problem.RequestTimeout, fmt.Sprintf("the request has not arrived within %v", s.cfg.ReadTimeout))
	}
	if v, ok := s.strangers.LoadAndDelete(&ctx.Request.Header); ok {
		p = v.(*problem.Problem)
	}
	ctx.Response.Reset()
	Refuse(ctx, p)
	ctx.SetConnectionClose()
	if s.cfg.Observe != nil {
		s.cfg.Observe("unknown", p.Code.Status(), 0)
	}
}

// logger hands fasthttp's lines to the log: they are about connections that end early.
type logger struct{ log *slog.Logger }

// Printf implements fasthttp.Logger.
func (l logger) Printf(format string, args ...any) {
	l.log.Debug("operators' listener", "msg", fmt.Sprintf(format, args...))
}

func stack() string { return string(debug.Stack()) }
