package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"time"

	"github.com/seed58c87869/siren/server/internal/packets"
	"github.com/seed58c87869/siren/server/logqueue"
	"github.com/seed58c87869/siren/server/parser"
	"github.com/seed58c87869/siren/session"
)

// Queue bounds what waits for one client.
type Queue struct {
	// MaxBytes is the limit in bytes. Default 4 MiB: what a loop queues in one turn, before it writes, must fit, and a
	// burst may queue megabytes. One packet may pass it. A hundred clients that stopped reading hold about 400 MiB, when
	// each was sent something else, and the process as much again until the garbage collector has run: see
	// Config.MemoryBudget for all clients together.
	MaxBytes int
	// OnFull says what happens at the limit. Default OverflowDisconnect.
	OnFull Overflow
	// VolatileBytes is how much may wait for a WebSocket client that still gets volatile events. Default 16 KiB.
	VolatileBytes int
}

// Inbox bounds the events of one socket that wait for their handlers.
type Inbox struct {
	// MaxEvents is the number of events behind the one whose handler runs. Default 16,384: as many as one polling
	// request may carry.
	MaxEvents int
	// MaxBytes is the sum of their payloads in bytes, that of the event whose handler runs included. Default 8 MiB. A
	// socket that passes either is disconnected: an event loop cannot stop reading from one connection.
	MaxBytes int
}

// Config holds the settings of a Server. The zero value is usable; New checks it, with errors that name the field.
// Names and defaults are the reference server's where it has them. A Duration of math.MaxInt64 means "never". It is
// copied by New.
type Config struct {
	// Path is where Socket.IO is mounted, with or without a trailing slash. Default "/socket.io".
	Path string
	// Transports are those offered. Default both.
	Transports []Transport
	// AllowEIO3 also serves clients of Socket.IO 2 (Engine.IO protocol 3), as the reference server's option of that
	// name: every request that does not name protocol 4 is theirs. Off by default. They are in "/" without asking, so ConnectTimeout does not hold for them. The ids of their
	// sockets are made of the session's id, because the clients make them so: an application that tells others such an
	// id gives the session away.
	AllowEIO3 bool
	// NoUpgrades keeps polling clients on polling.
	NoUpgrades bool
	// PingInterval is the time between a pong and the next ping. Default 25 s. Clients are told PingInterval and
	// PingTimeout together as at most 2^31-1 ms (24 days), the range of a JavaScript timer; a longer PingInterval is cut
	// to that.
	PingInterval time.Duration
	// PingTimeout is how long a pong may take. Default 20 s. The server waits that long also when it is longer than
	// clients can be told.
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
	// not read. Default 16 KiB, as Node's.
	MaxHeaderBytes int
	// MaxRequestBody bounds the body of requests for Fallback. Default MaxPayload.
	MaxRequestBody int
	// MaxResponse bounds what Fallback may answer, in bytes: answers are not streamed. Default 16 MiB.
	MaxResponse int
	// MaxConns bounds the connections. Default: the descriptor limit less a reserve.
	MaxConns int
	// HealthPath is a path of Fallback, such as "/healthz", that load balancers and supervisors ask for to see whether the
	// server lives. It is answered above MaxConns too: a full server is not to be restarted. Connections that are let in
	// for that get 503 for any other request. Default none.
	HealthPath string
	// MaxHealthConns bounds the connections above MaxConns that may ask for HealthPath at once. Beyond it the oldest gets
	// 503, so that clients who say nothing keep nobody out. Default 64: as many may come in the millisecond that a health
	// check takes.
	MaxHealthConns int
	// MaxSessions bounds the sessions: a polling client holds one without a connection. Default 2,097,152.
	MaxSessions int
	// MaxHandshakes bounds the handshakes that AllowRequest, Tune and the other hooks have at the same time, each in a
	// goroutine of its own: a hook that is slow and does not look at its context goes on when its client has gone. Others
	// are refused with 503. Default 8,192.
	MaxHandshakes int
	// MaxNamespaces bounds the namespaces that one connection may join. Default 64.
	MaxNamespaces int
	// MaxDynamicNamespaces bounds the namespaces that clients made, by connecting to names that a ParentNamespace takes:
	// clients can invent names without end. At the limit the child that is empty for longest makes room; when none is,
	// the client is refused. Default 10,000.
	MaxDynamicNamespaces int
	// CleanupEmptyChildNamespaces removes a child of a ParentNamespace when its last socket has left. The default is the
	// reference's: it stays, as long as there is room.
	CleanupEmptyChildNamespaces bool
	// MaxRooms bounds the rooms of one socket. Default 10,000.
	MaxRooms int
	// MaxRoomBytes bounds the name of a room that a socket joins. Names often come from clients, and are kept as long as
	// anybody is in the room. Default 16 KiB: any name that means something fits.
	MaxRoomBytes int
	// MaxAuthBytes bounds the auth payload of a CONNECT packet, as JSON: it is kept for as long as the socket lives. A
	// client with more is refused. Default 64 KiB: far above the largest tokens.
	MaxAuthBytes int
	// MaxPendingAcks bounds the acknowledgements that one socket is owed, and the broadcasts of one namespace that wait for
	// theirs. Default 4,096.
	MaxPendingAcks int
	// MaxRoomEvents bounds the events that wait for the listeners of OnRoom, or are on their way to them; above it sockets
	// cannot join rooms, or be moved into them. Default 65,536: what a thousand sockets cause that join some rooms at once passes while a listener is busy.
	MaxRoomEvents int
	// MaxAttachments bounds the binary attachments of one packet. Default: codec/sio's.
	MaxAttachments int
	// MaxAttachmentsSent bounds the binary attachments of one packet that is sent: an event or acknowledgement with more
	// fails with ErrTooManyAttachments. Default 10: official clients since March 2026 (socket.io-parser 4.2.6, 3.4.4 and
	// 3.3.5) end their connection with "parse error" at more, unless their Decoder has another limit. A packet of a Parser has
	// its binary values where it likes, and no limit.
	MaxAttachmentsSent int
	// AttachmentTimeout is how long the attachments of a packet may take to come, all of them together; then the
	// connection ends. Clients send them right behind their packet, so what is late is a slow line, or somebody who
	// wants memory held for nothing. Default 30 s: enough for 10 MB at 3 Mbit/s.
	AttachmentTimeout time.Duration
	// Parser, when set, encodes packets in place of Socket.IO's own parser; clients need the same. parser.Msgpack is another one.
	Parser parser.Parser
	// JSON, when set, encodes and decodes the arguments of events and acknowledgements, the data of refusals and the auth
	// payload in place of the built-in library. An argument that is itself a []byte or a Raw stays an attachment, or
	// as it is, whatever the library. But the library knows nothing of attachments: a []byte inside of another argument
	// is what it makes of it (base64, mostly), and one from a client decodes as the object
	// {"_placeholder":true,"num":N}, unless it is an argument of its own. Raw.Unmarshal and the function Prepare keep to
	// the built-in library. docs/json.md compares some.
	JSON JSON
	// AckTimeout ends a Call, Request or EmitAck whose context has no deadline. Default 30 s.
	AckTimeout time.Duration
	// RequestTimeout is how long the other nodes of a cluster may take to answer FetchSockets, Count and ServerSideRequest
	// when neither the Operator nor the context says. Default 5 s, as in the reference: nodes answer at once, unless they
	// are gone.
	RequestTimeout time.Duration
	// Queue bounds what waits for one client.
	Queue Queue
	// Inbox bounds the events that wait for one socket's handlers.
	Inbox Inbox
	// MemoryBudget bounds, in bytes, what all clients together hold: what waits for those that do not read, on either
	// transport, what they have sent and is not whole, and events that wait for handlers. A broadcast counts once for
	// each event loop, not for each receiver; short queues do not count. Above the budget, clients are ended with
	// "transport error", those first that hold the most, until an eighth of it is free; Stats.Evicted counts them.
	//
	// Default: a quarter of the memory that the process may use, which is the least of GOMEMLIMIT, its control groups'
	// limits and the machine's memory. With Go's default GOGC the heap grows to twice of what is in use before the
	// garbage collector runs; this leaves as much for everything else. 1 GiB when no limit is known. Negative: no bound.
	MemoryBudget int64
	// Recovery lets clients that lost their connection come back as themselves, with what they missed. Off by default.
	Recovery Recovery
	// CORS is what pages of other origins may do.
	CORS CORS
	// Cookie, when it has a Name, is sent with the handshake.
	Cookie Cookie
	// PerMessageDeflate compresses WebSocket messages. Default off, as in the reference server: it costs time and, on the
	// clients' side, memory.
	PerMessageDeflate PerMessageDeflate
	// HTTPCompression compresses polling answers. Default on.
	HTTPCompression HTTPCompression
	// EchoUnhandled answers an event that no handler takes, and that asks for an acknowledgement, with its own
	// arguments. The default is the reference's: no answer.
	EchoUnhandled bool
	// AllowRequest, when set, is asked before a session is made, in a goroutine of its own. An error refuses the
	// request with 403; one made by Refuse is told to the client.
	AllowRequest func(ctx context.Context, h *RequestInfo) error
	// Tune, when set, may give a session settings of its own: t comes with those of this Config. The client is told its
	// heartbeat and MaxPayload. It runs in the goroutine of AllowRequest, after it, and may block. MaxPayload and
	// QueueBytes can become smaller than here, not larger: buffers are laid out for these; what cannot be is logged
	// and counts for nothing. See Socket.SetHeartbeat and SetQueue for sessions that are open.
	Tune func(h *RequestInfo, t *Tuning)
	// GenerateID, when set, makes the ids of sessions: 16 to 128 letters, digits and any of - . _ ~ that cannot be
	// guessed, as who knows one owns its session; an empty one asks for one of ours. It runs in the goroutine of
	// AllowRequest, after it. A handshake whose id cannot be used, or is in use, is refused with 400 and counted.
	GenerateID func(h *RequestInfo) string
	// OnInitialHeaders, when set, may change the header of a session's first answer, which comes with the fields of
	// CORS. It runs in the goroutine of AllowRequest, after it, and may block.
	OnInitialHeaders func(h *RequestInfo, header http.Header)
	// OnHeaders, when set, may change the header of every answer to a request that opens a session or names one; at the
	// first it comes after OnInitialHeaders. h is the request that is answered. But for a session's first answer it runs
	// on the event loop: it must be quick and must not block.
	//
	// Neither hook can set what an answer's framing depends on, its content type or the fields of a WebSocket's opening.
	OnHeaders func(h *RequestInfo, header http.Header)
	// SelectProtocol, when set, chooses the subprotocol of a WebSocket whose client offers some: one of offered, which are
	// in the client's order, or "" for none, which most clients take for a failure. h is the request that is answered. It
	// runs on the event loop: it must be quick and must not block. What was not offered is logged and counts for none.
	// Default: the first one offered, as in the reference.
	SelectProtocol func(h *RequestInfo, offered []string) string
	// OnConnectionError, when set, is told of each request refused with one of the protocol's error codes. It runs in a
	// goroutine of its own, one call at a time; while more than 1,024 wait it is not told, which is counted.
	OnConnectionError func(e ConnectionError)
	// Fallback answers requests for other paths. Default: 404. Handlers get a buffered request and response. It may be the
	// Handler of another server where net/http serves both; Listen with addresses refuses that, because WebSockets would
	// not reach the other server.
	Fallback http.Handler

	// Loops is the number of event loops. Default GOMAXPROCS.
	Loops int
	// Backlog is the longest listen queue of each address that Listen opens, up to 65,535: connects that find it full fail
	// on a unix socket, and take a second longer over TCP. It is made shorter, down to 128, when the process is about to
	// run out of open files. Default: the longest that the kernel makes, net.core.somaxconn on Linux, so that bursts pass.
	Backlog int
	// UnixMode are the permissions of unix sockets that Listen makes: who may write to one may connect. Default 0o660.
	UnixMode fs.FileMode
	// ProxyProtocol makes each connection that Listen's addresses take begin with a PROXY header, version 1 or 2, as
	// HAProxy, nginx and load balancers send it, which tells the client's address. One that does not, or takes
	// longer than HeaderTimeout, is closed, counted and logged. Anybody who can connect can claim any address, unless
	// TrustedProxies says who may connect. Default off.
	ProxyProtocol bool
	// TrustedProxies are the addresses of the proxies in front of the server. On their connections, and on unix
	// sockets once there is an entry here, X-Forwarded-For tells the client's address (the last one that is not a
	// proxy's), and the first scheme of X-Forwarded-Proto whether it came by TLS; anybody else's are ignored. With ProxyProtocol
	// nobody else may connect. RFC 7239's Forwarded is never read. Default none.
	TrustedProxies []netip.Prefix
	// WriteTimeout closes a connection whose peer takes nothing for that long. Default: poller's.
	WriteTimeout time.Duration
	// CloseTimeout bounds the time that Close waits for handlers and clients, in total: half of it for handlers, the rest
	// for clients to take what is queued for them. Default 10 s: below the grace period of process managers, 30 s in
	// Kubernetes and 90 s with systemd.
	CloseTimeout time.Duration
	// Logger gets the life of the server at Info and of each connection at Debug, in the groups "node" (the server and
	// its event loops), "eio" (Engine.IO: handshakes, packets in and out with type and size, the heartbeat's among them)
	// and "sio" (Socket.IO: sockets, joins, events and acknowledgements). New asks once whether it takes Debug records:
	// without, no line costs a call. Default: slog.Default() as it is when New is called. To log nothing, set
	// slog.New(slog.DiscardHandler).
	//
	// A panic of a handler is logged at Error, with its stack, and an error that a handler returns at Warn, or at Debug if
	// Refuse made it: such an error is an answer to the client.
	//
	// Nobody waits for it: records go to its handler from a goroutine of their own, in order, and Close waits for the last
	// ones, a second at most. A handler that is a *logqueue.Handler has its queue already, with its own limits.
	Logger *slog.Logger
	// LogQueue bounds the records that wait for the Logger. What does not fit is left out and counted; a line tells how
	// many when the log is back. Default 4,096: about 1.5 MB, and what a thousand clients cause that connect at once, at
	// Debug.
	LogQueue int
	// LogBurst bounds the records at Warn and above that have the same message and come within ten seconds, because clients
	// can cause some as often as they like. A line tells how many were left out. Default 20: enough to see what happens,
	// and to whom.
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
	if c.Queue.OnFull > OverflowDropNewest {
		return c, fmt.Errorf("server: Config.Queue.OnFull = %d is no policy", c.Queue.OnFull)
	}
	if c.Loops == 0 {
		c.Loops = min(runtime.GOMAXPROCS(0), loopsMax)
	}
	if c.Loops > loopsMax {
		return c, fmt.Errorf("server: Config.Loops = %d: %d are possible", c.Loops, loopsMax)
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
		{&c.WriteTimeout, 0, "WriteTimeout"}, {&c.Recovery.MaxDisconnection, 0, "Recovery.MaxDisconnection"}, {&c.AttachmentTimeout, defaultAttachmentTimeout, "AttachmentTimeout"},
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
