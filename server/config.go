package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"time"

	"github.com/seed58c87869/siren/poller"
	"github.com/seed58c87869/siren/server/internal/packets"
	"github.com/seed58c87869/siren/server/logqueue"
	"github.com/seed58c87869/siren/server/parser"
	"github.com/seed58c87869/siren/session"
)

// Queue bounds what waits for one client.
type Queue struct {
	// MaxBytes is the limit in bytes. Default 4 MiB: all packets that a loop queues in one turn, before it writes, must
	// fit, and a burst may queue megabytes. A single packet may exceed it. A hundred clients that stop reading hold
	// about 400 MiB if each gets different data, and the process uses as much again until the garbage collector has
	// run; see Config.MemoryBudget for all clients together.
	MaxBytes int
	// OnFull is the policy at the limit. Default OverflowDisconnect.
	OnFull Overflow
	// VolatileBytes is the greatest queue of a WebSocket client that still gets volatile events. Default 16 KiB.
	VolatileBytes int
}

// Inbox bounds the events of one socket that wait for their handlers.
type Inbox struct {
	// MaxEvents is the number of events that wait while a handler runs. Default 16,384: as many as one polling request
	// may contain.
	MaxEvents int
	// MaxBytes bounds the sum of the payloads in bytes, including the event whose handler runs. Default 8 MiB. A socket
	// that exceeds either limit is disconnected, because an event loop cannot stop reading for one socket.
	MaxBytes int
}

// Config holds the settings of a Server. The zero value is usable; New checks it, with errors that name the field.
// Names and defaults are the reference server's where it has them. A Duration of math.MaxInt64 means "never". It is
// copied by New.
type Config struct {
	// Path is the path of Socket.IO, with or without a trailing slash. Default "/socket.io".
	Path string
	// Transports are the transports offered. Default: both.
	Transports []Transport
	// AllowEIO3 also serves clients of Socket.IO 2 (Engine.IO protocol 3), like the reference server's option of that
	// name: every request that does not name protocol 4 uses protocol 3. Off by default. Such clients are in "/"
	// without asking, so ConnectTimeout does not apply to them. Their clients derive socket ids from the session's id:
	// an application that shows such a socket id to others reveals the session.
	AllowEIO3 bool
	// NoUpgrades keeps polling clients on polling.
	NoUpgrades bool
	// PingInterval is the time between a pong and the next ping. Default 25 s. Clients are told PingInterval and
	// PingTimeout together as at most 2^31-1 ms (24 days), the range of a JavaScript timer; a longer PingInterval is
	// reduced to that.
	PingInterval time.Duration
	// PingTimeout is how long the server waits for a pong. Default 20 s. The server waits that long even if clients are
	// told less.
	PingTimeout time.Duration
	// UpgradeTimeout bounds an upgrade from polling to WebSocket. Default 10 s.
	UpgradeTimeout time.Duration
	// ConnectTimeout closes a connection that joined no namespace. Default 45 s.
	ConnectTimeout time.Duration
	// HeaderTimeout, BodyTimeout and IdleTimeout bound the parts of an HTTP request and the pause between two.
	// Defaults 10 s, 60 s and 75 s.
	HeaderTimeout, BodyTimeout, IdleTimeout time.Duration
	// MaxPayload bounds one message and one polling body, in bytes. Default 1,000,000.
	MaxPayload int
	// MaxHeaderBytes bounds a request's head, of which the request line may take all, and the body of a GET, which is
	// not read. Default 16 KiB, as in Node.
	MaxHeaderBytes int
	// MaxRequestBody bounds the body of requests for Fallback. Default MaxPayload.
	MaxRequestBody int
	// MaxResponse bounds the answers of Fallback, in bytes, because they are not streamed. Default 16 MiB.
	MaxResponse int
	// MaxConns bounds the connections. Default: the descriptor limit less a reserve.
	MaxConns int
	// HealthPath is a path of Fallback, such as "/healthz", for the health checks of load balancers and supervisors. It
	// is answered above MaxConns too, so that a full server is not restarted. Connections above MaxConns get 503 for
	// any other request. Default: none.
	HealthPath string
	// MaxHealthConns bounds the connections above MaxConns that may request HealthPath at once. A further one replaces
	// the oldest, which gets 503, so that silent clients cannot keep others out. Default 64: as many may arrive in the
	// millisecond that a health check takes.
	MaxHealthConns int
	// MaxSessions bounds the sessions, because a polling client holds one without a connection. Default 2,097,152.
	MaxSessions int
	// Limits bounds what clients ask for: connections of one address, new connections, events and bytes of a second.
	// Default: no limits, because behind a proxy that names no clients all of them have one address, and only the
	// application knows how many events its clients need. SetLimits changes it later.
	Limits Limits
	// MaxHandshakes bounds the handshakes that AllowRequest, Tune and the other hooks process at the same time, each on
	// its own goroutine. A slow hook that ignores its context continues after its client has gone. Further handshakes
	// are refused with 503. Default 8,192.
	MaxHandshakes int
	// MaxNamespaces bounds the namespaces that one connection may join. Default 64.
	MaxNamespaces int
	// MaxDynamicNamespaces bounds the namespaces that clients make, by connecting to names that a ParentNamespace
	// accepts, because clients can invent names without end. At the limit the child that has been empty for longest is
	// removed; if none is empty, the client is refused. Default 10,000.
	MaxDynamicNamespaces int
	// CleanupEmptyChildNamespaces removes a child of a ParentNamespace when its last socket has left. By default it
	// stays while there is room, as in the reference.
	CleanupEmptyChildNamespaces bool
	// MaxRooms bounds the rooms of one socket. Default 10,000.
	MaxRooms int
	// MaxRoomBytes bounds the name of a room that a socket joins, in bytes. Names often come from clients, and are kept
	// as long as the room exists. Default 16 KiB: enough for any meaningful name.
	MaxRoomBytes int
	// MaxAuthBytes bounds the auth payload of a CONNECT packet, as JSON, because it is kept as long as the socket
	// lives. A client that sends more is refused. Default 64 KiB: far above the largest tokens.
	MaxAuthBytes int
	// MaxPendingAcks bounds the pending acknowledgements of one socket, and the broadcasts of one namespace that wait
	// for theirs. Default 4,096.
	MaxPendingAcks int
	// MaxRoomEvents bounds the events that wait for the listeners of OnRoom, or are on their way to them. Above it
	// sockets cannot join rooms or be moved into them. Default 65,536: enough for a thousand sockets that join some
	// rooms at once while a listener is busy.
	MaxRoomEvents int
	// MaxAttachments bounds the binary attachments of one packet. Default: codec/sio's.
	MaxAttachments int
	// MaxAttachmentsSent bounds the binary attachments of one packet that is sent: an event or acknowledgement with
	// more fails with ErrTooManyAttachments. Default 10: official clients since March 2026 (socket.io-parser 4.2.6,
	// 3.4.4 and 3.3.5) end their connection with "parse error" at more, unless their Decoder has another limit. Packets
	// of a Parser have no limit, because they contain their binary values.
	MaxAttachmentsSent int
	// AttachmentTimeout is how long all attachments of a packet may take to arrive; then the connection ends. Clients
	// send them right after their packet, so a late one means a slow line, or a client that wants memory held for
	// nothing. Default 30 s: enough for 10 MB at 3 Mbit/s.
	AttachmentTimeout time.Duration
	// Parser, if set, replaces Socket.IO's own parser; clients need the same one. parser.Msgpack is another one.
	Parser parser.Parser
	// JSON, if set, replaces the built-in library for the arguments of events and acknowledgements, the data of
	// refusals and the auth payload. An argument that is itself a []byte or a Raw stays an attachment or a Raw. But the
	// library knows nothing of attachments: it encodes a []byte inside of another argument in its own way (mostly
	// base64), and one from a client decodes as the object {"_placeholder":true,"num":N}, unless it is an argument of
	// its own. Raw.Unmarshal and the function Prepare use the built-in library. docs/json.md compares some libraries.
	JSON JSON
	// AckTimeout ends a Call, Request or EmitAck whose context has no deadline. Default 30 s.
	AckTimeout time.Duration
	// RequestTimeout bounds the wait for other nodes in FetchSockets, Count and ServerSideRequest if neither the
	// Operator nor the context has a time-out. Default 5 s, as in the reference: nodes answer at once, unless they are
	// gone.
	RequestTimeout time.Duration
	// Queue bounds the packets that wait for one client.
	Queue Queue
	// Inbox bounds the events that wait for one socket's handlers.
	Inbox Inbox
	// MemoryBudget bounds, in bytes, what all clients together hold: packets for those that do not read, on either
	// transport, incomplete input, and events that wait for handlers. A broadcast counts once for each event loop, not
	// for each receiver; short queues do not count. Above the budget, clients are ended with "transport error", the
	// largest holders first, until an eighth of it is free; Stats.Evicted counts them.
	//
	// Default: a quarter of the memory that the process may use, which is the least of GOMEMLIMIT, its control groups'
	// limits and the machine's memory. With Go's default GOGC the heap grows to twice its live data before the garbage
	// collector runs; this leaves as much for everything else. 1 GiB when no limit is known. Negative: no bound.
	MemoryBudget int64
	// Recovery lets clients that lost their connection resume, with the events that they missed. Off by default.
	Recovery Recovery
	// CORS configures what pages of other origins may do.
	CORS CORS
	// Cookie is sent with the handshake if it has a Name.
	Cookie Cookie
	// PerMessageDeflate compresses WebSocket messages. Default off, as in the reference server, because it costs time
	// and, in the clients, memory.
	PerMessageDeflate PerMessageDeflate
	// HTTPCompression compresses polling answers. Default on.
	HTTPCompression HTTPCompression
	// EchoUnhandled answers an event that has no handler, and asks for an acknowledgement, with its own arguments. By
	// default it gets no answer, as in the reference.
	EchoUnhandled bool
	// AllowRequest, if set, is called before a session is made, on its own goroutine. An error refuses the request with
	// 403; the text of one made by Refuse is sent to the client.
	AllowRequest func(ctx context.Context, h *RequestInfo) error
	// Tune, if set, may change the settings of a session; t has the values of this Config. The client is told its
	// heartbeat and MaxPayload. Tune runs on the goroutine of AllowRequest, after it, and may block. MaxPayload and
	// QueueBytes cannot exceed Config's, because buffers are sized for these; invalid settings are logged and ignored.
	// See Socket.SetHeartbeat and SetQueue for open sessions.
	Tune func(h *RequestInfo, t *Tuning)
	// GenerateID, if set, returns the id of a session: 16 to 128 letters, digits and any of - . _ ~ that cannot be
	// guessed, because whoever knows the id controls the session. An empty result requests a generated id. It runs on
	// the goroutine of AllowRequest, after it. A handshake whose id is invalid or in use is refused with 400 and
	// counted.
	GenerateID func(h *RequestInfo) string
	// Forwarder, if set, passes requests for sessions of other nodes of a cluster on to these, so that a load balancer
	// needs no sticky sessions: a *forward.Node of package room/cluster/forward. It makes the ids and so excludes
	// GenerateID. Close it after the server.
	Forwarder Forwarder
	// OnInitialHeaders, if set, may change the header of a session's first answer, which has the fields of CORS. It
	// runs on the goroutine of AllowRequest, after it, and may block.
	OnInitialHeaders func(h *RequestInfo, header http.Header)
	// OnHeaders, if set, may change the header of every answer to a request that opens a session or names one; for the
	// first one it runs after OnInitialHeaders. h is the request being answered. Except for a session's first answer it
	// runs on the event loop: it must be quick and must not block.
	//
	// Neither hook can set fields that an answer's framing depends on, its content type, or the fields of a WebSocket's
	// opening handshake.
	OnHeaders func(h *RequestInfo, header http.Header)
	// SelectProtocol, if set, chooses the subprotocol of a WebSocket whose client offers some: one of offered, in the
	// client's order, or "" for none, which most clients treat as a failure. h is the request being answered. It runs
	// on the event loop: it must be quick and must not block. A result that was not offered is logged and means none.
	// Default: the first one offered, as in the reference.
	SelectProtocol func(h *RequestInfo, offered []string) string
	// OnConnectionError, if set, is called for each request that is refused with one of the protocol's error codes. It
	// runs on its own goroutine, one call at a time. While more than 1,024 calls wait, further ones are left out and
	// counted.
	OnConnectionError func(e ConnectionError)
	// Fallback answers requests for other paths. Default: 404. Handlers get a buffered request and response. It may be
	// the Handler of another server where net/http serves both; Listen with addresses refuses that, because WebSockets
	// would not reach the other server.
	Fallback http.Handler

	// Loops is the number of event loops. Default GOMAXPROCS.
	Loops int
	// GatherTime is how long an event loop waits for more events while many clients send small ones, so that it handles
	// several at once, which takes less CPU time. It does not wait for single clients, nor when it has enough to do. At
	// most 10 ms; a negative value turns it off. Default 750 us.
	GatherTime time.Duration
	// Backlog is the longest listen queue of each address of Listen, up to 65,535. A connect that finds it full fails
	// on a unix socket, and takes a second longer over TCP. The queue becomes shorter, down to 128, when the process is
	// about to run out of open files. Default: the kernel's maximum (net.core.somaxconn on Linux), so that bursts pass.
	Backlog int
	// UnixMode is the permissions of Listen's unix sockets: write permission is needed to connect. Default 0o660.
	UnixMode fs.FileMode
	// SharePorts lets another process of the same user listen on the same addresses, which must be of TCP, for a
	// restart that refuses nobody: see Server.TakeOver. Linux only. Off by default, because two servers that know
	// nothing of each other would share their clients.
	SharePorts bool
	// ProxyProtocol requires each connection of Listen's addresses to begin with a PROXY header, version 1 or 2, as
	// HAProxy, nginx and load balancers send it, which has the client's address. A connection without one, or whose
	// header takes longer than HeaderTimeout, is closed, counted and logged. Anybody who can connect can claim any
	// address, unless TrustedProxies restricts who may connect. Default off.
	ProxyProtocol bool
	// TrustedProxies are the addresses of the proxies in front of the server. X-Forwarded-For and X-Forwarded-Proto are
	// read only on connections from them and, if there is an entry here, from unix sockets. The client's address is the
	// last one in X-Forwarded-For that is not a proxy's; the first scheme in X-Forwarded-Proto tells whether the client
	// used TLS. With ProxyProtocol nobody else may connect. RFC 7239's Forwarded is never read. Default: none.
	TrustedProxies []netip.Prefix
	// WriteTimeout closes a connection whose peer takes nothing for that long while data waits. Default: poller's.
	WriteTimeout time.Duration
	// CloseTimeout bounds the total time that Close waits: half of it for handlers, the rest for clients to take their
	// packets. Default 10 s: below the grace period of process managers, 30 s in Kubernetes and 90 s with systemd.
	CloseTimeout time.Duration
	// Logger gets the life of the server at Info and of each connection at Debug, in the groups "node" (the server and
	// its event loops), "eio" (Engine.IO: handshakes, and the type and size of packets, including heartbeats) and "sio"
	// (Socket.IO: sockets, joins, events and acknowledgements). New checks once whether Debug records are enabled; if
	// not, they cost nothing. Default: slog.Default() when New is called. To log nothing, set
	// slog.New(slog.DiscardHandler).
	//
	// A panic of a handler is logged at Error, with its stack. An error that a handler returns is logged at Warn, or at
	// Debug if Refuse made it, because it is an answer to the client.
	//
	// Nobody waits for the log: records go to its handler on a separate goroutine, in order, and Close waits at most a
	// second for the last ones. A handler that is a *logqueue.Handler has its own queue, with its own limits.
	Logger *slog.Logger
	// LogQueue bounds the records that wait for the Logger. Further ones are left out and counted, and a line reports
	// how many when the log is back. Default 4,096: about 1.5 MB, and enough for the Debug records of a thousand
	// clients that connect at once.
	LogQueue int
	// LogBurst bounds the records at Warn and above that have the same message and come within ten seconds, because
	// clients can cause some of them at will. A line reports how many were left out. Default 20: enough to see what
	// happens, and to whom.
	LogBurst int
}

// Defaults of Config that are this package's own.
const (
	defaultMaxResponse    = 16 << 20
	defaultMaxNamespaces  = 64
	defaultMaxRooms       = 10_000
	defaultMaxDynamic     = 10_000
	defaultMaxPendingAcks = 4096
	defaultQueueBytes     = 4 << 20
	defaultInboxEvents    = 16 << 10
	defaultInboxBytes     = 8 << 20
	defaultConnectTimeout = 45 * time.Second
	defaultAckTimeout     = 30 * time.Second
	defaultRequestTimeout = 5 * time.Second
	defaultMaxRoomEvents  = 64 << 10
	defaultMaxRoomBytes   = 16 << 10
	defaultMaxAuthBytes   = 64 << 10

	defaultAttachmentTimeout = 30 * time.Second
	defaultCloseTimeout      = 10 * time.Second

	backlogMax = 65_535 // old kernels keep 16 bits of a listen queue's length

	loopsMax = 256 // a session id has one byte for its loop
)

// settle fills in the defaults and checks the result.
func (c Config) settle() (Config, error) {
	if c.Path == "" {
		c.Path = "/socket.io"
	}
	if err := c.checkIdle(); err != nil {
		return c, err
	}
	if err := errors.Join(c.settleNumbers(), c.settleTimes()); err != nil {
		return c, err
	}
	for _, t := range c.Transports {
		if t != Polling && t != WebSocket {
			return c, fmt.Errorf("server: Config.Transports has %d, which is no transport", t)
		}
	}
	if c.Queue.OnFull > OverflowExpendable {
		return c, fmt.Errorf("server: Config.Queue.OnFull = %d is no policy", c.Queue.OnFull)
	}
	if c.Loops == 0 {
		c.Loops = min(runtime.GOMAXPROCS(0), loopsMax)
	}
	if c.Loops > loopsMax {
		return c, fmt.Errorf("server: Config.Loops = %d: %d are possible", c.Loops, loopsMax)
	}
	if c.GatherTime > poller.GatherTimeMax && c.GatherTime != math.MaxInt64 {
		return c, fmt.Errorf("server: Config.GatherTime = %v: at most %v", c.GatherTime, poller.GatherTimeMax)
	}
	if c.Inbox.MaxBytes < c.MaxPayload+messageOverhead {
		return c, fmt.Errorf("server: Config.Inbox.MaxBytes = %d is too small for MaxPayload = %d: no such message could be handled",
			c.Inbox.MaxBytes, c.MaxPayload)
	}
	if err := c.settleMemory(); err != nil {
		return c, err
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Backlog > backlogMax {
		return c, fmt.Errorf("server: Config.Backlog = %d: %d are possible", c.Backlog, backlogMax)
	}
	if c.UnixMode > fs.ModePerm {
		return c, fmt.Errorf("server: Config.UnixMode = %v has more than permissions", c.UnixMode)
	}
	c.Transports, c.TrustedProxies = slices.Clone(c.Transports), slices.Clone(c.TrustedProxies)
	c.CORS.Origins, c.CORS.Methods = slices.Clone(c.CORS.Origins), slices.Clone(c.CORS.Methods)
	c.CORS.Headers, c.CORS.Exposed = slices.Clone(c.CORS.Headers), slices.Clone(c.CORS.Exposed)
	if err := session.Check(c.session()); err != nil {
		return c, fmt.Errorf("server: %w", err)
	}
	return c, nil
}

func (c *Config) settleNumbers() error {
	for _, f := range []struct {
		v    *int
		def  int
		name string
	}{
		{&c.MaxPayload, session.DefaultMaxPayload, "MaxPayload"}, {&c.MaxResponse, defaultMaxResponse, "MaxResponse"},
		{&c.MaxNamespaces, defaultMaxNamespaces, "MaxNamespaces"}, {&c.MaxRooms, defaultMaxRooms, "MaxRooms"},
		{&c.MaxRoomBytes, defaultMaxRoomBytes, "MaxRoomBytes"}, {&c.MaxAuthBytes, defaultMaxAuthBytes, "MaxAuthBytes"},
		{&c.MaxDynamicNamespaces, defaultMaxDynamic, "MaxDynamicNamespaces"},
		{&c.MaxPendingAcks, defaultMaxPendingAcks, "MaxPendingAcks"}, {&c.Queue.MaxBytes, defaultQueueBytes, "Queue.MaxBytes"},
		{&c.Inbox.MaxEvents, defaultInboxEvents, "Inbox.MaxEvents"}, {&c.Inbox.MaxBytes, defaultInboxBytes, "Inbox.MaxBytes"},
		{&c.MaxRoomEvents, defaultMaxRoomEvents, "MaxRoomEvents"},
		{&c.LogQueue, logqueue.DefaultRecords, "LogQueue"}, {&c.LogBurst, logqueue.DefaultBurst, "LogBurst"},
		{&c.Recovery.MaxPackets, defaultRecoveryPackets, "Recovery.MaxPackets"},
		{&c.Recovery.MaxBytes, defaultRecoveryBytes, "Recovery.MaxBytes"},
		{&c.Recovery.MaxSessions, defaultRecoverySessions, "Recovery.MaxSessions"},
		{&c.MaxAttachments, 0, "MaxAttachments"}, {&c.MaxAttachmentsSent, packets.DefaultAttachments, "MaxAttachmentsSent"},
		{&c.MaxConns, 0, "MaxConns"}, {&c.Loops, 0, "Loops"},
		{&c.MaxSessions, 0, "MaxSessions"}, {&c.MaxHandshakes, 0, "MaxHandshakes"}, {&c.Queue.VolatileBytes, 0, "Queue.VolatileBytes"},
		{&c.MaxHeaderBytes, 0, "MaxHeaderBytes"}, {&c.MaxRequestBody, 0, "MaxRequestBody"},
		{&c.Backlog, 0, "Backlog"}, {&c.MaxHealthConns, 0, "MaxHealthConns"},
	} {
		if *f.v == 0 {
			*f.v = f.def
		}
		if *f.v < 0 {
			return fmt.Errorf("server: Config.%s = %d is negative", f.name, *f.v)
		}
	}
	return nil
}

func (c *Config) settleTimes() error {
	for _, f := range []struct {
		v    *time.Duration
		def  time.Duration
		name string
	}{
		{&c.ConnectTimeout, defaultConnectTimeout, "ConnectTimeout"}, {&c.AckTimeout, defaultAckTimeout, "AckTimeout"},
		{&c.WriteTimeout, 0, "WriteTimeout"}, {&c.Recovery.MaxDisconnection, 0, "Recovery.MaxDisconnection"}, {&c.Recovery.RestoreTimeout, defaultRestoreTimeout, "Recovery.RestoreTimeout"}, {&c.AttachmentTimeout, defaultAttachmentTimeout, "AttachmentTimeout"},
		{&c.RequestTimeout, defaultRequestTimeout, "RequestTimeout"},
		{&c.CloseTimeout, defaultCloseTimeout, "CloseTimeout"},
	} {
		if *f.v == 0 {
			*f.v = f.def
		}
		if *f.v < 0 {
			return fmt.Errorf("server: Config.%s = %v is negative", f.name, *f.v)
		}
		if 0 < *f.v && *f.v < timeoutMin {
			return fmt.Errorf("server: Config.%s = %v: at least 1ms is needed", f.name, *f.v)
		}
	}
	return nil
}
