package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/logqueue"
)

// Defaults of the flags of serve; those of the protocol are the reference server's.
const (
	defaultAddr         = "tcp://:3000"
	defaultPath         = "/socket.io"
	defaultPingInterval = 25 * time.Second
	defaultPingTimeout  = 20 * time.Second
	defaultMaxPayload   = 1_000_000
)

// flushTime is how long the last lines of the log may take.
const flushTime = time.Second

// Upper bounds of flags.
const (
	loopsMax = 256
	// payloadMax keeps the buffers that follow from --max-payload within what the server counts with.
	payloadMax = 256 << 20
)

const serveHelp = `Runs a Socket.IO server that relays events between its clients, in memory. It
needs no configuration: official Socket.IO clients connect to port 3000, and a
browser that opens http://localhost:3000/ gets a small chat to try it with.

In the namespace "/" a client may send these events. Each is acknowledged, if
the client asks for it, with an object: {"status":"ok"}, or {"error":"why not"}.

  join     "room" or ["room","room"]
           From now on the client gets what is published to the room.
  leave    "room" or ["room","room"]
           The opposite. A room it is not in is no error.
  publish  {"event":"name","data":any,"room":"room"}
           Sends the event with the data, which may hold binary values, to
           everybody in the room, the sender too if it is in it; without a room
           to everybody. The acknowledgement has the number of sockets that it
           was sent to: {"status":"ok","count":2}. A socket's id is a room that
           holds this socket.

and gets, besides what is published:

  count    number of sockets that are connected; once at the start, and when it
           has changed, at most five times a second

Names of rooms and events have 1 to 128 bytes without control characters. The
names of Socket.IO's own events, such as "connect", and "count" cannot be
published. A socket may be in 1,000 rooms.

Other paths: /healthz answers 200 "ok", also at the limit of connections, or 503
while the server stops; / is the demo page.

SIGTERM, SIGINT or SIGHUP ends the server: clients are told, and the exit code
is 0. More signals within a second count as one. A later one ends the server at
once. Under nohup SIGHUP does nothing. When the reader of the log has gone, the
server goes on without a log.`

// serveFlags is what the command line says. Immutable once parsed.
type serveFlags struct {
	addrs        []string
	path         string
	origins      []string
	pingInterval time.Duration
	pingTimeout  time.Duration
	maxPayload   int
	maxConns     int
	memoryBudget int64
	loops        int
	logLevel     string
	logFormat    string
	noDemo       bool
	allowEIO3    bool
	compress     bool
	recovery     time.Duration
	proxyHeader  bool
	proxies      []string
}

// newServeCommand is the broadcast node.
func newServeCommand() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run a Socket.IO broadcast server",
		Long:  serveHelp,
		Example: `  siren serve
  siren serve --addr :8080 --cors-origin https://app.example
  siren serve --addr unix:///run/siren.sock --no-demo --log-format json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			outliveLog()
			return f.run(cmd.Context(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.addrs, "addr", []string{defaultAddr}, "address: tcp://host:port, host:port, :port or unix://path; may be repeated")
	flags.StringVar(&f.path, "path", defaultPath, "path of Socket.IO, with or without a trailing slash")
	flags.StringArrayVar(&f.origins, "cors-origin", nil, "origin whose pages may connect, or *; may be repeated. With a list, pages of other origins are refused")
	flags.DurationVar(&f.pingInterval, "ping-interval", defaultPingInterval, "time between two heartbeats")
	flags.DurationVar(&f.pingTimeout, "ping-timeout", defaultPingTimeout, "how long a client may take to answer one")
	flags.IntVar(&f.maxPayload, "max-payload", defaultMaxPayload, "bytes of one message")
	flags.IntVar(&f.maxConns, "max-conns", 0, "connections at once (default: what the limit of open files allows)")
	flags.Int64Var(&f.memoryBudget, "memory-budget", 0, "bytes that all clients together may hold, -1 for no bound (default: a quarter of the memory that the process may use)")
	flags.IntVar(&f.loops, "loops", 0, "event loops, up to 256 (default: one for each CPU the process may use)")
	flags.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	flags.StringVar(&f.logFormat, "log-format", "text", "text or json")
	flags.BoolVar(&f.noDemo, "no-demo", false, "no demo page")
	flags.BoolVar(&f.allowEIO3, "allow-eio3", false, "serve clients of Socket.IO 2 too (Engine.IO protocol 3)")
	flags.BoolVar(&f.compress, "compress", false, "compress WebSocket messages from 1 KiB on for clients that offer it (permessage-deflate)")
	flags.DurationVar(&f.recovery, "recovery", 0, "how long a client that lost its connection may come back with what it missed, such as 2m (default: it may not)")
	flags.BoolVar(&f.proxyHeader, "proxy-protocol", false, "expect a PROXY protocol header, version 1 or 2, on each connection")
	flags.StringArrayVar(&f.proxies, "trusted-proxy", nil, "address or prefix of a proxy whose X-Forwarded-For is believed, such as 10.0.0.0/8; may be repeated")
	return cmd
}

// check refuses what is wrong on the command line before anything is started.
func (f *serveFlags) check() error {
	for _, d := range []struct {
		name  string
		value int64
	}{
		{"ping-interval", int64(f.pingInterval)}, {"ping-timeout", int64(f.pingTimeout)}, {"max-payload", int64(f.maxPayload)},
	} {
		// Zero would silently mean the default to the server.
		if d.value <= 0 {
			return fmt.Errorf("--%s must be greater than zero", d.name)
		}
	}
	if f.maxPayload > payloadMax {
		return fmt.Errorf("--max-payload must be at most %d", payloadMax)
	}
	if f.recovery < 0 {
		return errors.New("--recovery must not be negative")
	}
	if f.maxConns < 0 {
		return errors.New("--max-conns must not be negative")
	}
	if f.memoryBudget < -1 {
		return errors.New("--memory-budget must be positive, or -1")
	}
	if f.loops < 0 || f.loops > loopsMax {
		return fmt.Errorf("--loops must be between 0 and %d", loopsMax)
	}
	if !strings.HasPrefix(f.path, "/") || strings.Trim(f.path, "/") == "" {
		return errors.New("--path must begin with a slash and be more than that")
	}
	for _, a := range f.addrs {
		if a == "" {
			return errors.New("--addr must not be empty")
		}
	}
	return nil
}

// trustedProxies are the prefixes of the proxies that are believed; an address is the prefix of itself.
func (f *serveFlags) trustedProxies() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range f.proxies {
		if addr, err := netip.ParseAddr(text); err == nil {
			out = append(out, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("--trusted-proxy %q is neither an address nor a prefix", text)
		}
		out = append(out, prefix)
	}
	return out, nil
}

// logQueue writes to out in the format and from the level of the flags. Nobody waits for out.
func (f *serveFlags) logQueue(out io.Writer) (*logqueue.Handler, error) {
	var level slog.Level
	switch f.logLevel {
	case "debug":
		level = slog.LevelDebug
	case "info":
		level = slog.LevelInfo
	case "warn":
		level = slog.LevelWarn
	case "error":
		level = slog.LevelError
	default:
		return nil, fmt.Errorf("--log-level %q is none of debug, info, warn and error", f.logLevel)
	}
	options := &slog.HandlerOptions{Level: level}
	switch f.logFormat {
	case "text":
		return logqueue.New(slog.NewTextHandler(out, options), logqueue.Limits{}), nil
	case "json":
		return logqueue.New(slog.NewJSONHandler(out, options), logqueue.Limits{}), nil
	}
	return nil, fmt.Errorf("--log-format %q is neither text nor json", f.logFormat)
}

// run serves until ctx ends. What it returns is for the user to read.
func (f *serveFlags) run(ctx context.Context, logs io.Writer) error {
	if err := f.check(); err != nil {
		return err
	}
	queue, err := f.logQueue(logs)
	if err != nil {
		return err
	}
	defer queue.Flush(flushTime)
	log := slog.New(queue)
	proxies, err := f.trustedProxies()
	if err != nil {
		return err
	}
	descriptors, err := raiseDescriptors()
	if err != nil {
		log.Warn("the limit of open files stays as it is", "err", err)
	}
	loops := f.loops
	if loops == 0 {
		loops = min(runtime.GOMAXPROCS(0), loopsMax)
	}
	limitHeap(log)
	cfg := server.Config{
		Path: f.path, PingInterval: f.pingInterval, PingTimeout: f.pingTimeout, MaxPayload: f.maxPayload,
		// The inbox must take the largest message, several times.
		Inbox:        server.Inbox{MaxBytes: max(8<<20, 4*f.maxPayload)},
		Queue:        server.Queue{MaxBytes: max(1<<20, 2*f.maxPayload)},
		MemoryBudget: f.memoryBudget,
		MaxConns:     f.maxConns, MaxRooms: roomsMax, Loops: loops, Logger: log,
		HealthPath: healthPath,
		Fallback:   newPages(ctx, f.path, !f.noDemo),
		// The pages take no bodies; the smallest limit refuses one before it has come.
		MaxRequestBody: 1,
		AllowEIO3:      f.allowEIO3, PerMessageDeflate: server.PerMessageDeflate{Enabled: f.compress},
		Recovery:      server.Recovery{MaxDisconnection: f.recovery},
		ProxyProtocol: f.proxyHeader, TrustedProxies: proxies,
	}
	cfg.CORS = originsAllowed(f.origins)
	srv, err := server.New(cfg)
	if err != nil {
		return err
	}
	serveBroadcast(srv.Of("/"))
	if err := srv.Listen(f.addrs...); err != nil {
		return listenError(err)
	}
	// The server has told its version and what it listens on.
	log.Info("siren serves", "go", runtime.Version(), "descriptors", descriptors, "demo", !f.noDemo)
	select {
	case <-srv.Done():
		return srv.Wait()
	case <-ctx.Done():
	}
	log.Info("siren stopping", "cause", context.Cause(ctx))
	var cut *server.CloseError
	switch err := srv.Close(); {
	case errors.As(err, &cut):
		log.Warn("some clients were cut", "err", cut) // the server ended in order all the same
	case err != nil:
		return err
	}
	log.Info("siren stopped")
	return nil
}

// listenError says in plain words what most often keeps a server from listening, and which flags may help.
func listenError(err error) error {
	var listen *server.ListenError
	var files *server.FilesError
	switch {
	case errors.As(err, &files) && files.MaxConns > 0:
		return fmt.Errorf("--max-conns %d needs %d open files, and the limit is %d; raise it (ulimit -n), or lower --max-conns",
			files.MaxConns, files.Need, files.Limit)
	case errors.As(err, &files):
		return fmt.Errorf("the limit of open files is %d, and at least %d are needed; raise it (ulimit -n)", files.Limit, files.Need)
	case !errors.As(err, &listen):
		return err
	}
	why := listen.Err.Error()
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		why = "the address is in use; stop who uses it, or choose another with --addr"
	case errors.Is(err, syscall.EACCES):
		why = "permission denied"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		why = "this machine does not have that address"
	case errors.As(err, &dns):
		why = fmt.Sprintf("unknown host %q", dns.Name)
	}
	return fmt.Errorf("cannot listen on %s: %s", listen.Addr, why)
}
