package server

import (
	"github.com/seed58c87869/siren/server/internal/collect"
	"github.com/seed58c87869/siren/session"
)

// Reason says why a socket ended. It is an error, the cause of the socket's context. Immutable. Its methods:
//
//   - String() string, Error() string: the reference server's text, such as "transport close"
//   - MarshalText, UnmarshalText: the same text in JSON and in logs
//   - Plain() Reason: the reference's reason, for one that is only counted
//   - Reconnects() bool: whether clients connect again by themselves after it
//   - Label() string: the word under which ends are counted
type Reason = session.Reason

// The reasons for the end of a socket.
const (
	ReasonClientLeft        = session.ReasonClientLeft        // the client disconnected the socket
	ReasonServerLeft        = session.ReasonServerLeft        // Socket.Disconnect(false)
	ReasonTransportClose    = session.ReasonTransportClose    // the connection was closed
	ReasonTransportError    = session.ReasonTransportError    // the connection failed, or its queue was full
	ReasonPingTimeout       = session.ReasonPingTimeout       // no pong came in time
	ReasonParseError        = session.ReasonParseError        // the client sent what is no Engine.IO packet
	ReasonForcedClose       = session.ReasonForcedClose       // the client sent what is no Socket.IO packet
	ReasonForcedServerClose = session.ReasonForcedServerClose // Socket.Disconnect(true), or a limit of the server
	ReasonServerShutdown    = session.ReasonServerShutdown    // Server.Close
	ReasonDraining          = session.ReasonDraining          // Server.Drain
	ReasonRateLimited       = session.ReasonRateLimited       // the client exceeded Config.Limits for too long

	// These are only counted, see LoopStats.Ended. Handlers and clients are told Plain, one of those above.

	ReasonQueueFull    = session.ReasonQueueFull    // the client's queue was full
	ReasonMemory       = session.ReasonMemory       // all clients together held too much
	ReasonTokenExpired = session.ReasonTokenExpired // see DisconnectFor
)

// Limits bounds what clients ask for. A number of 0 is no limit, and costs nothing. A connection is a session, however
// many requests it makes. An address is the one that RequestInfo has; clients of IPv6 count by their network (/64), and
// those of unix sockets are not limited by address. Its fields:
//
//   - ConnectionsPerAddress int: connections at once of one address; further ones get 429
//   - AcceptsPerSecond int: new connections of a second; further ones get 503, with Retry-After from 1 to 5 s at random
//   - EventsPerSecond int: events of a second of one connection, and requests to join a namespace. An event in excess
//     is dropped and counted; its acknowledgement is {"error":"rate limited"}
//   - BytesPerSecond int: bytes of a second that one connection sends, with all attachments, uncompressed. A longer
//     event is always in excess
//   - Excess time.Duration: how long a client may exceed these two, without one second in which it does not, before its
//     connection ends with ReasonRateLimited; default 5 s
//   - RefuseTime time.Duration: how long its address then gets 429; default 5 s
type Limits = session.Limits

// Transport is an Engine.IO transport. Immutable. Its methods:
//
//   - String() string: "polling" or "websocket"
//   - MarshalText, UnmarshalText: the same text in JSON and in logs
type Transport = session.Transport

// The transports.
const (
	Polling   = session.Polling
	WebSocket = session.WebSocket
)

// Overflow is what happens when a client's queue is full. Immutable. Its methods:
//
//   - String() string: "disconnect", "drop newest" or "expendable"
//   - Drops() bool: whether the client stays and misses what does not fit
//   - MarshalText: the same text in JSON and in logs
type Overflow = session.Overflow

// The overflow policies.
const (
	OverflowDisconnect = session.Disconnect // the client is disconnected: what it receives has no gaps
	OverflowDropNewest = session.DropNewest // what does not fit is dropped, and counted
	OverflowExpendable = session.Expendable // it is dropped, and nothing is lost: for statistics and the like
)

// CORS says what pages of other origins may do. Without Origins and Match no headers are sent. Its fields:
//
//   - Origins []string: the allowed origins, such as "https://app.example", or "*" alone, which excludes Credentials
//   - Match func(origin string) bool: allows further origins; runs on the event loop
//   - Credentials bool: allows cookies and authorization
//   - Methods, Headers []string: what preflights allow; default the common methods, and the headers asked for
//   - Exposed []string: the response headers that pages may read
//   - MaxAge time.Duration: how long browsers may keep a preflight's answer; whole seconds
//   - PreflightStatus int: the status of a preflight's answer; default 204
//   - Enforce bool: refuses requests of other origins with 403, on both transports
//   - SameHost bool: lets pages of the server's own host pass Enforce
type CORS = session.CORS

// Cookie describes the session cookie, which is sent when it has a name. Its fields:
//
//   - Name string: the cookie's name; Node's is "io"
//   - Path string: default "/"
//   - Domain string: the cookie goes to that host and those below it
//   - SameSite string: "Lax" (default), "Strict" or "None"
//   - Secure, Partitioned bool: attributes of these names; Partitioned needs Secure
//   - Script bool: lets scripts read the cookie (no HttpOnly)
//   - MaxAge time.Duration: the lifetime; whole seconds
//   - Priority string: "Low", "Medium" or "High"
type Cookie = session.Cookie

// PerMessageDeflate is compression of WebSocket messages (RFC 7692) for clients that offer it. Its fields:
//
//   - Enabled bool: accepts the offers of clients
//   - Threshold int: the length in bytes from which messages are compressed; default 1,024
//   - Level int: 1 (fast, the default) to 9 (small)
//   - ServerMaxWindowBits int: bounds the window of sent messages, 8 to 15; default 15
//   - ClientTakeover bool: lets clients keep their context, which costs up to 32 KB for each connection
//   - ClientMaxWindowBits int: bounds that context, 8 to 15; default 15
type PerMessageDeflate = session.PerMessageDeflate

// HTTPCompression is compression of polling answers, for clients that accept it. Its fields:
//
//   - Disabled bool: sends all answers uncompressed
//   - Threshold int: the length in bytes from which answers are compressed; default 1,024
//   - Level int: 1 (fast, the default) to 9 (small)
type HTTPCompression = session.HTTPCompression

// RequestInfo is the first request of a session, as AllowRequest and Handshake have it. Immutable. Its members:
//
//   - Addr netip.AddrPort: the client's address, which trusted proxies may have told
//   - Peer netip.AddrPort: the other end of the connection
//   - Time time.Time: when the request came
//   - Address() string: the client's IP address
//   - Issued() int64: Time in milliseconds since 1970
//   - Method() string, URL() string: of the request
//   - Header(name string) string, Headers() http.Header: its header
//   - Query() url.Values: its query
//   - Secure() bool: whether the client used TLS
//   - CrossDomain() bool: whether the request has an Origin
//   - MarshalJSON: the form of socket.handshake in the reference
//   - Data(auth []byte) eio.Handshake: all of it as plain values
type RequestInfo = session.Handshake

// Tuning are the settings of one session, as Config.Tune has them. Its fields:
//
//   - PingInterval, PingTimeout time.Duration: the heartbeat
//   - MaxPayload int: bounds one message of the client, in bytes; at most Config.MaxPayload
//   - QueueBytes int: bounds what waits for the client, in bytes; at most Config.Queue.MaxBytes
//   - VolatileBytes int, OnFull Overflow: those of Queue
type Tuning = session.Tuning

// ConnectionError is a request that was refused, as OnConnectionError has it. Its members:
//
//   - Code eio.ErrorCode, Message string: what the answer said
//   - Request *RequestInfo: the refused request
//   - Context map[string]any: details under the reference's keys; may be empty
//   - MarshalJSON: the form of connection_error in the reference
type ConnectionError = session.ConnectionError

// Forwarder passes requests for sessions of other nodes on to these, see Config.Forwarder. Package room/cluster/forward
// implements it. Safe for concurrent use.
type Forwarder interface{ session.Forwarder }

// MissingError tells that not all answers came which were asked for; those that came were handed over. errors.Is
// finds its Cause. Immutable. Its methods are those of errors, Error and Unwrap, its fields:
//
//   - Clients int: the number of clients that were asked and did not answer, those that left before they answered
//     included
//   - Nodes int: the number of other nodes that did not answer. How many clients a broadcast asked there is not known
//   - NodeIDs []string: their ids as far as the adapter knows them
//   - Cause error: why they were not waited for: ErrTimeout, the cause of a context, or ErrClosed when everybody who
//     could still answer was gone
type MissingError = collect.MissingError
