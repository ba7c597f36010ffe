package engineio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/seed58c87869/siren/server/internal/host"
	"github.com/seed58c87869/siren/server/logqueue"
	"github.com/seed58c87869/siren/session"
)

// These are the session package's types under the names that users of this package write.
type (
	// Session is one Engine.IO session, on its event loop; see Socket for other goroutines. Loop-owned.
	Session = session.Session
	// Client is the application's end of a session. Its methods run on the session's event loop, which they must not
	// block: Message(data []byte, binary bool), whose data is valid only in the call, and Closed(reason Reason), once.
	Client = session.Client
	// Reason says why a session ended; its String is the reference server's text. Immutable.
	Reason = session.Reason
)

// The errors of this package; compare with errors.Is.
var (
	// ErrClosed: the session or the server is gone.
	ErrClosed = host.ErrClosed
	// ErrQueueFull: the session's event loop is behind. Nothing was sent; the call may be made again.
	ErrQueueFull = errors.New("siren: queue full")
)

// Config holds the settings of a Server. Open is required; the zero value of all else is usable. It is copied by New.
type Config struct {
	// Open is called on the event loop for each session that has opened, and returns who gets its messages. What it
	// sends is the first message behind the open packet. A nil Client ends the session.
	Open func(s Socket) Client
	// Session holds the settings of the sessions: path, heartbeat, limits, CORS, cookie, compression, hooks. Its
	// Running and Logger are the server's.
	Session session.Config
	// Fallback answers requests for other paths. Default: 404. Handlers get a buffered request and response.
	Fallback http.Handler
	// MaxResponse bounds what Fallback may answer, in bytes. Default 16 MiB.
	MaxResponse int
	// Loops is the number of event loops, at most 256. Default GOMAXPROCS.
	Loops int
	// MaxConns bounds the connections. Default: the descriptor limit less a reserve.
	MaxConns int
	// MemoryBudget bounds, in bytes, what all clients together hold, see the field of that name of server.Config.
	// Default: a quarter of the memory that the process may use. Negative: no bound.
	MemoryBudget int64
	// WriteTimeout closes a connection whose peer takes nothing for that long. Default: poller's.
	WriteTimeout time.Duration
	// CloseTimeout bounds the time that Close waits for hooks and clients. Default 10 s: below the grace period of
	// process managers, 30 s in Kubernetes and 90 s with systemd.
	CloseTimeout time.Duration
	// Logger gets the life of the server at Info and of each connection at Debug, from a goroutine of its own. Default:
	// discards everything.
	Logger *slog.Logger
}

const (
	defaultMaxResponse  = 16 << 20
	defaultQueueBytes   = 4 << 20 // session.Config's
	defaultCloseTimeout = 10 * time.Second
	loopsMax            = 256 // a session id has one byte for its loop
	// closeLog is how long Close waits for the Logger to take the last records.
	closeLog = time.Second
)

// settle fills in the defaults and checks the result.
func (c Config) settle() (Config, error) {
	if c.Open == nil {
		return c, errors.New("engineio: Config.Open is missing")
	}
	if c.Session.MaxPayload == 0 {
		c.Session.MaxPayload = session.DefaultMaxPayload
	}
	if c.Session.QueueBytes == 0 {
		c.Session.QueueBytes = defaultQueueBytes
	}
	if c.MaxResponse == 0 {
		c.MaxResponse = defaultMaxResponse
	}
	if c.CloseTimeout == 0 {
		c.CloseTimeout = defaultCloseTimeout
	}
	if c.Loops == 0 {
		c.Loops = min(runtime.GOMAXPROCS(0), loopsMax)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	for name, n := range map[string]int64{
		"MaxResponse": int64(c.MaxResponse), "CloseTimeout": int64(c.CloseTimeout), "WriteTimeout": int64(c.WriteTimeout),
		"MaxConns": int64(c.MaxConns), "Loops": int64(c.Loops),
	} {
		if n < 0 {
			return c, fmt.Errorf("engineio: Config.%s is negative", name)
		}
	}
	if c.Loops > loopsMax {
		return c, fmt.Errorf("engineio: Config.Loops = %d: %d are possible", c.Loops, loopsMax)
	}
	if c.Session.HealthPath != "" && c.Fallback == nil {
		return c, errors.New("engineio: Config.Session.HealthPath needs a Fallback, which answers it")
	}
	budget, err := host.Budget(c.MemoryBudget)
	if err != nil {
		return c, fmt.Errorf("engineio: Config.MemoryBudget = %d: %w", c.MemoryBudget, err)
	}
	c.MemoryBudget = budget
	if err := session.Check(c.Session); err != nil {
		return c, fmt.Errorf("engineio: Config.Session: %w", err)
	}
	return c, nil
}

// Server is a plain Engine.IO server. Safe for concurrent use.
type Server struct {
	host *host.Host
	logs *logqueue.Handler
	jobs atomic.Int64
}

// New makes a server. It listens with Listen or ListenAndServe. Errors name the field of Config that is wrong.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.settle()
	if err != nil {
		return nil, err
	}
	srv := &Server{}
	var queued bool
	if srv.logs, queued = cfg.Logger.Handler().(*logqueue.Handler); !queued {
		srv.logs = logqueue.New(cfg.Logger.Handler(), logqueue.Limits{Records: logqueue.DefaultRecords, Burst: logqueue.DefaultBurst})
	}
	log := slog.New(srv.logs)
	cfg.Session.Running, cfg.Session.Logger = &srv.jobs, log.WithGroup("eio")
	srv.host = host.New(host.Config{
		Session: cfg.Session, Open: opener(cfg.Open), Fallback: cfg.Fallback, MaxResponse: cfg.MaxResponse,
		Loops: cfg.Loops, MaxConns: cfg.MaxConns, Resolution: cfg.Session.Resolution(), WriteTimeout: cfg.WriteTimeout,
		CloseTimeout: cfg.CloseTimeout, MemoryBudget: cfg.MemoryBudget, Jobs: &srv.jobs,
		Panicked: func() {}, Failed: func() {}, Log: log.WithGroup("node"), EIO: log.WithGroup("eio"),
	})
	return srv, nil
}

// opener makes the client of a session.
func opener(open func(s Socket) Client) func(s *session.Session) session.Client {
	return func(s *session.Session) session.Client {
		if c := open(Socket{s}); c != nil {
			return c
		}
		// The application refuses it. It cannot be closed before it has opened.
		s.Shard().Loop().PostFunc(func() { s.Close(session.ReasonForcedServerClose) })
		return nobody{}
	}
}

// nobody is the client of a session that is about to be closed.
type nobody struct{}

// Message implements Client.
func (nobody) Message([]byte, bool) {}

// Closed implements Client.
func (nobody) Closed(Reason) {}

// Listen opens the addresses, such as ":3000" or "unix:///run/siren.sock", and serves until Close; without any it
// serves only Handler. It returns when the server accepts connections. The addresses are server.Server.Listen's.
func (srv *Server) Listen(addrs ...string) error {
	if err := srv.host.Listen(addrs); err != nil {
		return fmt.Errorf("engineio: cannot listen: %w", err)
	}
	return nil
}

// ListenAndServe is Listen, then serves until ctx ends, when it closes the server, or until Close, or until the event
// loops fail.
func (srv *Server) ListenAndServe(ctx context.Context, addrs ...string) error {
	if err := srv.Listen(addrs...); err != nil {
		return err
	}
	return srv.host.WaitOr(ctx, srv.Close)
}

// Addrs returns the addresses that the server listens on, with their real ports, in the order of Listen's arguments.
func (srv *Server) Addrs() []net.Addr { return srv.host.Addrs() }

// Handler serves the sessions' path in a program that has an HTTP server already; see server.Server.Handler.
func (srv *Server) Handler() http.Handler { return srv.host.Handler() }

// Stats reads the counters of the sessions.
func (srv *Server) Stats() session.Stats { return srv.host.Stats().Sessions }

// CloseError tells that Close could not wait for everything: Config.CloseTimeout had passed. Immutable.
type CloseError struct {
	// Connections were cut with data queued for them, Sessions ended with messages that their polling clients had not
	// fetched, and Handlers of requests still ran.
	Connections, Sessions, Handlers int
}

// Error says what was left.
func (e *CloseError) Error() string {
	return fmt.Sprintf("engineio: closed with %d connections cut, %d polling sessions not fetched, %d handlers running",
		e.Connections, e.Sessions, e.Handlers)
}

// Close ends the server without losing what it has accepted: sessions end behind what is queued for them, and
// connections when their clients have taken everything. The error is a *CloseError, or wraps one, when something was
// left at Config.CloseTimeout. Every call returns when the server is closed.
func (srv *Server) Close() error { return srv.host.Close(srv.ending(), closeError) }

// DrainPlan and DrainReport are server.DrainPlan and server.DrainReport.
type (
	DrainPlan   = host.Plan
	DrainReport = host.Report
)

// Drain ends the server gently: new sessions are refused, and the present ones end over some time. It is
// server.Server.Drain, except that messages of a session are accepted until it ends.
func (srv *Server) Drain(ctx context.Context, plan DrainPlan) (DrainReport, error) {
	return srv.host.Drain(ctx, plan, srv.ending(), closeError)
}

// Draining reports whether Drain or Close has begun. Safe for concurrent use.
func (srv *Server) Draining() bool { return srv.host.Draining() }

// ending returns what the server does while it closes.
func (srv *Server) ending() host.Steps {
	nothing := func() {}
	return host.Steps{
		Ending: nothing, Closing: nothing, Stopped: func() error { return nil }, Last: func() { srv.logs.Flush(closeLog) },
	}
}

func closeError(left host.Left, err error) error {
	if left == (host.Left{}) {
		return err
	}
	return errors.Join(&CloseError{left.Connections, left.Sessions, left.Handlers}, err)
}

// Done is closed when the server has ended: when Close has finished, or when the event loops have failed.
func (srv *Server) Done() <-chan struct{} { return srv.host.Done() }

// Wait waits for the end of the server and returns what Close returned, or why the event loops failed.
func (srv *Server) Wait() error { return srv.host.Wait() }
