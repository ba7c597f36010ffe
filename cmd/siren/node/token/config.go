package token

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"slices"
	"time"
)

// The defaults of Config, and bounds that nobody has a reason to change.
const (
	// DefaultLeeway is how far clocks may differ: the one of the issuer and the one of the node.
	DefaultLeeway = 30 * time.Second
	// DefaultMaxBytes is four times what the largest tokens of identity providers have.
	DefaultMaxBytes = 16 << 10
	// DefaultRefresh is how long a key that its owner has withdrawn is accepted at most.
	DefaultRefresh = 5 * time.Minute
	// DefaultMinRefresh keeps tokens with unknown kids from making the node a flood of requests.
	DefaultMinRefresh = 10 * time.Second
	// DefaultFetchTimeout is how long a client with an unknown kid may have to wait.
	DefaultFetchTimeout = 5 * time.Second
	// DefaultMaxJWKSBytes holds far more than DefaultMaxKeys keys.
	DefaultMaxJWKSBytes = 1 << 20
	// DefaultMaxKeys is ten times what providers publish.
	DefaultMaxKeys = 100
)

// Config says which tokens are accepted. Durations and bounds of 0 are the defaults. Immutable once it is used.
type Config struct {
	// HMACSecrets are shared secrets. All are accepted, the first one signs.
	HMACSecrets []string
	// PublicKeyFile is a PEM file with a public key or a certificate; several blocks are several keys.
	PublicKeyFile string
	// JWKSFile is a file with a JSON Web Key Set (RFC 7517). It is read once.
	JWKSFile string
	// JWKSURL is where a JSON Web Key Set is fetched: https, or http to a loopback address.
	JWKSURL string
	// Algorithms are those that are accepted. Empty: all that the keys can have.
	Algorithms []string
	// Issuer and Audience, when they are set, must be a token's iss and one of its aud.
	Issuer, Audience string
	// AllowNoExp accepts tokens without exp, which never expire.
	AllowNoExp bool

	// Leeway extends nbf and exp.
	Leeway time.Duration
	// MaxBytes bounds a token.
	MaxBytes int
	// Refresh is the time between two fetches of JWKSURL, MinRefresh the least time between two when tokens have
	// unknown kids or fetches fail, and FetchTimeout bounds one.
	Refresh, MinRefresh, FetchTimeout time.Duration
	// MaxJWKSBytes and MaxKeys bound a key set.
	MaxJWKSBytes, MaxKeys int

	// Log gets what is wrong with a key set. Nil: slog's default.
	Log *slog.Logger
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// On reports whether there is any key. Without one the node ignores tokens.
func (c *Config) On() bool {
	return len(c.HMACSecrets) > 0 || c.PublicKeyFile != "" || c.JWKSFile != "" || c.JWKSURL != ""
}

func (c Config) withDefaults() Config {
	for _, d := range []struct{ field, value *time.Duration }{
		{&c.Leeway, new(DefaultLeeway)}, {&c.Refresh, new(DefaultRefresh)},
		{&c.MinRefresh, new(DefaultMinRefresh)}, {&c.FetchTimeout, new(DefaultFetchTimeout)},
	} {
		if *d.field == 0 {
			*d.field = *d.value
		}
	}
	for _, d := range []struct {
		field *int
		value int
	}{{&c.MaxBytes, DefaultMaxBytes}, {&c.MaxJWKSBytes, DefaultMaxJWKSBytes}, {&c.MaxKeys, DefaultMaxKeys}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// check returns what is wrong with the fields that need no file.
func (c *Config) check() error {
	var errs []error
	if slices.Contains(c.HMACSecrets, "") {
		errs = append(errs, errors.New("token: an HMAC secret is empty"))
	}
	for _, a := range c.Algorithms {
		if !slices.Contains(Algorithms(), a) {
			errs = append(errs, fmt.Errorf("token: algorithm %q is none of %q", a, Algorithms()))
		}
	}
	if c.JWKSURL != "" {
		if err := CheckJWKSURL(c.JWKSURL); err != nil {
			errs = append(errs, fmt.Errorf("token: JWKS URL: %w", err))
		}
	}
	if min(c.Leeway, c.Refresh, c.MinRefresh, c.FetchTimeout) < 0 || min(c.MaxBytes, c.MaxJWKSBytes, c.MaxKeys) < 0 {
		errs = append(errs, errors.New("token: a duration or bound is negative"))
	}
	return errors.Join(errs...)
}

// CheckJWKSURL returns an error unless the URL is https, or http to a loopback address: keys that came over a network
// in clear could be anybody's.
func CheckJWKSURL(text string) error {
	u, err := url.Parse(text)
	if err != nil {
		return err
	}
	return checkURL(u)
}

func checkURL(u *url.URL) error {
	switch host := u.Hostname(); {
	case host == "":
		return fmt.Errorf("%q has no host", u.Redacted())
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && (host == "localhost" || net.ParseIP(host).IsLoopback()):
		return nil
	}
	return fmt.Errorf("%q is neither https nor http to a loopback address", u.Redacted())
}

// fixedKeys are the keys of files.
func (c *Config) fixedKeys() ([]key, error) {
	var keys []key
	if c.PublicKeyFile != "" {
		text, err := os.ReadFile(c.PublicKeyFile)
		if err != nil {
			return nil, fmt.Errorf("token: public key: %w", err)
		}
		if keys, err = parsePEM(text); err != nil {
			return nil, fmt.Errorf("token: public key: %s: %w", c.PublicKeyFile, err)
		}
	}
	return keys, nil
}

// fileSet is the key set of JWKSFile; nil when there is none.
func (c *Config) fileSet() (*keySet, error) {
	if c.JWKSFile == "" {
		return nil, nil
	}
	f, err := os.Open(c.JWKSFile)
	if err != nil {
		return nil, fmt.Errorf("token: JWKS: %w", err)
	}
	defer f.Close()
	set, err := c.readSet(f)
	if err == nil && len(set.keys) == 0 {
		err = errors.New("no usable key in it")
	}
	if err != nil {
		return nil, fmt.Errorf("token: JWKS: %s: %w", c.JWKSFile, err)
	}
	return set, nil
}
