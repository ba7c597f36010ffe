package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/seed58c87869/siren/cmd/siren/node/problem"
	"github.com/seed58c87869/siren/server"
)

// Config holds what the API works on. It is copied by New; functions may be called by many goroutines at once.
type Config struct {
	// Server is the node's server.
	Server *server.Server
	// Node is the node's name, Version that of the program; both for stats.
	Node, Version string
	// Exists reports whether there is a namespace of that name. What is sent to one that exists and has no client reaches
	// nobody, whatever the server has; what is sent to another one is an error. Default: those that the server has.
	Exists func(namespace string) bool
	// Data is what sockets tells of a socket. Default: Socket.Data.
	Data func(s *server.Socket) server.Raw
	// Reserved are events that emit and call refuse, besides Socket.IO's own. Default: "token" and "token-expiring", which
	// the node speaks with clients about their tokens.
	Reserved []string
	// MaxEvent is the largest event, in bytes of its encoding. It should be half of what may wait for one client, so that
	// no event alone fills a queue. Default 1 MiB: half of the node's default.
	MaxEvent int
	// Reload reads the configuration again, for the call reload. An error that is a *problem.Problem is answered as it is.
	// Default: there is no such call.
	Reload func(ctx context.Context) (Reloaded, error)
	// Drain begins the end of the node, for the call drain, and returns at once what it will be. A nil duration is the
	// configuration's. A second call changes nothing and returns what the first one has. An error that is a
	// *problem.Problem is answered as it is. Default: there is no such call.
	Drain func(timeout, spread *time.Duration) (Drained, error)
	// Older makes a call in the process that this one takes over from, and returns its answer, or nil if that one has
	// refused or has ended. The answers of calls that count, or collect replies, are added. Default: there is none.
	Older func(path string, body []byte) (answer []byte)
	// Newer makes a call in the process that has taken over from this one; ok is false if there is none. Default: there is
	// none.
	Newer func(path string, body []byte) (status int, answer []byte, ok bool)
	// Revoker refuses tokens, for the call revoke. Default: there is no such call.
	Revoker Revoker
	// Draining tells whether the node drains, for stats. Default: it does not.
	Draining func() bool
	// Refused and Dropped, when set, add to what stats tells by reason.
	Refused, Dropped func() map[string]uint64
	// Logger gets a line for each call that changes something. Default: discards everything.
	Logger *slog.Logger

	// now is the time, for tests.
	now func() time.Time
}

// Reloaded is what came of reading the configuration again: the keys that have changed, those that need a restart, and
// those that a flag or the environment sets. Immutable.
type Reloaded struct{ Changed, Restart, Overridden []string }

// Drained is the end of a node that has begun: the number of sessions, how long their end may take, and the time over
// which they end. Immutable.
type Drained struct {
	Sessions        int
	Timeout, Spread time.Duration
}

// Revoker refuses tokens of a user. Safe for concurrent use.
type Revoker interface {
	// Revoke refuses the user's tokens that were issued before a time, and disconnects the sockets that came with one. It
	// returns the number of these.
	Revoke(ctx context.Context, user string, before time.Time) (disconnected int, err error)
}

// maxEventDefault is half of the node's default for limits.queue_bytes.
const maxEventDefault = 1 << 20

// settle fills in the defaults.
func (c Config) settle() (Config, error) {
	if c.Server == nil {
		return c, errors.New("api: Config.Server is missing")
	}
	if c.MaxEvent < 0 {
		return c, fmt.Errorf("api: Config.MaxEvent = %d is negative", c.MaxEvent)
	}
	if c.MaxEvent == 0 {
		c.MaxEvent = maxEventDefault
	}
	if c.Exists == nil {
		c.Exists = func(name string) bool { return c.Server.Lookup(name) != nil }
	}
	if c.Data == nil {
		c.Data = (*server.Socket).Data
	}
	if c.Reserved == nil {
		c.Reserved = []string{"token", "token-expiring"}
	}
	if c.Draining == nil {
		c.Draining = func() bool { return false }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.now == nil {
		c.now = time.Now
	}
	return c, nil
}

// toProblem makes a problem of an error of the server's. field is what is to blame for one of the application's values.
func toProblem(err error, path func(string) string) *problem.Problem {
	var p *problem.Problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, server.ErrQueueFull):
		return &problem.Problem{Code: problem.Overloaded, Detail: "an event loop is behind; nothing was done", RetryAfter: time.Second}
	case errors.Is(err, server.ErrTooManyAcks):
		return &problem.Problem{Code: problem.Overloaded, Detail: "too many calls wait for replies", RetryAfter: time.Second}
	case errors.Is(err, server.ErrClosed):
		return problem.New(problem.Draining, "the node is shutting down")
	case errors.Is(err, server.ErrReserved):
		return problem.Field(problem.ReservedEvent, path("event"), "the name is one of Socket.IO's own")
	case errors.Is(err, server.ErrTooManyAttachments), errors.Is(err, server.ErrEncode):
		return problem.Field(problem.BadField, path("args"), "the arguments cannot be encoded")
	case errors.Is(err, server.ErrPosition):
		return problem.Field(problem.BadField, path("cursor"), "it is no cursor")
	case errors.Is(err, server.ErrCluster), errors.As(err, new(*server.MissingError)):
		return problem.New(problem.Cluster, "this node has done it; other nodes may not have")
	}
	return nil
}
