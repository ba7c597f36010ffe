package gate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/seed58c87869/siren/cmd/siren/node/token"
	"github.com/seed58c87869/siren/server"
)

// The events about tokens: the client's, with a new token, and the node's.
const (
	tokenEvent    = "token"
	expiringEvent = "token-expiring"
)

// warning is how long before the end of its token a client is told.
const warning = 30 * time.Second

// slack is how far the clocks of the event loops and of tokens may be apart.
const slack = time.Second

// expiring is the argument of token-expiring.
type expiring struct {
	ExpiresIn int64 `json:"expires_in"`
}

// secondsLeft is the time from now to the end of a token in seconds; 0 if that is over.
func (s *settings) secondsLeft(c *token.Claims) int64 {
	return max(0, int64(math.Round(c.Expires().Sub(s.Now()).Seconds())))
}

// expired is the identity of a socket whose token has expired.
type expired struct{ *token.Claims }

// leeway is how long after the end of its token a socket is kept.
func (s *settings) leeway() time.Duration {
	if s.tokens == nil {
		return token.DefaultLeeway
	}
	return s.tokens.Leeway()
}

// watch sets the socket's deadline for a token that it has now: for the warning, or for the end when the warning is
// due.
func (s *settings) watch(sock *server.Socket, c *token.Claims) {
	if c.Expires().IsZero() {
		sock.SetDeadline(0)
		return
	}
	left := c.Expires().Sub(s.Now())
	if left > warning {
		sock.SetDeadline(left - warning)
		return
	}
	s.warn(sock, c)
}

// warn tells a client that its token expires, and sets the deadline for the end.
func (s *settings) warn(sock *server.Socket, c *token.Claims) {
	_ = sock.Emit(expiringEvent, expiring{s.secondsLeft(c)}) // to a client that is gone it does not matter
	sock.SetDeadline(max(time.Nanosecond, c.Expires().Add(s.leeway()).Sub(s.Now())))
}

// due is the handler of deadlines. What is due follows from the time: a token may have been renewed meanwhile, and the
// clock of tokens may have been set.
func (g *Gate) due(s *server.Socket) {
	set := g.current.Load()
	c, ok := s.Identity().(*token.Claims)
	if !ok || c.Expires().IsZero() {
		return
	}
	switch left := c.Expires().Add(set.leeway()).Sub(set.Now()); {
	case left <= slack:
		g.counters.expired.Add(1)
		s.SetIdentity(&expired{c})
		s.DisconnectFor(server.ReasonTokenExpired)
	case left <= warning+set.leeway()+slack:
		set.warn(s, c)
	default:
		set.watch(s, c)
	}
}

// renewed is the acknowledgement of a new token.
type renewed struct {
	Status    string `json:"status"`
	ExpiresIn *int64 `json:"expires_in,omitempty"`
}

// refused is the acknowledgement of an event that failed.
type refused struct {
	Error string `json:"error"`
}

// renew is the handler of the event "token".
func (g *Gate) renew(ctx context.Context, m *server.Message, r *Rule) {
	set := g.current.Load()
	c, err := g.renewal(ctx, set, m, r)
	if err != nil {
		g.counters.refuse(err)
		set.debug(m.Socket(), "new token refused", err)
		_ = m.Ack(refused{token.Message(err)})
		return
	}
	answer := renewed{Status: "ok"}
	if !c.Expires().IsZero() {
		answer.ExpiresIn = new(set.secondsLeft(c))
	}
	_ = m.Ack(answer)
}

// renewal puts a new token in the place of the socket's.
func (g *Gate) renewal(ctx context.Context, set *settings, m *server.Message, r *Rule) (*token.Claims, error) {
	s := m.Socket()
	old := Claims(s)
	var text string
	switch arg := m.Arg(0); {
	case set.tokens == nil:
		return nil, fmt.Errorf("%w: tokens are ignored", token.ErrInvalid)
	case m.Len() != 1 || len(arg.JSON) == 0 || arg.JSON[0] != '"' || arg.Unmarshal(&text) != nil:
		return nil, fmt.Errorf("%w: the argument is no string", token.ErrInvalid)
	}
	c, err := g.verify(ctx, set, text, s.Namespace().Name(), r)
	switch {
	case err != nil:
		return nil, err
	case old == nil || c.Subject() != old.Subject():
		return nil, fmt.Errorf("%w: it is for another user", token.ErrNotAllowed)
	}
	if err := s.Join(c.Rooms()...); err != nil && !errors.Is(err, server.ErrClosed) {
		return nil, fmt.Errorf("%w: %w", token.ErrNotAllowed, err)
	}
	s.SetIdentity(c)
	leaveForbidden(s, old, c)
	dataKey.Delete(s) // the new token's data holds
	set.watch(s, c)
	return c, nil
}

// leaveForbidden takes a socket out of the rooms that its old claims allowed and its new ones do not. Rooms that
// neither allows are the backend's doing. Nil claims allow everything.
func leaveForbidden(s *server.Socket, old, now *token.Claims) {
	var forbidden []string
	for _, room := range s.Rooms() {
		if room != s.ID() && old.MayBeIn(room) && !now.MayBeIn(room) {
			forbidden = append(forbidden, room)
		}
	}
	_ = s.Leave(forbidden...)
}
