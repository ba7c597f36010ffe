package session

import (
	"context"
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

// String is the transport's name on the wire.
func (t Transport) String() string {
	if t == WebSocket {
		return "websocket"
	}
	return "polling"
}

// Overflow is what happens to a frame that does not fit into a session's outbound queue. Immutable.
type Overflow uint8

// The overflow policies.
const (
	// Disconnect ends the session of the slow consumer: nothing it receives has gaps.
	Disconnect Overflow = iota
	// DropNewest drops the frame that does not fit and counts it.
	DropNewest
)

// Config holds the settings of an Engine. Immutable once given to New; zero fields mean the defaults, which are the
// reference server's where it has them. A Duration of math.MaxInt64 means "never".
type Config struct {
	// Path is where the engine is mounted, with or without a trailing slash. Default "/engine.io".
	Path string
	// Transports are the transports offered. Default both.
	Transports []Transport
	// AllowEIO3 also opens sessions of protocol 3, which clients of Socket.IO 1 and 2 speak: as in the reference, for every
	// request that does not name protocol 4. Off by default: the protocol is superseded since 2020, and nobody should
	// offer it who has no such clients.
	AllowEIO3 bool
	// NoUpgrades keeps a polling session on polling.
	NoUpgrades bool
	// PingInterval is the time between a pong and the next ping. Default 25 s.
	//
	// Clients are told PingInterval and PingTimeout together as at most 2^31-1 ms (24 days), the range of a JavaScript
	// timer: beyond it the official clients give up at once. A PingInterval that leaves that range is cut to it. A
	// PingTimeout is cut only where it is told: the server itself waits as long as PingTimeout says.
	PingInterval time.Duration
	// PingTimeout is how long the pong may take before the session is over. Default 20 s. In protocol 3 the client
	// pings, and the session is over after PingInterval and PingTimeout without one.
	PingTimeout time.Duration
	// UpgradeTimeout is how long an upgrade may take from the WebSocket's opening to packet "5". Default 10 s.
	UpgradeTimeout time.Duration
	// CloseTimeout is how long a closing polling session waits for the GET that fetches its last packets, but no longer
	// than PingInterval and PingTimeout together. Default 30 s.
	CloseTimeout time.Duration
	// HeaderTimeout bounds the time from a connection's opening, or a request's first byte, to the end of the
	// request's head; it is what a client that drips its head costs. Default 10 s.
	HeaderTimeout time.Duration
	// BodyTimeout bounds the time a request's body may take. Default 60 s: a slow mobile uplink sends a full
	// MaxPayload in less.
	BodyTimeout time.Duration
	// IdleTimeout closes a kept-alive HTTP connection without a request. Default 75 s, above the 60 s at which
	// common proxies drop their idle upstream connections, so that the proxy closes first.
	IdleTimeout time.Duration
	// MaxSessions bounds the open sessions, about: loops that open some at the same moment may pass it by a few. A
	// polling session costs its client one short request and us memory until its pong is overdue. Default 2,097,152.
	MaxSessions int
	// MaxHandshakes bounds the handshakes that hooks such as Allow have at the same time, each in a goroutine of its own:
	// one that is slow and does not look at its context goes on when its client has gone. Others get 503. Default 8,192.
	MaxHandshakes int
	// MaxPayload bounds one message, one polling request body and one polling response, in bytes. Default 1,000,000.
	MaxPayload int
	// MaxPackets bounds the packets of one polling request body: each costs a dispatch whatever its size. Default 16,384.
	MaxPackets int
	// HealthPath is a path outside of Path, such as "/healthz", that is asked for to see whether the server lives: it is
	// answered on connections above the limit too, see Engine.AcceptSpare. Default: none.
	HealthPath string
	// MaxHealthConns bounds the connections above the limit that may ask for HealthPath at once; beyond it the oldest
	// makes room. Default 64: as many may come in the millisecond that a health check takes.
	MaxHealthConns int
	// MaxFragments bounds the frames of one fragmented WebSocket message. Default 1,024.
	MaxFragments int
	// MaxHeaderBytes bounds a request's head, of which the request line may take all, and the body of a GET, which is
	// not read. Default 16 KiB, as Node's.
	MaxHeaderBytes int
	// MaxRequestBody bounds the body of a request outside of Path. Default MaxPayload.
	MaxRequestBody int
	// MaxPipeline bounds the bytes a client may send behind a request that is not answered yet, and with MaxPayload
	// the bytes of answers that it may leave unread while it sends further requests. Default 64 KiB.
	MaxPipeline int
	// QueueBytes bounds what waits for one session, in bytes, on either transport. One packet may always wait, however
	// long it is. Default 4 MiB: what a handler sends in one go waits for the end of the loop's turn even when the
	// client is fast.
	QueueBytes int
	// VolatileBytes is how much may wait for a WebSocket, in bytes, for a volatile frame to be queued behind it. Default
	// 16 KiB. Zero bytes would be too few: whatever was sent earlier in the same turn of the loop waits until its end, even
	// if the peer takes all at once. 16 KiB fits into the socket's buffer of any peer that is not stuck, so a frame
	// behind it is not late.
	VolatileBytes int
	// InboundBytes is how much a WebSocket may have sent that its session's loop, another one than the connection's, has not
	// handled, in bytes, with 64 for each message: beyond it the connection is not read until half of it is handled.
	// Default 128 KiB, two reads: what waits there delays whatever else is posted to that loop.
	InboundBytes int
	// QueueFrames bounds the packets that wait for one session, on either transport: an empty packet costs memory too.
	// Default 32,768.
	QueueFrames int
	// OnFull says what happens when QueueBytes would be passed. Default Disconnect.
	OnFull Overflow
	// CORS is what cross-origin pages are allowed.
	CORS CORS
	// Cookie, when its Name is set, is sent with the handshake's response.
	Cookie Cookie
	// ProxyProtocol makes every connection begin with a PROXY header, version 1 or 2, which tells the client's address.
	// One that does not, or takes longer than HeaderTimeout, is closed. Anybody who can connect can claim any
	// address, unless TrustedProxies says who may connect. Default off.
	ProxyProtocol bool
	// TrustedProxies are the addresses of the proxies in front of this server. From their connections, and from unix
	// sockets once there is an entry here, X-Forwarded-For is believed, up to and with the last address that is not
	// a proxy's, and so is X-Forwarded-Proto, of which the first scheme counts; anybody else's are ignored. With ProxyProtocol nobody else may connect.
	// Default: none.
	TrustedProxies []netip.Prefix
	// PerMessageDeflate compresses WebSocket messages. Default off.
	PerMessageDeflate PerMessageDeflate
	// HTTPCompression compresses polling answers. Default on.
	HTTPCompression HTTPCompression
	// Allow, when set, is asked before a session is made. It runs in its own goroutine and may block until ctx
	// ends, when the connection closes. An error refuses the handshake with 403 and, if it is a Refusal, its text.
	Allow func(ctx context.Context, h *Handshake) error
	// Tune, when set, may change the settings of one session: t comes with those of Config. It runs where Allow runs,
	// after it. Settings that cannot be are logged, and those of Config hold.
	Tune func(h *Handshake, t *Tuning)
	// GenerateID, when set, makes the id of a session: 16 to 128 letters, digits and any of - . _ ~ that cannot be
	// guessed, as who knows it owns the session; an empty one asks for one of ours. It runs where Allow runs, after it.
	// A handshake whose id cannot be used, or is in use, is refused with 400 and counted.
	GenerateID func(h *Handshake) string
	// OnInitialHeaders, when set, may change the header of the first answer of a session, which comes with the fields of
	// CORS. It runs where Allow runs, after it.
	OnInitialHeaders func(h *Handshake, header http.Header)
	// OnHeaders, when set, may change the header of each answer to a request that opens a session or names one, which
	// comes with the fields of CORS, and at the first with what OnInitialHeaders has made of them. h is the request that is
	// answered. For the first answer it runs where Allow runs, for others on the event loop: it must be quick and must not
	// block.
	//
	// Neither hook can set the fields that an answer's framing depends on, its content type or those of a WebSocket's
	// opening; they are left out.
	OnHeaders func(h *Handshake, header http.Header)
	// SelectProtocol, when set, chooses the subprotocol of a WebSocket whose client offers some (Sec-WebSocket-Protocol):
	// one of offered, which are in the client's order, or "" for none, which most clients take for a failure. h is the
	// request that is answered, at a handshake after the other hooks. It runs on the event loop: it must be quick and must
	// not block. What was not offered is logged and counts for none, and so does a panic. Default: the first one offered,
	// as in the reference.
	SelectProtocol func(h *Handshake, offered []string) string
	// OnConnectionError, when set, is told of each request that is refused with one of the protocol's error codes. It
	// runs in a goroutine of its own, one call at a time; while more than 1,024 wait, it is not told, which is counted.
	OnConnectionError func(e ConnectionError)
	// Running, when set, counts the goroutines that run hooks.
	Running *atomic.Int64
	// Logger, when set, gets at Debug what happens to each session, its packets with type and size, and at Error the hooks
	// that failed. Whether it takes debug records is asked once, by New.
	Logger *slog.Logger
}

// Refusal is an error of Config.Allow whose text is told to the client. Immutable.
type Refusal string

// Error is the text for the client.
func (r Refusal) Error() string { return string(r) }

// Cookie describes the session cookie. Immutable. The zero value sends none.
type Cookie struct {
	// Name of the cookie; its value is the session id. The reference server's default name is "io".
	Name string
	// Path defaults to "/".
	Path string
	// SameSite is "Lax" (default), "Strict" or "None".
	SameSite string
	// Secure adds the Secure attribute.
	Secure bool
	// Script lets scripts read the cookie (no HttpOnly).
	Script bool
	// MaxAge in whole seconds; none when zero.
	MaxAge time.Duration
	// Domain adds the Domain attribute: the cookie goes to that host and those below it.
	Domain string
	// Partitioned adds the Partitioned attribute, which needs Secure: a page embedded in pages of several sites has a
	// cookie with each.
	Partitioned bool
	// Priority is "Low", "Medium" or "High"; none when empty.
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

// settle fills in the defaults and checks the result; errors name the field.
func (c Config) settle() (Config, error) {
	orString(&c.Path, DefaultPath)
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
	if c.OnFull > DropNewest {
		return c, fmt.Errorf("session: Config.OnFull = %d is no policy", c.OnFull)
	}
	if err := c.Cookie.settle(); err != nil {
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

// Check reports what is wrong with a configuration, if anything.
func Check(c Config) error {
	_, err := c.settle()
	return err
}

// Resolution is the timer resolution the configuration needs, a hundredth of its shortest time within 1 to 100 ms.
func (c Config) Resolution() time.Duration {
	c, err := c.settle()
	if err != nil {
		return time.Millisecond
	}
	shortest := min(c.PingInterval, c.PingTimeout, c.UpgradeTimeout, c.CloseTimeout, c.HeaderTimeout, c.BodyTimeout)
	return min(max(shortest/100, time.Millisecond), 100*time.Millisecond)
}
