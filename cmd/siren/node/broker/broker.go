// Package broker makes the adapter that joins a node to its cluster, from the URL of the configuration.
package broker

import (
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

// New returns the adapter for a broker, which connects in the background. An empty URL is no broker, and no adapter.
// Errors are for the user to read, and show no password.
func New(address string, log *slog.Logger) (Adapter, error) {
	if address == "" {
		return nil, nil
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("broker.url cannot be parsed")
	}
	switch u.Scheme {
	case "redis", "rediss", "unix":
		a, err := redis.New(redis.Config{URL: address, Logger: log})
		if err != nil {
			return nil, fmt.Errorf("broker.url: %w", err)
		}
		return a, nil
	}
	return nil, fmt.Errorf("broker.url: no broker has the scheme %q", u.Scheme)
}
