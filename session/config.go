package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Transport is an Engine.IO transport. Immutable.
type Transport uint8

// The transports.
const (
	Polling Transport = iota
	WebSocket
)

// TransportNone is the number of transports. In tables of counters it stands for none of them.
const TransportNone = 2

// String returns the transport's name in the protocol.
func (t Transport) String() string {
	if t == WebSocket {
		return "websocket"
	}
	return "polling"
}

// MarshalText returns the transport's name, for JSON and for logs.
func (t Transport) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText accepts the names of String.
func (t *Transport) UnmarshalText(text []byte) error {
	for _, known := range []Transport{Polling, WebSocket} {
		if known.String() == string(text) {
			*t = known
			return nil
		}
	}
	return fmt.Errorf("session: %q is no transport", text)
}

// Overflow is the policy for a frame that does not fit into a session's outbound queue. Immutable.
type Overflow uint8

// The overflow policies.
const (
	// Disconnect ends the session of the slow consumer, so that what a client receives has no gaps.
	Disconnect Overflow = iota
	// DropNewest drops the frame that does not fit and counts it.
	DropNewest
	// Expendable is DropNewest for a client that misses nothing, such as one that is sent statistics. What it was not
	// sent counts neither as dropped nor, when the session ends, as lost; Stats.DroppedExpendable has the frames that
	// did not fit.
	Expendable
)

// String returns the policy's name.
func (o Overflow) String() string {
	switch o {
	case DropNewest:
		return "drop newest"
	case Expendable:
		return "expendable"
	}
	return "disconnect"
}

// Drops reports whether the policy drops what does not fit.
func (o Overflow) Drops() bool { return o != Disconnect }

// MarshalText returns the policy's name, for JSON and for logs.
func (o Overflow) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// Config holds the settings of an Engine. Immutable once passed to New. Zero fields mean the defaults, which are the
// reference server's where it has the setting. A Duration of math.MaxInt64 means "never".
type Config struct {
	// Path is the path of the engine, with or without a trailing slash. Default "/engine.io".
	Path string
	// Transports are the transports offered. Default: both.
	Transports []Transport
	// AllowEIO3 also allows sessions of protocol 3, which clients of Socket.IO 1 and 2 use. As in the reference, every
	// request that does not name protocol 4 then uses protocol 3. Off by default: the protocol was superseded in 2020,
	// and only servers with such clients need it.
	AllowEIO3 bool
	// NoUpgrades keeps a polling session on polling.
	NoUpgrades bool
	// PingInterval is the time between a pong and the next ping. Default 25 s.
	//
	// Clients are told PingInterval and PingTimeout together as at most 2^31-1 ms (24 days), the range of a JavaScript
	// timer; beyond it the official clients time out at once. A longer PingInterval is reduced to that range. A longer
	// PingTimeout is reduced only in what clients are told: the server waits for the whole PingTimeout.
	PingInterval time.Duration
	// PingTimeout is how long the server waits for a pong before it ends the session. Default 20 s. In protocol 3 the
	// client pings, and the session ends after PingInterval and PingTimeout without a ping.
	PingTimeout time.Duration
	// UpgradeTimeout bounds the time from the opening of an upgrade's WebSocket to packet "5". Default 10 s.
	UpgradeTimeout time.Duration
	// CloseTimeout is how long a closing polling session waits for the GET that fetches its last packets, but at most
	// PingInterval and PingTimeout together. Default 30 s.
	CloseTimeout time.Duration
	// HeaderTimeout bounds the time from a connection's opening, or a request's first byte, to the end of the request's
	// head. It limits clients that send their head slowly. Default 10 s.
	HeaderTimeout time.Duration
	// BodyTimeout bounds the time for a request's body. Default 60 s: enough for a full MaxPayload over a slow mobile
	// uplink.
	BodyTimeout time.Duration
	// IdleTimeout closes a kept-alive HTTP connection without a request. Default 75 s: common proxies close idle
	// upstream connections after 60 s, so the proxy closes first.
	IdleTimeout time.Duration
	// MaxSessions bounds the open sessions. Loops that open sessions at the same moment may exceed it by a few. A
	// polling session costs its client one short request, and the server memory until its pong is overdue. Default
	// 2,097,152.
	MaxSessions int
	// Limits bounds what clients ask for: sessions of one address, handshakes, events and bytes. Default: no limits.
	Limits Limits
	// AppAdmits leaves it to the application to call Session.Admit for each packet, because not every message is an
	// event, or an event has several messages.
	AppAdmits bool
	// MaxHandshakes bounds the handshakes that hooks such as Allow process at the same time, each in its own goroutine.
	// A slow hook that ignores its context continues after its client has gone. Further handshakes get 503. Default
	// 8,192.
	MaxHandshakes int
	// MaxPayload bounds one message, one polling request body and one polling response, in bytes. Default 1,000,000.
	MaxPayload int
	// MaxPackets bounds the packets of one polling request body: each costs a dispatch, whatever its size. Default
	// 16,384.
	MaxPackets int
	// HealthPath is a path outside of Path for health checks, such as "/healthz". It is also answered on connections
	// above the limit of connections, see Engine.AcceptSpare. Default: none.
	HealthPath string
	// MaxHealthConns bounds the connections above the limit that may request HealthPath at once; a further connection
	// replaces the oldest. Default 64: as many may arrive during the millisecond that a health check takes.
	MaxHealthConns int
	// MaxFragments bounds the frames of one fragmented WebSocket message. Default 1,024.
	MaxFragments int
	// MaxHeaderBytes bounds a request's head, of which the request line may take all. It also bounds the body of a GET,
	// which is not read. Default 16 KiB, as in Node.
	MaxHeaderBytes int
	// MaxRequestBody bounds the body of a request outside of Path. Default MaxPayload.
	MaxRequestBody int
	// MaxPipeline bounds the bytes that a client may send after a request that is not answered yet. MaxPipeline and
	// MaxPayload together bound the response bytes that it may leave unread while it sends requests. Default 64 KiB.
	MaxPipeline int
	// QueueBytes bounds the outbound queue of one session in bytes, on either transport. One packet may always be
	// queued, however long it is. Default 4 MiB: packets that a handler sends at once are queued until the end of the
	// loop's turn, even if the client is fast.
	QueueBytes int
	// VolatileBytes is the greatest outbound queue of a WebSocket, in bytes, behind which a volatile frame is still
	// queued. Default 16 KiB. Zero bytes would be too few: packets sent earlier in the same turn of the loop are queued
	// until its end, even if the peer takes everything at once. 16 KiB fit into the socket's buffer of any peer that is
	// not stuck, so a frame behind them is not late.
	VolatileBytes int
	// InboundBytes bounds the input of a WebSocket that waits for its session's loop if that differs from the
	// connection's loop, in bytes, with 64 for each message. Above it the connection is not read until half of the
	// input is handled. Default 128 KiB, two reads: input that waits there delays everything else posted to that loop.
	InboundBytes int
	// QueueFrames bounds the packets in the outbound queue of one session, on either transport: even an empty packet
	// costs memory. Default 32,768.
	QueueFrames int
	// OnFull is the policy for a frame that would exceed QueueBytes. Default Disconnect.
	OnFull Overflow
	// CORS configures what cross-origin pages are allowed to do.
	CORS CORS
	// Cookie, if its Name is set, is sent with the handshake's response.
	Cookie Cookie
	// ProxyProtocol requires every connection to begin with a PROXY header, version 1 or 2, which has the client's
	// address. A connection without one, or whose header takes longer than HeaderTimeout, is closed. Anyone who can
	// connect can claim any address, unless TrustedProxies restricts who may connect. Default off.
	ProxyProtocol bool
	// TrustedProxies are the addresses of the proxies in front of this server. X-Forwarded-For and X-Forwarded-Proto
	// are read only on connections from them and, if there is an entry here, from unix sockets. The client's address is
	// the last one in X-Forwarded-For that is not a proxy's; the scheme is the first one in X-Forwarded-Proto. With
	// ProxyProtocol nobody else may connect. Default: none.
	TrustedProxies []netip.Prefix
	// PerMessageDeflate configures the compression of WebSocket messages. Default off.
	PerMessageDeflate PerMessageDeflate
	// HTTPCompression configures the compression of polling responses. Default on.
	HTTPCompression HTTPCompression
	// Allow, if set, is called before a session is made. It runs in its own goroutine and may block until ctx ends,
	// which it does when the connection closes. An error refuses the handshake with 403; the client gets the text of a
	// Refusal.
	Allow func(ctx context.Context, h *Handshake) error
	// Tune, if set, may change the settings of one session; t has the values of Config. It runs after Allow, in the
	// same goroutine. Invalid settings are logged and Config's are used.
	Tune func(h *Handshake, t *Tuning)
	// GenerateID, if set, returns the id of a session: 16 to 128 letters, digits and any of - . _ ~ that cannot be
	// guessed, because whoever knows the id controls the session. An empty id requests a generated one. It runs after
	// Tune, in the same goroutine. A handshake whose id is invalid or in use is refused with 400 and counted.
	GenerateID func(h *Handshake) string
	// OnInitialHeaders, if set, may change the header of the first response of a session. header has the CORS fields.
	// It runs after GenerateID, in the same goroutine.
	OnInitialHeaders func(h *Handshake, header http.Header)
	// OnHeaders, if set, may change the header of each response to a request that opens a session or names one. header
	// has the CORS fields and, in the first response, the changes of OnInitialHeaders. h is the request being answered.
	// For the first response it runs in the goroutine of Allow; for others on the event loop, where it must be quick
	// and must not block.
	//
	// Neither hook can set the content type, fields that a response's framing depends on, or fields of a WebSocket's
	// opening handshake; these are dropped.
	OnHeaders func(h *Handshake, header http.Header)
	// SelectProtocol, if set, chooses the subprotocol of a WebSocket whose client offers some (Sec-WebSocket-Protocol):
	// one of offered, in the client's order of preference, or "" for none, which most clients treat as a failure. h is
	// the request being answered. At a handshake it runs after the other hooks. It runs on the event loop: it must be
	// quick and must not block. A result that was not offered is logged and means none, and so does a panic. Default:
	// the first one offered, as in the reference.
	SelectProtocol func(h *Handshake, offered []string) string
	// OnConnectionError, if set, is called for each request that is refused with one of the protocol's error codes. It
	// runs in its own goroutine, one call at a time. While more than 1,024 refusals wait, further ones are only
	// counted.
	OnConnectionError func(e ConnectionError)
	// Forwarder, if set, makes the ids of sessions and passes requests for sessions of other nodes on to these. It
	// excludes GenerateID, because an id must name its node. Default: requests for unknown sessions are refused.
	Forwarder Forwarder
	// Running, if set, counts the goroutines that run hooks.
	Running *atomic.Int64
	// Logger, if set, gets the life of each session and the type and size of its packets at Debug, the end of clients
	// that are too slow at Warn, and failed hooks at Error. New checks once whether debug records are enabled.
	Logger *slog.Logger
}

// Refusal is an error of Config.Allow whose text is sent to the client. Immutable.
type Refusal string

// Error returns the text for the client.
func (r Refusal) Error() string { return string(r) }

// Cookie describes the session cookie. Immutable. The zero value sends none.
type Cookie struct {
	// Name is the cookie's name; its value is the session id. The reference server's default name is "io".
	Name string
	// Path defaults to "/".
	Path string
	// SameSite is "Lax" (default), "Strict" or "None".
	SameSite string
	// Secure adds the Secure attribute.
	Secure bool
	// Script lets scripts read the cookie (no HttpOnly).
	Script bool
	// MaxAge is the lifetime in whole seconds; zero omits the attribute.
	MaxAge time.Duration
	// Domain adds the Domain attribute: the cookie goes to that host and those below it.
	Domain string
	// Partitioned adds the Partitioned attribute, which requires Secure: a page embedded in several sites then has a
	// separate cookie in each.
	Partitioned bool
	// Priority is "Low", "Medium" or "High"; empty omits the attribute.
	Priority string
}

func (c *Cookie) header(sid string) string {
	var b strings.Builder
	b.WriteString(c.Name + "=" + sid)
	if c.MaxAge > 0 {
		fmt.Fprintf(&b, "; Max-Age=%d", int64(c.MaxAge/time.Second))
	}
	if c.Domain != "" {
		b.WriteString("; Domain=" + c.Domain)
	}
	b.WriteString("; Path=" + c.Path)
	if !c.Script {
		b.WriteString("; HttpOnly")
	}
	if c.Secure {
		b.WriteString("; Secure")
	}
	if c.Partitioned {
		b.WriteString("; Partitioned")
	}
	if c.Priority != "" {
		b.WriteString("; Priority=" + c.Priority)
	}
	b.WriteString("; SameSite=" + c.SameSite)
	return b.String()
}

// Defaults of Config.
const (
	DefaultPath         = "/engine.io"
	DefaultPingInterval = 25 * time.Second
	DefaultPingTimeout  = 20 * time.Second
	DefaultMaxPayload   = 1_000_000

	defaultMaxHealthConns = 64
	DefaultQueueFrames    = 32 << 10
)

// settle returns c with its defaults filled in and checked. Errors name the field.
func (c Config) settle() (Config, error) {
	orString(&c.Path, DefaultPath)
	if c.Forwarder != nil && c.GenerateID != nil {
		return c, fmt.Errorf("session: Config.GenerateID is set, but the ids are Forwarder's: they name the node")
	}
	c.Path = "/" + strings.Trim(c.Path, "/")
	if c.Path == "/" {
		return c, fmt.Errorf("session: Config.Path must name a path below /")
	}
	if len(c.Transports) == 0 {
		c.Transports = []Transport{Polling, WebSocket}
	}
	for _, d := range []struct {
		field *time.Duration
		def   time.Duration
		name  string
	}{
		{&c.PingInterval, DefaultPingInterval, "PingInterval"}, {&c.PingTimeout, DefaultPingTimeout, "PingTimeout"},
		{&c.UpgradeTimeout, 10 * time.Second, "UpgradeTimeout"}, {&c.CloseTimeout, 30 * time.Second, "CloseTimeout"},
		{&c.HeaderTimeout, 10 * time.Second, "HeaderTimeout"}, {&c.BodyTimeout, 60 * time.Second, "BodyTimeout"},
		{&c.IdleTimeout, 75 * time.Second, "IdleTimeout"},
	} {
		if *d.field == 0 {
			*d.field = d.def
		}
		if *d.field < time.Millisecond {
			return c, fmt.Errorf("session: Config.%s = %v: at least 1ms is needed", d.name, *d.field)
		}
	}
	if c.MaxPayload == 0 {
		c.MaxPayload = DefaultMaxPayload
	}
	for _, d := range []struct {
		field *int
		def   int
		name  string
	}{
		{&c.MaxSessions, 1 << 21, "MaxSessions"}, {&c.MaxHandshakes, 8 << 10, "MaxHandshakes"}, {&c.MaxPayload, DefaultMaxPayload, "MaxPayload"}, {&c.MaxPackets, 16 << 10, "MaxPackets"},
		{&c.MaxFragments, 1 << 10, "MaxFragments"}, {&c.MaxHeaderBytes, 16 << 10, "MaxHeaderBytes"},
		{&c.MaxRequestBody, c.MaxPayload, "MaxRequestBody"}, {&c.MaxPipeline, 64 << 10, "MaxPipeline"},
		{&c.QueueBytes, 4 << 20, "QueueBytes"}, {&c.QueueFrames, DefaultQueueFrames, "QueueFrames"},
		{&c.VolatileBytes, 16 << 10, "VolatileBytes"}, {&c.InboundBytes, 128 << 10, "InboundBytes"},
		{&c.MaxHealthConns, defaultMaxHealthConns, "MaxHealthConns"},
	} {
		if *d.field == 0 {
			*d.field = d.def
		}
		if *d.field < 0 {
			return c, fmt.Errorf("session: Config.%s = %d is negative", d.name, *d.field)
		}
	}
	for _, t := range c.Transports {
		if t > WebSocket {
			return c, fmt.Errorf("session: Config.Transports has %d, which is no transport", t)
		}
	}
	if c.HealthPath != "" && (!strings.HasPrefix(c.HealthPath, "/") || strings.TrimSuffix(c.HealthPath, "/") == c.Path) {
		return c, fmt.Errorf("session: Config.HealthPath = %q: a path outside of Path is needed", c.HealthPath)
	}
	if c.OnFull > Expendable {
		return c, fmt.Errorf("session: Config.OnFull = %d is no policy", c.OnFull)
	}
	if err := errors.Join(c.Cookie.settle(), c.Limits.settle()); err != nil {
		return c, err
	}
	var err error
	if c.TrustedProxies, err = settlePrefixes(c.TrustedProxies); err != nil {
		return c, err
	}
	if err := c.settleCompression(); err != nil {
		return c, err
	}
	return c, c.CORS.validate()
}

func (c *Cookie) settle() error {
	if strings.ContainsAny(c.Name+c.Path+c.Domain, "; \t\r\n=,") {
		return fmt.Errorf("session: Config.Cookie has a name, path or domain that no cookie can have")
	}
	orString(&c.Path, "/")
	orString(&c.SameSite, "Lax")
	switch {
	case !slices.Contains([]string{"Lax", "Strict", "None"}, c.SameSite):
		return fmt.Errorf("session: Config.Cookie.SameSite = %q: it is Lax, Strict or None", c.SameSite)
	case !slices.Contains([]string{"", "Low", "Medium", "High"}, c.Priority):
		return fmt.Errorf("session: Config.Cookie.Priority = %q: it is Low, Medium or High", c.Priority)
	case 0 < c.MaxAge && c.MaxAge < time.Second:
		return fmt.Errorf("session: Config.Cookie.MaxAge = %v: browsers are told whole seconds", c.MaxAge)
	case c.Partitioned && !c.Secure:
		return fmt.Errorf("session: Config.Cookie.Partitioned needs Secure")
	}
	return nil
}

func orString(s *string, def string) {
	if *s == "" {
		*s = def
	}
}

// Check returns an error if the configuration is invalid.
func Check(c Config) error {
	_, err := c.settle()
	return err
}

// Resolution returns the timer resolution that the configuration needs: a hundredth of its shortest time, from 1 to 100
// ms.
func (c Config) Resolution() time.Duration {
	c, err := c.settle()
	if err != nil {
		return time.Millisecond
	}
	shortest := min(c.PingInterval, c.PingTimeout, c.UpgradeTimeout, c.CloseTimeout, c.HeaderTimeout, c.BodyTimeout)
	return min(max(shortest/100, time.Millisecond), 100*time.Millisecond)
}
