package token

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// keySet are the keys of a JSON Web Key Set. Immutable.
type keySet struct{ keys []namedKey }

type namedKey struct {
	kid string // "" when it has none
	key
}

// find returns the keys that verify the algorithm for a token's kid. Without a kid that is the only key that fits: in a
// set with several ones it would be a guess (OpenID Connect Core section 10.1). known tells whether the set has the
// kid.
func (s *keySet) find(kid, algorithm string) (found []crypto.PublicKey, known bool) {
	for _, k := range s.keys {
		if kid != "" && k.kid != kid {
			continue
		}
		known = true
		if slices.Contains(k.algorithms, algorithm) {
			found = append(found, k.public)
		}
	}
	if kid == "" && len(found) > 1 {
		return nil, true
	}
	return found, known
}

// errNoSet is for JSON that is no key set.
var errNoSet = errors.New("no object with a list of keys")

// readSet reads a key set. Keys that cannot verify tokens are logged and left out: providers publish keys for
// encryption in the same set, and new kinds.
func (c *Config) readSet(r io.Reader) (*keySet, error) {
	text, err := io.ReadAll(io.LimitReader(r, int64(c.MaxJWKSBytes)+1))
	if err != nil {
		return nil, err
	}
	if len(text) > c.MaxJWKSBytes {
		return nil, fmt.Errorf("more than %d bytes", c.MaxJWKSBytes)
	}
	var set struct {
		Keys jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, err
	}
	if set.Keys.Kind() != '[' {
		return nil, errNoSet
	}
	d := jsontext.NewDecoder(bytes.NewReader(set.Keys))
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	result := new(keySet)
	for n := 1; d.PeekKind() != ']'; n++ {
		text, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		if n > c.MaxKeys {
			return nil, fmt.Errorf("more than %d keys", c.MaxKeys)
		}
		k, err := parseJWK(text)
		if err != nil {
			c.Log.LogAttrs(context.Background(), slog.LevelDebug, "key of a JWKS left out",
				slog.Int("key", n-1), slog.Any("err", err))
			continue
		}
		result.keys = append(result.keys, k)
	}
	return result, nil
}

// jwk is a JSON Web Key (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2), as far as public keys need it.
type jwk struct {
	Kty string   `json:"kty"`
	Kid string   `json:"kid"`
	Use string   `json:"use"`
	Ops []string `json:"key_ops"`
	Alg string   `json:"alg"`
	Crv string   `json:"crv"`
	N   string   `json:"n"`
	E   string   `json:"e"`
	X   string   `json:"x"`
	Y   string   `json:"y"`
}

// parseJWK reads a public key that verifies signatures. Shared secrets ("oct") are none: they are for HMACSecrets.
func parseJWK(text []byte) (namedKey, error) {
	var j jwk
	if err := json.Unmarshal(text, &j); err != nil {
		return namedKey{}, err
	}
	if j.Use != "" && j.Use != "sig" || j.Ops != nil && !slices.Contains(j.Ops, "verify") {
		return namedKey{}, errors.New("it does not verify signatures")
	}
	public, err := j.public()
	if err != nil {
		return namedKey{}, err
	}
	k, err := newKey(public)
	if err != nil {
		return namedKey{}, err
	}
	if j.Alg != "" {
		if !slices.Contains(k.algorithms, j.Alg) {
			return namedKey{}, fmt.Errorf("its kind of key does not verify %q", j.Alg)
		}
		k.algorithms = []string{j.Alg}
	}
	return namedKey{j.Kid, k}, nil
}

func (j *jwk) public() (crypto.PublicKey, error) {
	switch j.Kty {
	case "RSA":
		return j.rsa()
	case "EC":
		return j.ec()
	case "OKP":
		x, err := base64.RawURLEncoding.DecodeString(j.X)
		if j.Crv == "Ed25519" && err == nil && len(x) == ed25519.PublicKeySize {
			return ed25519.PublicKey(x), nil
		}
		return nil, errors.New("no Ed25519 key")
	}
	return nil, fmt.Errorf("kty %q", j.Kty)
}

// maxRSABits bounds what a signature costs to verify.
const maxRSABits = 8192

func (j *jwk) rsa() (crypto.PublicKey, error) {
	n, err1 := base64.RawURLEncoding.DecodeString(j.N)
	e, err2 := base64.RawURLEncoding.DecodeString(j.E)
	if err1 != nil || err2 != nil || len(n) > maxRSABits/8 || len(e) > 4 {
		return nil, errors.New("no RSA key of a usual size")
	}
	exponent := new(big.Int).SetBytes(e).Int64()
	if exponent < 3 || exponent%2 == 0 || exponent > 1<<31-1 {
		return nil, fmt.Errorf("RSA exponent %d", exponent)
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent)}, nil
}

func (j *jwk) ec() (crypto.PublicKey, error) {
	curves := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}
	curve, ok := curves[j.Crv]
	if !ok {
		return nil, fmt.Errorf("crv %q", j.Crv)
	}
	x, err1 := base64.RawURLEncoding.DecodeString(j.X)
	y, err2 := base64.RawURLEncoding.DecodeString(j.Y)
	if size := (curve.Params().BitSize + 7) / 8; err1 != nil || err2 != nil || len(x) != size || len(y) != size {
		return nil, errors.New("coordinates of a wrong size")
	}
	return ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y)) // fails off the curve
}
