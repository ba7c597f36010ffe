package server

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/server/internal/clock"
	"github.com/seed58c87869/siren/server/internal/collect"
	"github.com/seed58c87869/siren/server/internal/host"
	"github.com/seed58c87869/siren/server/internal/packets"
	"github.com/seed58c87869/siren/server/internal/tally"
	"github.com/seed58c87869/siren/server/logqueue"
	"github.com/seed58c87869/siren/session"
)

// task is a loop's task: Run gets the loop's index. It is an alias, so that the real loop and the one of tests have the
// identical type.
type task = interface{ Run(loop int) }

// Server is a Socket.IO server. Safe for concurrent use.
type Server struct {
	cfg    Config
	limits sio.Limits
	enc    *packets.Encoding
	inbox  session.InboxLimits
	// settings has the settings of namespaces without their own. Immutable.
	settings settings
	// hooks are those of namespaces without registrations. Immutable.
	hooks  hooks
	nloops int
	// privateFiles is poller.Config's.
	privateFiles bool
	// log, eio and sio are the groups of Config.Logger: the server's life, Engine.IO, Socket.IO.
	log, eio, sio logger
	// logs is the queue in front of Config.Logger, which all of them share. Immutable.
	logs *logqueue.Handler

	stats counters
	// tally counts on the loops. Immutable.
	tally *tally.Tally
	// spares are the messages of inline handlers. Immutable; each element is its loop's.
	spares []spareMessage
	jobs   atomic.Int64
	// runners keeps the goroutines of handlers for the next events.
	runners session.Runners

	mu     sync.RWMutex // guards spaces
	spaces map[string]*Namespace
	root   *Namespace
	// dynamic has the namespaces that clients have made.
	dynamic dynamics

	// host runs the sessions. Immutable.
	host *host.Host
	// deadlines are those of the sockets, by loop. Set before the first connection, each element its loop's.
	deadlines []*deadlines
	// waits has the waits for answers, clock the time of what no loop owns. Immutable.
	waits *collect.Waits
	clock *clock.Clock
	// guestsOnLoops tells that code of the application's may run on event loops.
	guestsOnLoops atomic.Bool
	// node is nil unless the server is one of a cluster. Immutable after New.
	node *node
	// ctx ends when the server closes.
	ctx  context.Context
	stop context.CancelCauseFunc
}

// Option changes a Server in New.
type Option func(*Server)

// New makes a server. Call Listen or ListenAndServe to serve. Errors name the invalid field of Config.
func New(cfg Config, opts ...Option) (*Server, error) {
	cfg, err := cfg.settle()
	if err != nil {
		return nil, err
	}
	logs := queued(&cfg)
	srv := &Server{
		cfg: cfg, logs: logs, limits: cfg.packets(), enc: packets.New(cfg.Parser, cfg.JSON, cfg.MaxAttachmentsSent), nloops: cfg.Loops, spaces: map[string]*Namespace{},
		log: newLogger(logs, "node"), eio: newLogger(logs, "eio"), sio: newLogger(logs, "sio"),
		tally: tally.New(cfg.Loops), spares: make([]spareMessage, cfg.Loops),
	}
	srv.guestsOnLoops.Store(cfg.OnHeaders != nil || cfg.Parser != nil)
	srv.inbox = session.InboxLimits{Jobs: cfg.Inbox.MaxEvents, Bytes: cfg.Inbox.MaxBytes, Running: &srv.jobs, Runners: &srv.runners}
	srv.settings = cfg.settings(srv.inbox)
	srv.hooks = hooks{settings: &srv.settings}
	srv.dynamic.srv = srv
	srv.ctx, srv.stop = context.WithCancelCause(context.Background())
	for _, o := range opts {
		o(srv)
	}
	srv.host = host.New(srv.hostConfig())
	srv.waits = collect.New(srv.host, srv.nloops)
	srv.clock = clock.New(srv.host, srv.nloops, &srv.jobs)
	srv.root = newNamespace(srv, "/")
	srv.spaces["/"] = srv.root
	if err := srv.node.subscribe(srv.root); err != nil {
		return nil, err
	}
	return srv, nil
}

// Of returns the namespace of that name, and makes it if it does not exist. The leading slash may be left out; "" is
// "/". A name that no packet can contain (with a comma, a question mark or a control character) is logged, because no
// client can join it. An existing child of a ParentNamespace is returned, and is never removed from then on. A child
// that does not exist yet is made without the parent's handlers; use Lookup to find one.
func (srv *Server) Of(name string) *Namespace {
	name = "/" + strings.TrimPrefix(name, "/")
	for {
		if ns := srv.of(name); srv.dynamic.keep(ns) {
			return ns
		}
	}
}

func (srv *Server) of(name string) *Namespace {
	if ns := srv.Lookup(name); ns != nil {
		return ns
	}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	ns := srv.spaces[name]
	if ns == nil {
		ns = newNamespace(srv, name)
		srv.spaces[name] = ns
		if ns.unreachable {
			srv.sio.Error("no client can join a namespace of this name", "ns", name)
		}
		_ = srv.node.subscribe(ns)
	}
	return ns
}

// Lookup returns the namespace of that name, which must begin with a slash, or nil. A child of a ParentNamespace may be
// removed while it has no sockets; packets to it then reach nobody.
func (srv *Server) Lookup(name string) *Namespace {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	return srv.spaces[name]
}

// namespace returns the namespace with the name in a packet and holds it for a socket, or nil.
func (srv *Server) namespace(name []byte) *Namespace {
	srv.mu.RLock()
	ns := srv.spaces[string(name)]
	srv.mu.RUnlock()
	if ns != nil && !ns.unreachable && srv.dynamic.hold(ns) {
		return ns
	}
	return nil
}

// Emit broadcasts an event to all sockets of the namespace "/".
func (srv *Server) Emit(event string, args ...any) (int, error) { return srv.root.Emit(event, args...) }

// Start runs the server without an address of its own, for programs that serve its Handler. It is Listen without
// addresses.
func (srv *Server) Start() error { return srv.Listen() }

// Listen opens the addresses, such as ":3000" or "unix:///run/siren.sock", and serves until Close. It returns when the
// server accepts connections. If an address cannot be opened, Listen returns a *ListenError and leaves none open. A
// server listens once; after an error it may try again.
//
// An address is "host:port" or "tcp://host:port", or with tcp4 or tcp6 for IPv4 or IPv6 alone. Port 0 picks a free
// port, see Addrs. An empty host or [::] means all addresses of IPv4 and IPv6, or those of IPv4 on a system without
// IPv6; 0.0.0.0 means those of IPv4. The file of a unix socket that nobody serves any more is replaced, and Close
// removes the server's own; Config.UnixMode has its permissions.
func (srv *Server) Listen(addrs ...string) error {
	if err := srv.host.Listen(addrs); err != nil {
		return srv.startError("start", err)
	}
	srv.logStart()
	return nil
}

// Serve serves the connections of a listener that the program, or its supervisor, has opened, besides those of Listen.
// Start or Listen must have been called. It returns, with the listener closed, when the server has ended or the
// listener is closed; the error is that of accept. The listener's connections must be *net.TCPConn or *net.UnixConn:
// TLS needs a net/http server, see Handler. A connection costs about three times as much to accept as one of Listen,
// and the same afterwards.
func (srv *Server) Serve(ln net.Listener) error { return srv.host.Serve(ln) }

// TakeOver has new connections at the addresses of Listen come to this process, from another one that listens on them
// too (Config.SharePorts) and has begun before. Connections whose handshake has begun still come to the other process:
// it should wait a moment, call StopListening, and drain with DrainPlan.Admit. Nobody is refused then.
func (srv *Server) TakeOver() error { return srv.host.TakeOver() }

// SetElsewhere sets who answers polling requests of clients that this server does not know, because another process has
// them, from which it takes over: fn gets the request as it came, and returns that process's answer, or an error. It
// runs on a goroutine of its own, and ctx ends when the client has gone. Nil ends that. The server must be running.
func (srv *Server) SetElsewhere(fn func(ctx context.Context, request []byte) (*http.Response, error)) error {
	return srv.host.SetElsewhere(fn)
}

// StopListening closes the sockets of Listen, behind the connections in their queues. All connections go on. It is for
// Config.SharePorts alone.
func (srv *Server) StopListening() error { return srv.host.StopListening() }

// Addr returns the first of Addrs; nil when there is none.
func (srv *Server) Addr() net.Addr {
	if addrs := srv.Addrs(); len(addrs) > 0 {
		return addrs[0]
	}
	return nil
}

// Addrs returns the addresses that the server listens on, with their real ports, in the order of Listen's arguments. It
// returns nil before Listen, after Start, and for an attached server. Safe for concurrent use.
func (srv *Server) Addrs() []net.Addr { return srv.host.Addrs() }

// ListenAndServe calls Listen and serves until ctx ends, Close is called or the event loops fail. When ctx ends it
// closes the server.
func (srv *Server) ListenAndServe(ctx context.Context, addrs ...string) error {
	if err := srv.Listen(addrs...); err != nil {
		return err
	}
	return srv.host.WaitOr(ctx, srv.Close)
}

// leaveCluster tells the other nodes, if there are any.
func (srv *Server) leaveCluster() error {
	if srv.node == nil {
		return nil
	}
	return srv.node.adapter.Close()
}

// hostConfig returns the part of the configuration that has nothing to do with Socket.IO.
func (srv *Server) hostConfig() host.Config {
	c := &srv.cfg
	sc := c.session()
	sc.Running, sc.Logger = &srv.jobs, srv.eio.Logger // Close waits for hooks as for other handlers
	return host.Config{
		Session: sc, Attached: func(loops []eventLoop) { srv.deadlines = srv.newDeadlines(loops) },
		Open:     func(s *session.Session) session.Client { return newClient(srv, s) },
		Fallback: c.Fallback, MaxResponse: c.MaxResponse,
		Loops: c.Loops, Backlog: c.Backlog, UnixMode: c.UnixMode, SharePort: c.SharePorts, PrivateFiles: srv.privateFiles, MaxConns: c.MaxConns,
		Resolution: max(c.AckTimeout/100, time.Millisecond), WriteTimeout: c.WriteTimeout, CloseTimeout: c.CloseTimeout,
		GatherTime:   c.GatherTime,
		MemoryBudget: c.MemoryBudget, Jobs: &srv.jobs,
		Panicked: func() { srv.stats.panics.Add(1) }, Failed: func() { srv.waits.End() },
		Log: srv.log.Logger, EIO: srv.eio.Logger,
	}
}
