package admin

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"
)

// Config holds the settings of a Server. The zero value of a field is its default. It is copied by New.
type Config struct {
	// Address is where the server listens: "host:port", "tcp://host:port" or "unix:///path". Default 127.0.0.1:3001.
	Address string
	// Keys are those that let a request in. Without any, Address has to be of this machine alone.
	Keys []string
	// TLS, when set, has the server speak TLS. Without it keys travel in clear, which is logged as a warning when Address
	// is reachable from other machines.
	TLS *tls.Config
	// SharePort lets another process of the same user listen on the same address, which must be of TCP, see Bind. Linux
	// only.
	SharePort bool
	// MaxBody bounds the body of a request, in bytes. Default 4 MiB: a batch of 1,000 events of 4 KiB.
	MaxBody int
	// MaxHead bounds the request line and the header fields, in bytes, and is the read buffer of each connection. Default
	// 16 KiB: what browsers send with many cookies.
	MaxHead int
	// MaxConns bounds the connections at once; more are refused with 503. Default 1,024: operators and backends keep few,
	// and each may hold a body.
	MaxConns int
	// ReadTimeout bounds the time for a request to arrive, body included. Default 30 s: 4 MiB at 1.2 Mbit/s.
	ReadTimeout time.Duration
	// WriteTimeout bounds the time for an answer to leave. Default 30 s.
	WriteTimeout time.Duration
	// IdleTimeout closes a connection without a request. Default 120 s: above what clients' pools keep connections for.
	IdleTimeout time.Duration
	// RequestsPerSecond bounds requests that need a key, of all callers together; a second's worth may come at once.
	// Default 0: no bound.
	RequestsPerSecond int
	// ProtectMetrics asks for a key at /metrics, which is open otherwise: most collectors have none. SetProtectMetrics
	// changes it.
	ProtectMetrics bool
	// Ready tells whether the node wants traffic, for /readyz. Default: it always does.
	Ready func() Readiness
	// Describe is the document that /openapi.json serves. Default: there is none.
	Describe []byte
	// Observe, when set, is told of each answer: the name of the route, or "unknown", the HTTP status and the time it took.
	// It must be quick.
	Observe func(route string, status int, took time.Duration)
	// Logger gets what goes wrong. Default: discards everything.
	Logger *slog.Logger
}

// Readiness is whether a node wants traffic. Immutable.
type Readiness struct {
	// Ready is false when balancers should send clients elsewhere.
	Ready bool
	// Status is "ok", "degraded", "draining" or another word.
	Status string
	// Broker is the state of the broker, such as "down", when other nodes may not be reached; else empty.
	Broker string
}

// Defaults of Config.
const (
	DefaultAddress  = "127.0.0.1:3001"
	defaultMaxBody  = 4 << 20
	defaultMaxHead  = 16 << 10
	defaultMaxConns = 1024
	defaultRead     = 30 * time.Second
	defaultWrite    = 30 * time.Second
	defaultIdle     = 120 * time.Second
)

// settle fills in the defaults and checks the result.
func (c Config) settle() (Config, error) {
	if c.Address == "" {
		c.Address = DefaultAddress
	}
	for _, f := range []struct {
		v    *int
		def  int
		name string
	}{
		{&c.MaxBody, defaultMaxBody, "MaxBody"}, {&c.MaxHead, defaultMaxHead, "MaxHead"},
		{&c.MaxConns, defaultMaxConns, "MaxConns"}, {&c.RequestsPerSecond, 0, "RequestsPerSecond"},
	} {
		if *f.v == 0 {
			*f.v = f.def
		}
		if *f.v < 0 {
			return c, fmt.Errorf("admin: Config.%s = %d is negative", f.name, *f.v)
		}
	}
	for _, f := range []struct {
		v    *time.Duration
		def  time.Duration
		name string
	}{
		{&c.ReadTimeout, defaultRead, "ReadTimeout"}, {&c.WriteTimeout, defaultWrite, "WriteTimeout"},
		{&c.IdleTimeout, defaultIdle, "IdleTimeout"},
	} {
		if *f.v == 0 {
			*f.v = f.def
		}
		if *f.v < 0 {
			return c, fmt.Errorf("admin: Config.%s = %v is negative", f.name, *f.v)
		}
	}
	if c.Ready == nil {
		c.Ready = func() Readiness { return Readiness{Ready: true, Status: "ok"} }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// ErrKeyNeeded is for an address that other machines reach, without a key.
var ErrKeyNeeded = errors.New("other machines can reach it, and there is no key: set admin.api_keys or " +
	"admin.api_keys_file, or listen on a loopback address or a unix socket")

// place is an address, taken apart. Immutable.
type place struct {
	network, address string
	// local: only programs of this machine can reach it.
	local bool
}

// parseAddress takes an address apart, and resolves its host: what is checked is what is opened.
func parseAddress(address string) (place, error) {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		scheme, rest = "tcp", address
	}
	switch scheme {
	case "unix":
		if rest == "" {
			return place{}, fmt.Errorf("admin: address %q has no path", address)
		}
		return place{"unix", rest, true}, nil
	case "tcp", "tcp4", "tcp6":
		addr, err := net.ResolveTCPAddr(scheme, rest)
		if err != nil {
			return place{}, fmt.Errorf("admin: address %q: %w", address, err)
		}
		ip, _ := netip.AddrFromSlice(addr.IP)
		return place{scheme, addr.String(), ip.Unmap().IsLoopback()}, nil
	}
	return place{}, fmt.Errorf("admin: address %q: the scheme is none of tcp, tcp4, tcp6 and unix", address)
}
