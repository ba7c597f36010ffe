package token

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/golang-jwt/jwt/v5"

	"github.com/seed58c87869/siren/cmd/siren/node/pattern"
)

// Grant says what Sign puts into a token. Nil lists are left out.
type Grant struct {
	// Subject is the user.
	Subject string
	// Expires is the time from now to exp; 0 leaves exp out.
	Expires time.Duration
	// Namespaces, Join and Publish are patterns, Rooms names.
	Namespaces, Join, Publish, Rooms []string
	// Data is any JSON.
	Data jsontext.Value
}

// ErrNoSecret: only a shared secret signs, and none is configured.
var ErrNoSecret = errors.New("token: no HMAC secret is configured to sign with")

// Sign signs a token with the first of the secrets, and the configured issuer and audience. The algorithm is the first
// of Config.Algorithms that takes a secret, HS256 without any. Errors: ErrNoSecret, a bad pattern or name, bad JSON.
func (c Config) Sign(g Grant) (string, error) {
	c = c.withDefaults()
	if len(c.HMACSecrets) == 0 || c.HMACSecrets[0] == "" {
		return "", ErrNoSecret
	}
	algorithm := hmacAlgorithms[0]
	if len(c.Algorithms) > 0 {
		i := slices.IndexFunc(c.Algorithms, func(a string) bool { return slices.Contains(hmacAlgorithms, a) })
		if i < 0 {
			return "", fmt.Errorf("%w: none of the algorithms %q takes one", ErrNoSecret, c.Algorithms)
		}
		algorithm = c.Algorithms[i]
	}
	siren, err := g.siren()
	if err != nil {
		return "", err
	}
	now := c.Now()
	claims := jwt.MapClaims{"iat": now.Unix()}
	for name, value := range map[string]string{"sub": g.Subject, "iss": c.Issuer, "aud": c.Audience} {
		if value != "" {
			claims[name] = value
		}
	}
	if g.Expires != 0 {
		claims["exp"] = now.Add(g.Expires).Unix()
	}
	if len(siren) > 0 {
		claims["siren"] = siren
	}
	return jwt.NewWithClaims(jwt.GetSigningMethod(algorithm), claims).SignedString([]byte(c.HMACSecrets[0]))
}

func (g *Grant) siren() (map[string]any, error) {
	claim := make(map[string]any)
	for name, list := range map[string][]string{
		"namespaces": g.Namespaces, "join": g.Join, "publish": g.Publish, "rooms": g.Rooms,
	} {
		if list == nil {
			continue
		}
		if err := pattern.List(list).Check(); err != nil {
			return nil, fmt.Errorf("token: %s%w", name, err)
		}
		claim[name] = list
	}
	if g.Data != nil {
		if !g.Data.IsValid() {
			return nil, errors.New("token: the data is no JSON")
		}
		claim["data"] = g.Data
	}
	return claim, nil
}
