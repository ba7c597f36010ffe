package gate

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed58c87869/siren/cmd/siren/node/pattern"
	"github.com/seed58c87869/siren/cmd/siren/node/token"
	"github.com/seed58c87869/siren/cmd/siren/node/webhook"
	"github.com/seed58c87869/siren/server"
)

// Config says what is checked and who is told. Immutable once it is used.
type Config struct {
	// Tokens says which tokens are accepted. Without any key tokens are ignored.
	Tokens token.Config
	// Webhooks says where the backend is. Without a URL there is none.
	Webhooks webhook.Config
	// Connect, Event and Disconnect are the hooks that the backend gets.
	Connect, Event, Disconnect bool
	// Headers are the header fields of a client's first request that the backend gets.
	Headers []string
	// FailOpen lets clients in while the backend is down. Otherwise they are refused.
	FailOpen bool
	// Log gets, at debug level, why exactly a client was refused. Nil: slog's default.
	Log *slog.Logger
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Rule is what the rule of a namespace says to a Gate. Immutable.
type Rule struct {
	// Token says that clients need a token.
	Token bool
	// Rooms are those that a token may have its client join.
	Rooms pattern.List
	// Events are the names of clients' events that go to the backend; * stands for all but the node's own, which go there,
	// in place of the node, only by their names.
	Events []string
}

// Gate checks clients. Safe for concurrent use.
type Gate struct {
	current  atomic.Pointer[settings]
	revoked  token.Revocations
	arrivals arrivals
	counters counters

	mu sync.Mutex // held during Update and Close
}

// settings are those in force. Immutable.
type settings struct {
	Config
	// tokens is nil without keys, hooks without a backend.
	tokens *token.Verifier
	hooks  *webhook.Sender
}

// New makes a Gate. Errors are those of token.New and webhook.New. Close ends it.
func New(cfg Config) (*Gate, error) {
	g := new(Gate)
	g.arrivals.left = g.left
	return g, g.Update(cfg)
}

// Update puts another configuration in force, for clients that connect from now on and for hooks to come. Errors are
// those of New; nothing is changed then.
func (g *Gate) Update(cfg Config) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Tokens.Now, cfg.Tokens.Log, cfg.Webhooks.Log = cfg.Now, cfg.Log, cfg.Log
	old, next := g.current.Load(), &settings{Config: cfg}
	if old == nil {
		old = new(settings)
	}
	var err error
	if cfg.Tokens.On() {
		if next.tokens, err = token.New(cfg.Tokens); err != nil {
			return err
		}
		next.tokens.Adopt(old.tokens)
	}
	if err = next.connectBackend(old); err != nil {
		if next.tokens != nil {
			next.tokens.Close()
		}
		return err
	}
	g.current.Store(next)
	if old.tokens != nil {
		old.tokens.Close()
	}
	if old.hooks != nil && next.hooks == nil {
		go func() { _ = old.hooks.Close(context.Background()) }() // what is under way ends by its own time
	}
	return nil
}

// connectBackend makes the Sender, or goes on with the old one, which has hooks on their way.
func (s *settings) connectBackend(old *settings) (err error) {
	if s.Webhooks.URL == "" {
		return nil
	}
	if old.hooks != nil {
		s.hooks = old.hooks
		return s.hooks.Update(s.Webhooks)
	}
	s.hooks, err = webhook.New(s.Webhooks)
	return err
}

// Close waits until the backend has been told what it is to be told, or ctx ends; see webhook.Sender.Close. Clients
// that connect afterwards meet a backend that is down.
func (g *Gate) Close(ctx context.Context) (err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.arrivals.flush()
	s := g.current.Load()
	if s.hooks != nil {
		err = s.hooks.Close(ctx)
	}
	if s.tokens != nil {
		s.tokens.Close()
	}
	return err
}

// Serve has a Gate check the sockets of a namespace, or of the children of a parent. rule returns the rule of a
// namespace by its name; nil if there is none any more, and nobody comes in then. Call it before other connect handlers
// and disconnect handlers are registered.
func (g *Gate) Serve(on server.Space, rule func(ns string) *Rule) {
	on.Use(func(ctx context.Context, s *server.Socket) error {
		r := rule(s.Namespace().Name())
		if r == nil {
			return server.Refuse("Invalid namespace", nil)
		}
		return g.admit(ctx, s, r)
	})
	on.OnConnect(func(_ context.Context, s *server.Socket) error { return g.enter(s) })
	on.OnDeadline(g.due)
	on.OnDisconnect(g.gone)
	on.On(tokenEvent, func(ctx context.Context, m *server.Message) {
		switch r := rule(m.Socket().Namespace().Name()); {
		case r == nil:
		case g.Sends(tokenEvent, r):
			g.Event(ctx, m)
		default:
			g.renew(ctx, m, r)
		}
	})
}

// Claims returns the claims of the socket's token; nil when it came without one.
func Claims(s *server.Socket) *token.Claims {
	switch id := s.Identity().(type) {
	case *token.Claims:
		return id
	case *arrival:
		return id.claims
	case *expired:
		return id.Claims
	}
	return nil
}

// Revoke refuses the user's tokens that were issued before a time, and disconnects the sockets of these namespaces that
// came with one. It returns the number of these. The revocation is this process's, and is lost with it.
func (g *Gate) Revoke(namespaces []*server.Namespace, user string, before time.Time) (disconnected int) {
	if forgotten := g.revoked.Revoke(user, before); forgotten != "" {
		g.current.Load().Log.Warn("too many users are revoked: the tokens of the first one are accepted again",
			"user", forgotten)
	}
	for _, ns := range namespaces {
		for _, s := range ns.Users(user).Local().Sockets() {
			if c := Claims(s); c != nil && g.revoked.Revoked(c) {
				s.Disconnect(false)
				disconnected++
			}
		}
	}
	return disconnected
}
