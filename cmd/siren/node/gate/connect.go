package gate

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/seed58c87869/siren/cmd/siren/node/token"
	"github.com/seed58c87869/siren/cmd/siren/node/value"
	"github.com/seed58c87869/siren/cmd/siren/node/webhook"
	"github.com/seed58c87869/siren/server"
)

// What clients are told that the backend does not let in.
const (
	denied      = "not allowed"
	unavailable = "try again later"
)

// code is the data of a CONNECT_ERROR.
type code struct {
	Code string `json:"code"`
}

// arrival is what the middleware hands to the connect handler, as the socket's identity. Immutable, but for what is
// said.
type arrival struct {
	// claims are nil without a token, answer is nil when the backend was not asked or is down.
	claims *token.Claims
	answer *webhook.Answer
	// told says that the backend knows the client, and hears of its end.
	told bool
}

// admit is the middleware: it checks the token and asks the backend.
func (g *Gate) admit(ctx context.Context, s *server.Socket, r *Rule) error {
	set := g.current.Load()
	auth := splitAuth(s.Handshake().RawAuth())
	a := new(arrival)
	var err error
	if a.claims, err = g.check(ctx, set, auth, s.Namespace().Name(), r); err != nil {
		return g.refuse(set, s, err)
	}
	if auth.token != nil {
		s.ReplaceAuth(auth.kept())
	}
	if a.claims != nil {
		s.SetUser(a.claims.Subject())
		s.SetIdentity(a)
	}
	if set.hooks == nil || !set.Connect {
		return nil
	}
	s.SetIdentity(a)
	d := set.describe(s)
	d.Auth = auth.rest
	// The socket's own context would cost it memory for as long as it lives. A client that leaves meanwhile is an
	// arrival that never enters.
	answer, err := set.hooks.Connect(context.Background(), d)
	switch {
	case err != nil && !set.FailOpen:
		g.counters.failed.Add(1)
		set.debug(s, "client refused: the backend is down", err)
		return &server.Refusal{Message: unavailable, Data: code{"unavailable"}, HasData: true, Cause: err}
	case err == nil && !answer.Allow:
		g.counters.denied.Add(1)
		set.debug(s, "client refused by the backend", nil)
		return refusalOf(answer)
	}
	a.answer, a.told = answer, true
	g.arrivals.add(s)
	return nil
}

// refusalOf is what a client is told that the backend refuses.
func refusalOf(a *webhook.Answer) error {
	message := a.Message
	if message == "" {
		message = denied
	}
	if a.Data != nil {
		return server.Refuse(message, server.Raw{JSON: a.Data})
	}
	return server.Refuse(message, code{"not_allowed"})
}

// check checks a client's token. The claims are nil when there is none, and none is needed.
func (g *Gate) check(ctx context.Context, set *settings, auth auth, ns string, r *Rule) (*token.Claims, error) {
	if auth.err != nil {
		return nil, fmt.Errorf("%w: %w", token.ErrInvalid, auth.err)
	}
	if auth.token == nil || set.tokens == nil {
		if r.Token {
			return nil, token.ErrRequired
		}
		return nil, nil
	}
	var text string
	if auth.token.Kind() != '"' || json.Unmarshal(auth.token, &text) != nil {
		return nil, fmt.Errorf("%w: it is no string", token.ErrInvalid)
	}
	return g.verify(ctx, set, text, ns, r)
}

var errRevoked = fmt.Errorf("%w: its user was revoked", token.ErrInvalid)

// verify checks the text of a token, and what the token says of the namespace and of rooms to join.
func (g *Gate) verify(ctx context.Context, set *settings, text, ns string, r *Rule) (*token.Claims, error) {
	c, err := set.tokens.Verify(ctx, text)
	switch {
	case err != nil:
		return nil, err
	case g.revoked.Revoked(c):
		return nil, errRevoked
	case !c.AllowsNamespace(ns):
		return nil, fmt.Errorf("%w: it is not for the namespace", token.ErrNotAllowed)
	}
	for _, room := range c.Rooms() {
		if !r.Rooms.Match(room) {
			return nil, fmt.Errorf("%w: the room %q is not in the namespace's rule", token.ErrNotAllowed, room)
		}
	}
	return c, nil
}

func (g *Gate) refuse(set *settings, s *server.Socket, err error) error {
	g.counters.refuse(err)
	g.counters.denied.Add(1)
	set.debug(s, "client refused for its token", err)
	return server.Refuse(token.Message(err), code{token.Code(err)})
}

func (s *settings) debug(sock *server.Socket, what string, err error) {
	ctx := context.Background()
	if !s.Log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{slog.String("ns", sock.Namespace().Name()), slog.String("id", sock.ID())}
	if err != nil {
		attrs = append(attrs, slog.Any("err", err))
	}
	s.Log.LogAttrs(ctx, slog.LevelDebug, what, attrs...)
}

// enter is the connect handler: it carries out what the token and the backend say.
func (g *Gate) enter(s *server.Socket) error {
	a, ok := s.Identity().(*arrival)
	if !ok {
		return nil
	}
	if a.told && !g.arrivals.take(s) {
		return server.ErrClosed // it has left, and the backend was told
	}
	err := g.settle(s, a)
	if err != nil && a.told {
		g.left(s)
	}
	return err
}

// settle joins rooms, keeps data, and sends what the backend wants to be sent.
func (g *Gate) settle(s *server.Socket, a *arrival) error {
	set := g.current.Load()
	// Revoke finds sockets that are in their namespace, as this one is now.
	if a.claims != nil && g.revoked.Revoked(a.claims) {
		return g.refuse(set, s, errRevoked)
	}
	rooms := a.claims.Rooms()
	if a.answer != nil {
		rooms = append(rooms[:len(rooms):len(rooms)], a.answer.Rooms...)
		keepData(s, a.answer.Data)
	}
	if err := s.Join(rooms...); err != nil {
		return g.refuse(set, s, fmt.Errorf("%w: %w", token.ErrNotAllowed, err))
	}
	if s.Recovered() {
		leaveForbidden(s, nil, a.claims)
	}
	if a.claims == nil {
		s.SetIdentity(nil)
	} else {
		s.SetIdentity(a.claims)
		set.watch(s, a.claims)
	}
	if a.answer != nil {
		set.emitTo(s, a.answer.Emit)
	}
	return nil
}

// dataKey keeps the data of the backend's answers. That of tokens is in the claims.
var dataKey = server.NewKey[server.Raw]("data", server.Shared())

// keepData keeps the data of an answer, in place of what a socket that comes back had; nil changes nothing.
func keepData(s *server.Socket, data jsontext.Value) {
	if data != nil {
		dataKey.Set(s, rawOf(data))
	}
}

func rawOf(data jsontext.Value) server.Raw {
	v, err := value.Parse(data, maxAttachments)
	if err != nil {
		return server.Raw{JSON: data}
	}
	return v
}

// Data returns the data of the socket: what the backend has answered to its connect, or else that of its token; no
// value when there is none.
func Data(s *server.Socket) server.Raw {
	if v, ok := dataKey.Get(s); ok {
		return v
	}
	if data := Claims(s).Data(); data != nil {
		return rawOf(data)
	}
	return server.Raw{}
}
