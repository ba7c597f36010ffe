package gate

import (
	"sync/atomic"

	"github.com/seed58c87869/siren/cmd/siren/node/token"
	"github.com/seed58c87869/siren/cmd/siren/node/webhook"
)

// reasons are the errors of refusals, in the order of the counters.
var reasons = [...]error{token.ErrRequired, token.ErrInvalid, token.ErrExpired, token.ErrNotAllowed}

type counters struct {
	refusals                [len(reasons)]atomic.Uint64
	denied, failed, expired atomic.Uint64
}

func (c *counters) refuse(err error) {
	code := token.Code(err)
	for i, r := range reasons {
		if token.Code(r) == code {
			c.refusals[i].Add(1)
		}
	}
}

// Stats are a Gate's counters since its start. Immutable.
type Stats struct {
	// TokenRefusals counts refused tokens, those of renewals included, by the codes that clients read.
	TokenRefusals map[string]uint64
	// Denied counts clients that were refused for their token or by the backend, Failed those that were because the
	// backend was down.
	Denied, Failed uint64
	// Expired counts sockets that were disconnected because their tokens had expired.
	Expired uint64
	// Webhooks are the Sender's. Zero without a backend.
	Webhooks webhook.Stats
}

// Stats returns the counters.
func (g *Gate) Stats() Stats {
	s := Stats{
		TokenRefusals: make(map[string]uint64), Denied: g.counters.denied.Load(), Failed: g.counters.failed.Load(),
		Expired: g.counters.expired.Load(),
	}
	for i, r := range reasons {
		s.TokenRefusals[token.Code(r)] = g.counters.refusals[i].Load()
	}
	if hooks := g.current.Load().hooks; hooks != nil {
		s.Webhooks = hooks.Stats()
	}
	return s
}
