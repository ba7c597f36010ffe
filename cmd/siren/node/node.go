package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed58c87869/siren/cmd/siren/node/api"
	"github.com/seed58c87869/siren/cmd/siren/node/broker"
	"github.com/seed58c87869/siren/cmd/siren/node/config"
	"github.com/seed58c87869/siren/cmd/siren/node/exposition"
	"github.com/seed58c87869/siren/cmd/siren/node/gate"
	"github.com/seed58c87869/siren/cmd/siren/node/systemd"
	"github.com/seed58c87869/siren/room/cluster/forward"
	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/adminui"
	"github.com/seed58c87869/siren/server/logqueue"
)

// flushTime is how long the last lines of the log may take.
const flushTime = time.Second

// Options are what a Node is made of.
type Options struct {
	// Loaded is the configuration.
	Loaded *config.Loaded
	// Load reads the configuration again, for Reload. Nil: there is nothing to read.
	Load func() (*config.Loaded, error)
	// Cut, if set, ends when the end of the node must take no more time: what is left then is closed at once.
	Cut context.Context
	// Sockets are listeners that the supervisor has opened, in place of those of the configuration. The node closes them.
	Sockets systemd.Sockets
	// Log is where lines of the log go.
	Log io.Writer
	// Commit is the revision of the sources, for the metrics; empty where it is unknown.
	Commit string
}

// Node is one broadcast node. Safe for concurrent use.
type Node struct {
	logs  *logqueue.Handler // immutable, as are the following fields
	log   *slog.Logger
	level *slog.LevelVar
	srv   *server.Server
	// broker joins the node to its cluster; nil when it is alone. The server closes it.
	broker broker.Adapter
	// forward passes requests on to other nodes; nil without forward.listen.
	forward *forward.Node
	load    func() (*config.Loaded, error)
	name    string
	// gate decides who comes in, and tells the backend.
	gate *gate.Gate
	// adminUI is nil when there was no official Admin UI yet.
	adminUI atomic.Pointer[adminui.UI]
	// spaces are the namespaces with their rules.
	spaces *spaces
	// exposition is /metrics.
	exposition *exposition.Exposition
	// operators is nil without an operators' listener.
	operators *operators
	// drain is the end of the node.
	drain drain
	// restart is nil without reuse_port.
	restart *restart
	// sockets are the supervisor's, which supervisor tells about the node.
	sockets    systemd.Sockets
	supervisor systemd.Notifier

	mu sync.Mutex // guards running; held during a reload
	// running is the configuration in force.
	running *config.Loaded
}

// New makes a node, which does not listen yet. Errors are for the user to read.
func New(o Options) (*Node, error) {
	cfg := &o.Loaded.Config
	n := &Node{load: o.Load, running: o.Loaded, name: nameOf(cfg), level: new(slog.LevelVar), drain: newDrain(o.Cut), sockets: o.Sockets}
	n.level.Set(levelOf(cfg.Log.Level))
	n.logs = newLog(o.Log, cfg.Log.Format, n.level)
	n.log = slog.New(n.logs)
	n.supervisor = systemd.Notifier{Log: n.log}
	rules, err := newRules(cfg)
	if err != nil {
		return nil, err
	}
	for _, w := range o.Loaded.Warnings {
		n.log.Warn(w)
	}
	limitHeap(n.log)
	if cfg.ReusePort {
		if n.restart, err = newRestart(cfg, o.Sockets); err != nil {
			return nil, err
		}
	}
	if n.broker, err = broker.New(brokerOf(cfg, n.log)); err != nil {
		return nil, err
	}
	made := false
	defer func() {
		if !made && n.broker != nil {
			_ = n.broker.Close()
		}
		if !made {
			n.closeForward()
		}
	}()
	if n.forward, err = n.newForward(cfg); err != nil {
		return nil, err
	}
	if n.srv, err = server.New(n.serverConfig(cfg), n.joinCluster()...); err != nil {
		return nil, err
	}
	told := exposition.Config{
		Server: n.srv, Version: server.Version, Commit: o.Commit, Gate: func() gate.Stats { return n.gate.Stats() },
		Dropped: n.dropped, Calls: api.Calls(), Log: n.log,
	}
	if n.broker != nil {
		told.Cluster = n.broker
	}
	told.Forward = n.forward
	n.exposition = exposition.New(told)
	if n.gate, err = gate.New(n.gateConfig(cfg)); err != nil {
		return nil, err
	}
	n.spaces = newSpaces(n)
	if err := n.spaces.apply(rules); err != nil {
		return nil, err
	}
	if n.operators, err = n.newOperators(cfg); err != nil {
		return nil, err
	}
	if err := n.setAdminUI(cfg); err != nil {
		n.operators.close()
		return nil, err
	}
	made = true
	return n, nil
}

// brokerOf returns the broker of a configuration.
func brokerOf(cfg *config.Config, log *slog.Logger) broker.Config {
	b := &cfg.Broker
	out := broker.Config{URL: b.URL, Listen: b.Embedded.Listen, Routes: b.Embedded.Routes, Log: log}
	if lines := b.Embedded.SecretFile.Lines; len(lines) > 0 {
		out.Secret = lines[0]
	}
	return out
}

// joinCluster returns the option that makes the server a node of a cluster, if there is a broker.
func (n *Node) joinCluster() []server.Option {
	if n.broker == nil {
		return nil
	}
	return []server.Option{server.WithAdapter(n.broker)}
}

// newLog returns a log in the format, from the level on. Nobody waits for out.
func newLog(out io.Writer, format string, level slog.Leveler) *logqueue.Handler {
	options := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return logqueue.New(slog.NewJSONHandler(out, options), logqueue.Limits{})
	}
	return logqueue.New(slog.NewTextHandler(out, options), logqueue.Limits{})
}

// levelOf returns the level of a name, which is one of those that a configuration may have.
func levelOf(name string) (level slog.Level) {
	_ = level.UnmarshalText([]byte(name))
	return level
}

// loopsMax is the most that a server may have.
const loopsMax = 256

// serverConfig returns the settings of the server.
func (n *Node) serverConfig(cfg *config.Config) server.Config {
	e := &cfg.Engine
	loops := e.Loops
	if loops == 0 {
		loops = min(runtime.GOMAXPROCS(0), loopsMax)
	}
	out := server.Config{
		Path: cfg.Path, PingInterval: e.PingInterval, PingTimeout: e.PingTimeout, MaxPayload: e.MaxPayload,
		// The inbox must take the largest message, several times.
		Inbox:        server.Inbox{MaxBytes: max(8<<20, 4*e.MaxPayload)},
		Queue:        server.Queue{MaxBytes: cfg.Limits.QueueBytes},
		MemoryBudget: cfg.Limits.MemoryBytes,
		MaxSessions:  cfg.Limits.Connections, Limits: limitsOf(cfg),
		MaxRooms: cfg.Limits.RoomsPerSocket, Loops: loops, Logger: n.log,
		HealthPath: healthPath, SharePorts: cfg.ReusePort,
		Fallback: n.pages(cfg.Path, cfg.Demo),
		// The pages take no bodies; the smallest limit refuses one before it has come.
		MaxRequestBody: 1,
		AllowEIO3:      e.AllowEIO3, PerMessageDeflate: server.PerMessageDeflate{Enabled: e.Compress},
		// Clients that come back show their token again: it may be another one, or have been revoked.
		Recovery:      server.Recovery{MaxDisconnection: e.Recovery, RunMiddlewares: e.Recovery > 0},
		ProxyProtocol: cfg.Proxies.ProxyProtocol,
		CORS:          originsAllowed(cfg.CORS.Origins),
	}
	if n.forward != nil { // an interface with a nil *forward.Node would not be nil
		out.Forwarder = n.forward
	}
	for _, text := range cfg.Proxies.Trusted {
		if prefix, err := config.ParsePrefix(text); err == nil { // loading has checked them
			out.TrustedProxies = append(out.TrustedProxies, prefix)
		}
	}
	return out
}

// served returns what the log tells of a node that serves, with the addresses of its pages for browsers on this machine.
func (n *Node) served(descriptors uint64) []any {
	demo := n.Config().Demo
	attrs := []any{"go", runtime.Version(), "descriptors", descriptors, "demo", demo}
	if page := pageAddress("http", n.srv.Addr()); demo && page != "" {
		attrs = append(attrs, "page", page)
	}
	if page := n.operators.dashboard(); page != "" {
		attrs = append(attrs, "dashboard", page)
	}
	return attrs
}

// Server returns the node's server.
func (n *Node) Server() *server.Server { return n.srv }

// Log returns the node's log.
func (n *Node) Log() *slog.Logger { return n.log }

// Run listens and serves until ctx ends, or until the API asks for the end. It returns a *LossError when something was
// lost or cut short at the end; the log has told. Other errors are for the user to read. It is called once.
func (n *Node) Run(ctx context.Context) error {
	defer n.logs.Flush(flushTime)
	descriptors, err := descriptorLimit()
	if err != nil {
		n.log.Warn("the limit of open files is not known", "err", err)
	}
	defer n.closeForward()
	defer n.closeGate()
	defer n.operators.close()
	defer n.closeAdminUI()
	cfg := n.Config()
	if err := enoughFiles(cfg.Limits.Connections, descriptors); err != nil {
		return err
	}
	if err := n.restart.begin(n); err != nil {
		return err
	}
	defer n.restart.close()
	n.settleForward(ctx)
	if err := n.listen(cfg.Listen); err != nil {
		return err
	}
	n.exposition.Start()
	if n.operators != nil {
		if err := n.operators.listen(n, n.isSet("admin.listen")); err != nil {
			return errors.Join(err, n.srv.Close())
		}
	}
	if err := n.restart.takeOver(n); err != nil {
		return errors.Join(err, n.srv.Close())
	}
	// The server has logged its version and what it listens on.
	n.log.Info("siren serves", n.served(descriptors)...)
	n.supervisor.Ready()
	defer n.watch()()
	select {
	case <-n.srv.Done():
		return n.srv.Wait()
	case <-ctx.Done():
		return n.end(context.Cause(ctx))
	case <-n.drain.begun:
		return n.end(errAsked)
	case <-n.restart.handedOver():
		return n.handOver()
	}
}

// listen opens the clients' listener, or takes the supervisor's.
func (n *Node) listen(addresses []string) error {
	if len(n.sockets.Clients) == 0 {
		if err := n.srv.Listen(addresses...); err != nil {
			return listenError(err)
		}
		return nil
	}
	if err := n.srv.Start(); err != nil {
		return listenError(err)
	}
	for _, ln := range n.sockets.Clients {
		n.log.Info("listening on the supervisor's socket", "addr", systemd.Address(ln))
		go func() {
			if err := n.srv.Serve(ln); err != nil {
				n.log.Error("the supervisor's socket has failed", "addr", systemd.Address(ln), "err", err)
			}
		}()
	}
	return nil
}

// watch tells the supervisor's watchdog that the event loops turn, until stop is called.
func (n *Node) watch() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() { n.supervisor.Watch(ctx, n.alive) })
	return func() {
		cancel()
		watching.Wait()
	}
}

// alive returns an error when an event loop does not turn before ctx ends.
func (n *Node) alive(ctx context.Context) error {
	begun := time.Now()
	for _, l := range n.srv.LoopStats(ctx) {
		if ctx.Err() != nil && l.Lag >= time.Since(begun) {
			return fmt.Errorf("event loop %d has not turned for %v", l.Loop, l.Lag)
		}
	}
	return nil
}

// isSet tells whether somebody has set a key of the configuration in force.
func (n *Node) isSet(key string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.running.IsSet(key)
}

// Config returns the configuration in force. It must not be changed.
func (n *Node) Config() *config.Config {
	n.mu.Lock()
	defer n.mu.Unlock()
	return &n.running.Config
}
