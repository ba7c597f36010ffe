package server

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/server/logqueue"
)

// Version is the semantic version of Siren: of this package, of the binary, and of the newest entry in CHANGELOG.md.
const Version = "0.1.0"

// logger is one of the server's groups of records. Immutable, safe for concurrent use.
type logger struct {
	*slog.Logger
	// debug tells that debug records are taken. New and LevelChanged ask: a line that nobody reads costs no call.
	debug *atomic.Bool
}

func newLogger(h slog.Handler, group string) logger {
	l := logger{slog.New(h).WithGroup(group), new(atomic.Bool)}
	l.ask()
	return l
}

// ask asks the handler whether it takes debug records.
func (l logger) ask() { l.debug.Store(l.Handler().Enabled(context.Background(), slog.LevelDebug)) }

// queued returns the handler of Config.Logger behind a queue, or the handler itself if it has one.
func queued(c *Config) *logqueue.Handler {
	h := c.Logger.Handler()
	if q, ok := h.(*logqueue.Handler); ok {
		return q
	}
	return logqueue.New(h, logqueue.Limits{Records: c.LogQueue, Burst: c.LogBurst})
}

// debugs reports whether a logger takes debug records. Hot paths check it before they log.
func debugs(l logger) bool { return l.debug.Load() }

// debugSocket logs something about a socket. Callers on hot paths ask debugs first.
func (s *Socket) debugSocket(message string, attrs ...slog.Attr) {
	s.ns.srv.sio.LogAttrs(context.Background(), slog.LevelDebug, message,
		append([]slog.Attr{slog.String("ns", s.ns.name), slog.String("id", s.id)}, attrs...)...)
}

// about returns the attributes of a record of a higher level about a socket.
func (s *Socket) about(event string) []any {
	return []any{slog.String("ns", s.ns.name), slog.String("id", s.id), slog.String("event", event)}
}

// fewConns is the number of connections below which logStart warns about the limit of open files. Servers are seldom
// meant for fewer, and many systems start processes with a limit of 1,024 or 4,096.
const fewConns = 10_000

// logStart is the first line of a server's life.
func (srv *Server) logStart() {
	var addrs []string
	for _, a := range srv.host.Addrs() {
		addrs = append(addrs, a.String())
	}
	maxConns, openFiles := srv.host.MaxConns()
	srv.log.Info("listening", "version", Version, "socketio", sio.Protocol, "engineio", eio.Protocol,
		"eio3", srv.cfg.AllowEIO3, "addr", strings.Join(addrs, ", "), "path", srv.cfg.Path, "loops", srv.nloops,
		"maxConns", maxConns)
	if srv.cfg.MaxConns == 0 && maxConns < fewConns {
		srv.log.Warn("the limit of open files (RLIMIT_NOFILE) allows few connections", "maxConns", maxConns,
			"openFiles", openFiles)
	}
}
