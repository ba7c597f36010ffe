package token

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Verifier verifies tokens. Safe for concurrent use.
type Verifier struct {
	cfg     Config
	parser  *jwt.Parser
	secrets [][]byte
	fixed   []key      // of PublicKeyFile
	file    *keySet    // of JWKSFile; nil without one
	remote  *remoteSet // of JWKSURL; nil without one
}

// New returns a Verifier for the configuration. It reads the files, and begins to fetch the URL in the background.
// Errors: a field is wrong, a file cannot be read, or no configured key can have one of Config.Algorithms. Close ends
// the Verifier.
func New(cfg Config) (*Verifier, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	v := &Verifier{cfg: cfg}
	for _, s := range cfg.HMACSecrets {
		v.secrets = append(v.secrets, []byte(s))
	}
	var err error
	if v.fixed, err = cfg.fixedKeys(); err != nil {
		return nil, err
	}
	if v.file, err = cfg.fileSet(); err != nil {
		return nil, err
	}
	algorithms, err := v.algorithms()
	if err != nil {
		return nil, err
	}
	options := []jwt.ParserOption{
		jwt.WithValidMethods(algorithms), jwt.WithLeeway(cfg.Leeway), jwt.WithTimeFunc(cfg.Now),
		jwt.WithStrictDecoding(),
	}
	if !cfg.AllowNoExp {
		options = append(options, jwt.WithExpirationRequired())
	}
	if cfg.Issuer != "" {
		options = append(options, jwt.WithIssuer(cfg.Issuer))
	}
	if cfg.Audience != "" {
		options = append(options, jwt.WithAudience(cfg.Audience))
	}
	v.parser = jwt.NewParser(options...)
	if cfg.JWKSURL != "" {
		v.remote = newRemoteSet(&v.cfg)
	}
	return v, nil
}

// Close ends what runs in the background. Verify finds only the keys that are there, afterwards.
func (v *Verifier) Close() {
	if v.remote != nil {
		v.remote.close()
	}
}

// Adopt takes over the keys that another Verifier has fetched from the same URL, so that a change of the configuration
// refuses nobody until the new Verifier has fetched them itself.
func (v *Verifier) Adopt(old *Verifier) {
	if old == nil || v.remote == nil || old.remote == nil || v.cfg.JWKSURL != old.cfg.JWKSURL {
		return
	}
	v.remote.keys.CompareAndSwap(nil, old.remote.keys.Load())
}

// Leeway returns how long after its exp a token is still good.
func (v *Verifier) Leeway() time.Duration { return v.cfg.Leeway }

// algorithms are those that are configured, or else all that the keys can have.
func (v *Verifier) algorithms() ([]string, error) {
	var possible []string
	if len(v.secrets) > 0 {
		possible = append(possible, hmacAlgorithms...)
	}
	for _, k := range v.fixed {
		possible = append(possible, k.algorithms...)
	}
	if v.file != nil {
		for _, k := range v.file.keys {
			possible = append(possible, k.algorithms...)
		}
	}
	if v.cfg.JWKSURL != "" { // what keys it has is not known yet, but that they are public
		for _, a := range Algorithms() {
			if !slices.Contains(hmacAlgorithms, a) {
				possible = append(possible, a)
			}
		}
	}
	if len(v.cfg.Algorithms) == 0 {
		return possible, nil
	}
	for _, a := range v.cfg.Algorithms {
		if !slices.Contains(possible, a) {
			return nil, fmt.Errorf("token: no configured key can have the algorithm %s", a)
		}
	}
	return v.cfg.Algorithms, nil
}

// Verify checks a token's signature and claims. When the kid of the token is unknown, it may wait for a fetch of the
// key set, at most Config.FetchTimeout and not longer than ctx. Errors wrap ErrInvalid, or ErrExpired if only the time
// of exp, with its leeway, is over.
func (v *Verifier) Verify(ctx context.Context, text string) (*Claims, error) {
	if len(text) > v.cfg.MaxBytes {
		return nil, fmt.Errorf("%w: it has %d bytes, the limit is %d", ErrInvalid, len(text), v.cfg.MaxBytes)
	}
	claims := new(Claims)
	_, err := v.parser.ParseWithClaims(text, claims, func(t *jwt.Token) (any, error) { return v.keys(ctx, t) })
	switch {
	case err == nil:
		return claims, nil
	case onlyExpired(err):
		return nil, fmt.Errorf("%w: %w", ErrExpired, err)
	}
	return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
}

// onlyExpired reports whether the signature is right, and no claim is wrong but exp.
func onlyExpired(err error) bool {
	if !errors.Is(err, jwt.ErrTokenExpired) {
		return false
	}
	for _, other := range []error{
		jwt.ErrTokenNotValidYet, jwt.ErrTokenInvalidIssuer, jwt.ErrTokenInvalidAudience,
		jwt.ErrTokenRequiredClaimMissing, errKind,
	} {
		if errors.Is(err, other) {
			return false
		}
	}
	return true
}

// keys are those that may verify the token. They are chosen by its algorithm: secrets for HMAC, public keys of a
// fitting kind for the others.
func (v *Verifier) keys(ctx context.Context, t *jwt.Token) (any, error) {
	if _, ok := t.Header["crit"]; ok { // an extension that must be understood (RFC 7515 section 4.1.11)
		return nil, errors.New("its header has crit")
	}
	algorithm := t.Method.Alg()
	var set jwt.VerificationKeySet
	if slices.Contains(hmacAlgorithms, algorithm) {
		for _, s := range v.secrets {
			set.Keys = append(set.Keys, s)
		}
		return set, nil
	}
	kid, ok := t.Header["kid"].(string)
	if _, given := t.Header["kid"]; given && !ok {
		return nil, errors.New("its kid is no string")
	}
	for _, k := range v.public(ctx, kid, algorithm) {
		set.Keys = append(set.Keys, k)
	}
	if len(set.Keys) == 0 {
		return nil, fmt.Errorf("no key for kid %.64q and %s", kid, algorithm)
	}
	return set, nil
}

func (v *Verifier) public(ctx context.Context, kid, algorithm string) (found []crypto.PublicKey) {
	for _, k := range v.fixed {
		if slices.Contains(k.algorithms, algorithm) {
			found = append(found, k.public)
		}
	}
	if v.file != nil {
		more, _ := v.file.find(kid, algorithm)
		found = append(found, more...)
	}
	if len(found) == 0 && v.remote != nil {
		found = v.remote.find(ctx, kid, algorithm)
	}
	return found
}
