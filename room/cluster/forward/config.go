package forward

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"strconv"
	"strings"
	"time"
)

// Config holds the settings of a Node. Zero fields have their defaults.
type Config struct {
	// Listen is the address for the other nodes, host:port, in a private network. Port 0 picks a free port. Required.
	Listen string
	// Advertise is the address that other nodes connect to, with or without a port. Default: the address of the
	// listener. It is required when that is one of all interfaces.
	Advertise string
	// Secret is known to all nodes of the cluster, and to nobody else: at least 16 bytes. Required.
	Secret []byte
	// Peers are the addresses of other nodes. The own one may be among them.
	Peers []string
	// Discovery tells nodes of each other's addresses. Default: nodes know Peers and those that connect to them.
	Discovery Discovery

	// MaxForwards bounds the requests under way to each node; more get 503. Each polling client whose GET came to the
	// wrong node has one. Connections are kept for later requests while there are no more of them. Default 8,192.
	MaxForwards int
	// MaxWebSockets bounds the WebSockets that are spliced to each node; more get 503. Default 16,384.
	MaxWebSockets int
	// MaxPeers bounds the nodes that are known, with those that are gone lately. Every node watches every other one.
	// Default 256.
	MaxPeers int
	// MaxGreetings bounds the accepted connections that have not proved that they know the secret; more are closed at
	// once. Default 256.
	MaxGreetings int
	// WindowBytes is the number of bytes that may wait for one client, or for the node behind one spliced WebSocket,
	// before the other side is not read any more. Default 256 KiB, which a fast client takes in a turn.
	WindowBytes int

	// DialTimeout bounds the time to connect to a node, GreetTimeout the time in which both sides prove that they know
	// the secret. A request waits for both at most, and for as long again behind others. Defaults 1 s and 2 s: nodes
	// are in one data centre.
	DialTimeout, GreetTimeout time.Duration
	// PingInterval is the time between two looks at whether a node is alive, PingTimeout how long it may take to
	// answer. Both together bound how long a request to a frozen node waits. Defaults 1 s and 3 s; PingInterval is at
	// most a minute, because a watched node closes a connection that is silent for two.
	PingInterval, PingTimeout time.Duration
	// IdleTimeout closes a link without a request. It must be shorter than the session layer's IdleTimeout, 75 s, with
	// which the other node closes links. Default 15 s.
	IdleTimeout time.Duration
	// Skew is the greatest difference between the clocks of two nodes. Default 30 s.
	Skew time.Duration
	// AnnounceInterval is the time between two announcements on Discovery. A node that has gone is forgotten after ten
	// of them. Default 5 s.
	AnnounceInterval time.Duration

	// Logger gets the life of peers. Default: none.
	Logger *slog.Logger
}

// settle checks a Config and sets its defaults.
func (c Config) settle() (Config, error) {
	if c.Listen == "" {
		return c, errors.New("forward: Config.Listen is required")
	}
	if len(c.Secret) < secretMin {
		return c, fmt.Errorf("forward: Config.Secret has %d bytes; at least %d are needed", len(c.Secret), secretMin)
	}
	for _, n := range []struct {
		field    *int
		def, max int
		name     string
	}{
		{&c.MaxForwards, 8 << 10, math.MaxInt32, "MaxForwards"}, {&c.MaxWebSockets, 16 << 10, math.MaxInt32, "MaxWebSockets"},
		{&c.MaxPeers, 256, 1 << 16, "MaxPeers"}, {&c.MaxGreetings, 256, 1 << 16, "MaxGreetings"},
		{&c.WindowBytes, 256 << 10, 1 << 30, "WindowBytes"},
	} {
		if *n.field == 0 {
			*n.field = n.def
		}
		if *n.field < 1 || *n.field > n.max {
			return c, fmt.Errorf("forward: Config.%s = %d is outside of 1 to %d", n.name, *n.field, n.max)
		}
	}
	for _, d := range []struct {
		field *time.Duration
		def   time.Duration
		max   time.Duration
		name  string
	}{
		{&c.DialTimeout, time.Second, durationMax, "DialTimeout"}, {&c.GreetTimeout, 2 * time.Second, durationMax, "GreetTimeout"},
		{&c.PingInterval, time.Second, watchedMax / 2, "PingInterval"}, {&c.PingTimeout, 3 * time.Second, durationMax, "PingTimeout"},
		{&c.IdleTimeout, 15 * time.Second, durationMax, "IdleTimeout"}, {&c.Skew, 30 * time.Second, durationMax, "Skew"},
		{&c.AnnounceInterval, 5 * time.Second, durationMax, "AnnounceInterval"},
	} {
		if *d.field == 0 {
			*d.field = d.def
		}
		if *d.field < time.Millisecond || *d.field > d.max {
			return c, fmt.Errorf("forward: Config.%s = %v is outside of 1ms to %v", d.name, *d.field, d.max)
		}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

const (
	// secretMin is the shortest secret: 128 bits.
	secretMin = 16
	// durationMax keeps sums of durations from overflowing.
	durationMax = 24 * time.Hour
)

// advertised returns the address that other nodes are told, for a listener.
func advertised(address string, ln net.Addr) (string, error) {
	own, ok := ln.(*net.TCPAddr)
	if !ok {
		return "", fmt.Errorf("forward: %v is no TCP address", ln)
	}
	if address == "" {
		if own.IP.IsUnspecified() {
			return "", fmt.Errorf("forward: other nodes cannot connect to %v: set Advertise", ln)
		}
		return own.String(), nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host, port = strings.TrimSuffix(strings.TrimPrefix(address, "["), "]"), "0"
	}
	if port == "0" {
		port = strconv.Itoa(own.Port)
	}
	address = net.JoinHostPort(host, port)
	if len(address) > addressMax {
		return "", fmt.Errorf("forward: Config.Advertise is longer than %d bytes", addressMax)
	}
	return address, nil
}
