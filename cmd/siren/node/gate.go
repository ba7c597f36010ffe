package node

import (
	"context"
	"slices"
	"time"

	"github.com/seed58c87869/siren/cmd/siren/node/config"
	"github.com/seed58c87869/siren/cmd/siren/node/gate"
	"github.com/seed58c87869/siren/cmd/siren/node/token"
	"github.com/seed58c87869/siren/cmd/siren/node/webhook"
)

// gateConfig is what a configuration says of tokens and webhooks.
func (n *Node) gateConfig(cfg *config.Config) gate.Config {
	hooks := &cfg.Webhooks
	return gate.Config{
		Tokens: TokenConfig(cfg),
		Webhooks: webhook.Config{
			URL: hooks.URL, Secrets: hooks.Signing(), Node: n.name,
			Timeout: hooks.Timeout, MaxInFlight: hooks.MaxInFlight, Queue: hooks.Queue, Observe: n.exposition.ObserveHook,
		},
		Connect:    slices.Contains(hooks.Events, "connect"),
		Event:      slices.Contains(hooks.Events, "event"),
		Disconnect: slices.Contains(hooks.Events, "disconnect"),
		Headers:    hooks.Headers, FailOpen: hooks.OnFailure == "allow", Log: n.log,
	}
}

// TokenConfig is what a configuration says of tokens.
func TokenConfig(cfg *config.Config) token.Config {
	jwt := &cfg.Auth.JWT
	return token.Config{
		HMACSecrets: jwt.Secrets(), PublicKeyFile: jwt.PublicKeyFile, JWKSFile: jwt.JWKSFile, JWKSURL: jwt.JWKSURL,
		Algorithms: jwt.Algorithms, Issuer: jwt.Issuer, Audience: jwt.Audience, AllowNoExp: jwt.AllowNoExp,
	}
}

// gateRule is what a rule says to the gate.
func gateRule(cfg *config.Config, ns *config.Namespace) *gate.Rule {
	return &gate.Rule{
		Token: ns.Auth == "token" || ns.Auth == "" && cfg.Auth.Required,
		Rooms: ns.Rooms, Events: ns.WebhookEvents,
	}
}

// gateRuleOf is gateRule for a namespace; nil when it has no rule.
func (s *spaces) gateRuleOf(name string) *gate.Rule {
	if r := s.rules.Load().find(name); r != nil {
		return r.gate
	}
	return nil
}

// revoker is the call revoke of the API.
type revoker struct{ node *Node }

// Revoke implements api.Revoker.
func (r revoker) Revoke(_ context.Context, user string, before time.Time) (disconnected int, err error) {
	return r.node.gate.Revoke(r.node.srv.Namespaces(), user, before), nil
}

// gateTime is how long the backend may take to hear of the last disconnects when the node ends.
const gateTime = 5 * time.Second

// closeGate ends the gate. What the backend has not heard then is counted and logged.
func (n *Node) closeGate() {
	ctx, cancel := context.WithTimeout(context.Background(), gateTime)
	defer cancel()
	if err := n.gate.Close(ctx); err != nil {
		n.log.Warn("the webhooks' backend was not told of all disconnects", "lost", n.gate.Stats().Webhooks.Lost)
	}
}

// dropped are the drops of the node's own by reason, for the API's stats and the metrics.
func (n *Node) dropped() map[string]uint64 {
	out := map[string]uint64{"webhook_queue": n.gate.Stats().Webhooks.Full}
	if u := n.adminUI.Load(); u != nil {
		out["admin_ui"] = u.Dropped() + n.srv.Stats().Sessions.DroppedExpendable // no other client is
	}
	return out
}
