package poller

import (
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed58c87869/siren/poller/stream"
	"github.com/seed58c87869/siren/poller/wheel"
)

// Defaults of Config.
const (
	DefaultQueueBytesMax   = 1 << 20
	DefaultReadBufferBytes = 64 << 10
	DefaultRestBytesMax    = 4 << 20
	DefaultDiscardBytesMax = 4 << 20
	DefaultWriteTimeout    = 30 * time.Second
	DefaultFlushTimeout    = 5 * time.Second
	DefaultDrainItems      = 1024
	DefaultDrainTime       = time.Millisecond
	DefaultFlushSlice      = 256
	DefaultFlushTime       = time.Millisecond
	DefaultTurnTime        = stream.DefaultTurnTime
	DefaultGatherTime      = 750 * time.Microsecond
	DefaultMailboxMax      = 1 << 16
	DefaultKeepAlive       = 60 * time.Second
	DefaultTimerResolution = 10 * time.Millisecond

	// DefaultFDReserveBase is FDReserve without the listen queues: the process's own files, outgoing connections, and
	// connections that are accepted already but not yet seen by their loop.
	DefaultFDReserveBase = 384
)

// GatherTimeMax is the longest Config.GatherTime: clients notice longer waits.
const GatherTimeMax = 10 * time.Millisecond

// DefaultUnixMode is that of Config.UnixMode.
const DefaultUnixMode fs.FileMode = 0o660

const (
	loopsMax           = 256   // gnet's limit
	backlogMax         = 65535 // old kernels keep 16 bits of it
	backlogMin         = 128   // a longer listen queue gets shorter when few descriptors are left, down to this
	listenQueueUsual   = 4096  // Linux's default of net.core.somaxconn, where there is none
	readBufferMax      = 16 << 20
	keepAliveMax       = 32767 * time.Second // MAX_TCP_KEEPIDLE of Linux
	timerResolutionMin = time.Millisecond
	timerResolutionMax = 100 * time.Millisecond
)

// Config is the configuration of an Engine. Zero values mean the defaults named at the fields. New copies it; the copy
// is immutable. A Duration of math.MaxInt64 means "never".
type Config struct {
	// Addrs are the addresses to listen on: "host:port" or "tcp://host:port", or "unix://path". The schemes tcp4 and
	// tcp6 select IPv4 or IPv6 alone. Port 0 picks a free port. An empty host and [::] mean all addresses of IPv4 and
	// IPv6; 0.0.0.0 means all addresses of IPv4. Of a host name's addresses the first is used, IPv4 preferred, as in
	// package net. A stale socket file is removed first; one in use is an error. Without addresses the engine does not
	// listen and serves only connections passed to Loop.Adopt.
	Addrs []string
	// UnixMode is the permissions of unix socket files: write permission is required to connect. Default: 0o660, the
	// process's user and group.
	UnixMode fs.FileMode
	// Loops is the number of event loops, 1 to 256. Default: GOMAXPROCS.
	Loops int

	// MaxConns is the number of connections served at once; further ones get Reject. Default: the limit of open files
	// (RLIMIT_NOFILE) minus FDReserve. New fails if both together exceed that limit. See PrivateFiles.
	MaxConns int
	// FDReserve is the number of file descriptors reserved for everything else: connections in the listen queues when
	// MaxConns is reached, rejected connections that linger, and the process's own files. Default: 384, plus, for each
	// address, 128 or Backlog if that is less.
	FDReserve int
	// Backlog is the longest listen queue of each address, 1 to 65535. In a longer burst, connects may fail (unix
	// sockets) or take a second longer. gnet accepts a full queue at once, and each connection takes a descriptor
	// before it can be refused. So the engine shortens the queues, down to 128, when few descriptors are left. Default:
	// the kernel's maximum, which is net.core.somaxconn on Linux.
	Backlog int
	// Reject is written to a connection above MaxConns (or while Engine.Refuse is on), which is then closed; for
	// example an HTTP 503 with Connection: close. If empty, the connection is closed without an answer. At most 16 KiB.
	Reject []byte

	// QueueBytesMax bounds a connection's outbound queue in bytes, with stream.FrameOverhead for each frame after the
	// first. Queue refuses frames above it. Default: 1 MiB.
	QueueBytesMax int
	// ReadBufferBytes is the size of one read, per loop, 1 KiB to 16 MiB, rounded up to a power of two. Default: 64
	// KiB.
	ReadBufferBytes int
	// RestBytesMax bounds the unconsumed input of a connection. It backs up the receiver's own limits: exceeding it
	// closes the connection with ErrRestTooLong. Default: 4 MiB.
	RestBytesMax int
	// DiscardBytesMax bounds the input that is read and discarded at the end of a connection, after CloseAfterFlush. A
	// peer that sends more is cut. Input that was under way when a request was refused, such as its body, must fit, or
	// the kernel resets the connection and the peer may lose the answer. Default: 4 MiB, above the default limits of
	// bodies and messages.
	DiscardBytesMax int
	// SendBufferBytes is the kernel's send buffer per connection (SO_SNDBUF). Default: 0, tuned by the kernel.
	SendBufferBytes int

	// WriteTimeout closes a connection whose peer takes nothing for that long while data waits. Default: 30 s.
	WriteTimeout time.Duration
	// FlushTimeout is the WriteTimeout of a connection that is closing (CloseAfterFlush). Default: 5 s.
	FlushTimeout time.Duration

	// DrainItems and DrainTime bound one turn of the mailbox. Defaults: 1024 tasks, 1 ms.
	DrainItems int
	DrainTime  time.Duration
	// FlushSlice and FlushTime bound one turn of the dirty list. Defaults: 256 connections, 1 ms.
	FlushSlice int
	FlushTime  time.Duration
	// TurnTime bounds the input handled between two turns, of all connections together, and in one turn the timers and
	// the tasks that do something to many. The rest waits for later turns, after the other connections. The first
	// stream.EntryWork of an entry is always done at once. Default: 250 us.
	TurnTime time.Duration
	// GatherTime is how long a loop waits at the end of a pass over its sockets while many small events come from many
	// connections. The next pass and one wake then serve several of them. A loop waits only while at least 4 events are
	// expected within that time and fewer than 16 came in the pass, and not while clients wait for each answer before
	// they send the next event. While it waits, it keeps its processor from other goroutines. At most GatherTimeMax. A
	// negative value and math.MaxInt64 mean that loops never wait; so does PrivateFiles. Default: 750 us, which saves a
	// tenth of the CPU time in small rooms; longer waits save little more.
	GatherTime time.Duration
	// MailboxMax is the number of waiting tasks above which TryPost refuses. Default: 65536.
	MailboxMax int
	// TimerResolution is the resolution of the timer wheels, 1 ms to 100 ms. Default: 10 ms.
	TimerResolution time.Duration

	// Nagle lets the kernel delay small packets. Default: false, TCP_NODELAY is set.
	Nagle bool
	// KeepAlive is the idle time after which TCP probes the peer, at most 32,767 s (Linux's limit). A negative value
	// and math.MaxInt64 mean never. Default: 60 s.
	KeepAlive time.Duration
	// ReusePort gives each loop its own listening socket (SO_REUSEPORT) instead of one acceptor. Several processes may
	// then share the port. Backlog applies to the first loop's socket only. ReusePort is ignored with a unix address.
	// An address of IPv4 and IPv6 is an error where net.ipv6.bindv6only is 1.
	ReusePort bool
	// SharePort lets an engine of another process of the same user listen on the same addresses (SO_REUSEPORT), which
	// must be of TCP. It has one acceptor, unlike ReusePort, which cannot be set too. See Engine.TakeOver and
	// StopListening. Linux only.
	SharePort bool
	// PrivateFiles is an experiment, for tests with more connections than one process may have open files. Each loop
	// gets its own listener (as with ReusePort) and its own operating system thread, and before Start returns that
	// thread gets its own table of file descriptors. RLIMIT_NOFILE, which counts per table, then applies to each loop:
	// FDReserve is reserved in each loop, and MaxConns is by default Loops times the rest. Backlog applies to each
	// loop.
	//
	// It needs Linux with /proc and only tcp addresses, and no other engine may start in this process later
	// (ErrPrivateFiles). Code on the loops must not use its own descriptors: a number opened after Start means
	// something else there, such as a connection, and sockets opened before are closed there. Other files opened
	// before, such as standard error, are the same on all loops, and stay open there until the engine ends.
	PrivateFiles bool

	// Logger receives the records of the engine and of gnet. Default: slog.Default().
	Logger *slog.Logger
	// Accept is called on the loop of each new connection and returns its Receiver; nil closes it. Required.
	Accept func(c *Conn) Receiver
}

// rejectBytesMax keeps Reject within any socket's empty send buffer, so that it is sent in one write.
const rejectBytesMax = 16 << 10

// withDefaults fills in zero fields, except MaxConns, which needs the limit of open files.
func (c Config) withDefaults() Config {
	fill(&c.Loops, min(runtime.GOMAXPROCS(0), loopsMax))
	fill(&c.Backlog, listenQueueMax())
	fill(&c.UnixMode, DefaultUnixMode)
	if c.PrivateFiles {
		c.ReusePort = true
		fill(&c.FDReserve, DefaultFDReserveBase+filesPerLoop*c.Loops)
	}
	fill(&c.FDReserve, len(c.Addrs)*min(c.Backlog, backlogMin)+DefaultFDReserveBase)
	fill(&c.QueueBytesMax, DefaultQueueBytesMax)
	fill(&c.ReadBufferBytes, DefaultReadBufferBytes)
	fill(&c.RestBytesMax, DefaultRestBytesMax)
	fill(&c.DiscardBytesMax, DefaultDiscardBytesMax)
	fill(&c.WriteTimeout, DefaultWriteTimeout)
	fill(&c.FlushTimeout, DefaultFlushTimeout)
	fill(&c.DrainItems, DefaultDrainItems)
	fill(&c.DrainTime, DefaultDrainTime)
	fill(&c.FlushSlice, DefaultFlushSlice)
	fill(&c.FlushTime, DefaultFlushTime)
	fill(&c.TurnTime, DefaultTurnTime)
	fill(&c.GatherTime, DefaultGatherTime)
	if c.GatherTime == math.MaxInt64 || c.PrivateFiles {
		c.GatherTime = -1
	}
	fill(&c.MailboxMax, DefaultMailboxMax)
	fill(&c.TimerResolution, DefaultTimerResolution)
	fill(&c.KeepAlive, DefaultKeepAlive)
	if c.KeepAlive == math.MaxInt64 {
		c.KeepAlive = -1
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// validate checks a Config with defaults and sets MaxConns from the limit of open files.
func (c *Config) validate(filesMax int) error {
	if c.Accept == nil {
		return &ConfigError{"Accept", "is required"}
	}
	for _, r := range []struct {
		field           string
		value, min, max int64
	}{
		{"Loops", int64(c.Loops), 1, loopsMax},
		{"Backlog", int64(c.Backlog), 1, backlogMax},
		{"FDReserve", int64(c.FDReserve), 1, math.MaxInt32},
		{"QueueBytesMax", int64(c.QueueBytesMax), 1, math.MaxInt32},
		{"ReadBufferBytes", int64(c.ReadBufferBytes), 1 << 10, readBufferMax},
		{"RestBytesMax", int64(c.RestBytesMax), 1, math.MaxInt32},
		{"DiscardBytesMax", int64(c.DiscardBytesMax), 1, math.MaxInt32},
		{"SendBufferBytes", int64(c.SendBufferBytes), 0, math.MaxInt32},
		{"DrainItems", int64(c.DrainItems), 1, math.MaxInt32},
		{"FlushSlice", int64(c.FlushSlice), 1, math.MaxInt32},
		{"MailboxMax", int64(c.MailboxMax), 1, math.MaxInt32},
		{"WriteTimeout", int64(c.WriteTimeout), 1, math.MaxInt64},
		{"FlushTimeout", int64(c.FlushTimeout), 1, math.MaxInt64},
		{"DrainTime", int64(c.DrainTime), 1, math.MaxInt64},
		{"FlushTime", int64(c.FlushTime), 1, math.MaxInt64},
		{"KeepAlive", int64(c.KeepAlive), math.MinInt64, int64(keepAliveMax)},
		{"TurnTime", int64(c.TurnTime), 1, math.MaxInt64},
		{"GatherTime", int64(c.GatherTime), math.MinInt64, int64(GatherTimeMax)},
		{"TimerResolution", int64(c.TimerResolution), int64(timerResolutionMin), int64(timerResolutionMax)},
		{"UnixMode", int64(c.UnixMode), 1, int64(fs.ModePerm)},
		{"Reject", int64(len(c.Reject)), 0, rejectBytesMax},
		{"MaxConns", int64(c.MaxConns), 0, math.MaxInt32},
	} {
		if r.value < r.min || r.value > r.max {
			return &ConfigError{r.field, fmt.Sprintf("%d is outside of %d to %d", r.value, r.min, r.max)}
		}
	}
	if c.SharePort && c.ReusePort {
		return &ConfigError{"SharePort", "excludes ReusePort and PrivateFiles"}
	}
	return c.validateConns(filesMax)
}

// validateConns checks MaxConns, or sets it, from the limit of open files.
func (c *Config) validateConns(filesMax int) error {
	room, tables := c.tableConns(filesMax), 1
	if c.PrivateFiles {
		tables = c.Loops
	}
	most := min(max(room, 0), math.MaxInt32/tables) * tables
	if c.MaxConns > most || most < 1 {
		conns := max(c.MaxConns, 1)
		return &FilesError{Limit: filesMax, Need: c.FDReserve + (conns+tables-1)/tables, MaxConns: c.MaxConns}
	}
	fill(&c.MaxConns, most)
	return nil
}

// turnBytesMax bounds the bytes that one connection writes before other connections get their turn.
const turnBytesMax = 1 << 20

// longestTurn returns the sum of the budgets of one turn, in nanoseconds.
func (c *Config) longestTurn() int64 {
	return wheel.Deadline(wheel.Deadline(int64(c.DrainTime), c.TurnTime), c.FlushTime)
}

// limits returns the limits of connections.
func (c *Config) limits() stream.Limits {
	return stream.Limits{
		QueueBytesMax: c.QueueBytesMax, RestBytesMax: c.RestBytesMax, DiscardBytesMax: c.DiscardBytesMax,
		WriteTimeout: c.WriteTimeout, FlushTimeout: c.FlushTimeout, TurnBytesMax: turnBytesMax,
		TurnTime: c.TurnTime,
	}
}

// tableConns returns the number of connections that one table of descriptors has room for.
func (c *Config) tableConns(filesMax int) int { return filesMax - c.FDReserve }

// openFilesMax returns the process's soft limit of open files, which Go raises to the hard limit at start.
func openFilesMax() (int, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("poller: read RLIMIT_NOFILE: %w", err)
	}
	return int(min(limit.Cur, math.MaxInt32)), nil
}
