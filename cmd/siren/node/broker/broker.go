// Package broker makes the adapter that joins a node to its cluster, from the URL of the configuration.
package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/nats"
	"github.com/seed58c87869/siren/room/cluster/nats/embedded"
	"github.com/seed58c87869/siren/room/cluster/redis"
)

// Adapter is an adapter that tells how it is. Safe for concurrent use.
type Adapter interface {
	cluster.Adapter
	cluster.HealthReporter
	// Ready waits until the broker is up, and RoomReady until this node gets what others emit to a room.
	Ready(ctx context.Context) error
	RoomReady(ctx context.Context, namespace, room string) error
}

// Publisher is an adapter that only publishes. Safe for concurrent use.
type Publisher interface {
	Adapter
	// Flush waits until the broker has got what was published.
	Flush(ctx context.Context) error
}

// Embedded is the URL of a broker in the process itself.
const Embedded = "embedded"

// Config is the broker of a node. Immutable.
type Config struct {
	// URL is the broker's address, or Embedded. Empty is no broker.
	URL string
	// Listen, Routes and Secret are those of the broker in the process.
	Listen string
	Routes []string
	Secret string
	// Log gets changes of state; nil is none.
	Log *slog.Logger
}

// NewPublisher returns the adapter for a program that only publishes. Errors are those of New.
func NewPublisher(address string) (Publisher, error) {
	switch scheme(address) {
	case "":
		return nil, errors.New("broker: the URL is empty")
	case Embedded:
		return nil, errors.New("broker: the broker of a node takes nothing from other programs; emit through the node's API")
	}
	a, err := dial(Config{URL: address}, true)
	if err != nil {
		return nil, err
	}
	return a, nil
}

// New returns the adapter for a broker, which connects in the background. An empty URL is no broker, and no adapter.
// Errors are for the user to read, and show no password.
func New(cfg Config) (Adapter, error) {
	switch scheme(cfg.URL) {
	case "":
		return nil, nil
	case Embedded:
		return newEmbedded(cfg)
	}
	a, err := dial(cfg, false)
	if err != nil {
		return nil, err
	}
	return a, nil
}

// scheme returns the scheme of an address, or all of one that has none.
func scheme(address string) string {
	name, _, _ := strings.Cut(address, "://")
	return name
}

// dial makes an adapter for a broker outside of the process.
func dial(cfg Config, publishOnly bool) (a Publisher, err error) {
	switch s := scheme(cfg.URL); s {
	case "redis", "rediss", "unix":
		a, err = redis.New(redis.Config{URL: cfg.URL, Logger: cfg.Log, PublishOnly: publishOnly})
	case "nats", "tls":
		a, err = nats.New(nats.Config{URL: cfg.URL, Logger: cfg.Log, PublishOnly: publishOnly})
	default:
		return nil, fmt.Errorf("broker: no broker has the scheme %q", s)
	}
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	return a, nil
}

// inProcess is an adapter with its broker, which ends with it. Safe for concurrent use.
type inProcess struct {
	*nats.Adapter
	broker *embedded.Broker
}

// newEmbedded starts a broker. Its settings may be in the URL too, for programs that have no configuration:
// embedded://LISTEN?route=ADDRESS&route=ADDRESS&secret=SECRET.
func newEmbedded(cfg Config) (Adapter, error) {
	own := embedded.Config{Listen: cfg.Listen, Routes: cfg.Routes, Secret: cfg.Secret, Logger: cfg.Log}
	if cfg.URL != Embedded {
		u, err := url.Parse(cfg.URL)
		if err != nil {
			return nil, errors.New("broker: the URL cannot be parsed")
		}
		own.Listen, own.Routes, own.Secret = u.Host, u.Query()["route"], u.Query().Get("secret")
	}
	b, err := embedded.Start(own)
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	a, err := nats.New(nats.Config{URL: embedded.URL, Options: b.Connect, Logger: cfg.Log})
	if err != nil {
		b.Close()
		return nil, fmt.Errorf("broker: %w", err)
	}
	return &inProcess{a, b}, nil
}

// Close implements cluster.Adapter.
func (p *inProcess) Close() error {
	err := p.Adapter.Close()
	p.broker.Close()
	return err
}
