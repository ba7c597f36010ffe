// Package broker makes the adapter that joins a node to its cluster, from the URL of the configuration.
package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/redis"
)

// Adapter is an adapter that tells how it is. Safe for concurrent use.
type Adapter interface {
	cluster.Adapter
	cluster.HealthReporter
}

// Publisher is an adapter that only publishes. Safe for concurrent use.
type Publisher interface {
	Adapter
	// Ready waits until the broker is up, Flush until it has got what was published.
	Ready(ctx context.Context) error
	Flush(ctx context.Context) error
}

// NewPublisher returns the adapter for a program that only publishes. Errors are those of New.
func NewPublisher(address string) (Publisher, error) {
	if address == "" {
		return nil, errors.New("broker: the URL is empty")
	}
	a, err := newRedis(redis.Config{URL: address, PublishOnly: true})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// New returns the adapter for a broker, which connects in the background. An empty URL is no broker, and no adapter.
// Errors are for the user to read, and show no password.
func New(address string, log *slog.Logger) (Adapter, error) {
	if address == "" {
		return nil, nil
	}
	a, err := newRedis(redis.Config{URL: address, Logger: log})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// newRedis makes an adapter for Redis, the only kind of broker.
func newRedis(cfg redis.Config) (*redis.Adapter, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, errors.New("broker: the URL cannot be parsed")
	}
	switch u.Scheme {
	case "redis", "rediss", "unix":
		a, err := redis.New(cfg)
		if err != nil {
			return nil, fmt.Errorf("broker: %w", err)
		}
		return a, nil
	}
	return nil, fmt.Errorf("broker: no broker has the scheme %q", u.Scheme)
}
