package webhook

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"
)

// The defaults of Config.
const (
	// DefaultTimeout is as long as a person waits for a page.
	DefaultTimeout = 5 * time.Second
	// DefaultMaxInFlight is what a backend with some tens of workers can queue itself.
	DefaultMaxInFlight = 256
	// DefaultQueue is ten seconds of a thousand hooks a second.
	DefaultQueue = 10_000
	// DefaultQueueBytes keeps long events from filling the memory when the backend is slow.
	DefaultQueueBytes = 64 << 20
	// DefaultMaxAnswer is the largest answer of a backend.
	DefaultMaxAnswer = 1 << 20
	// DefaultOpenFor gives a backend that is down time to come up.
	DefaultOpenFor = 5 * time.Second
	// DefaultFirstRetry, DefaultMaxRetry and DefaultRetryFor are the times of retries.
	DefaultFirstRetry = time.Second
	DefaultMaxRetry   = 30 * time.Second
	DefaultRetryFor   = 5 * time.Minute
)

// Config says where hooks go. Durations and bounds of 0 are the defaults. Immutable once it is used.
type Config struct {
	// URL is the backend's: http or https.
	URL string
	// Secrets sign: the signatures of all are sent, that of the first one first, so that the backend may change its
	// secret at any time. A secret is whsec_ and base64, or any other text, whose bytes are the key. Without secrets
	// there is no signature.
	Secrets []string
	// Node is the name of this node in hooks. Empty: the host's.
	Node string

	// Timeout bounds a request and its answer, and before that the wait for its turn.
	Timeout time.Duration
	// MaxInFlight bounds the requests that are made at once.
	MaxInFlight int
	// Queue bounds the hooks of Connect and Event that wait for their turn. It also bounds the hooks of Disconnect that
	// have no answer yet.
	Queue int
	// QueueBytes bounds the bodies of all hooks that have no answer yet.
	QueueBytes int
	// MaxAnswer bounds the body of an answer.
	MaxAnswer int
	// OpenFor is how long the circuit breaker stays open before it lets one request through.
	OpenFor time.Duration
	// FirstRetry is the time from a failed Disconnect to the next attempt. It is doubled for each further one, up to
	// MaxRetry. RetryFor is the time from the first attempt to the last.
	FirstRetry, MaxRetry, RetryFor time.Duration

	// Log gets the state of the circuit breaker, and what is wrong with answers. Nil: slog's default.
	Log *slog.Logger
	// Observe, when it is not nil, is called for each request with its result and duration. It must not block.
	Observe func(kind Kind, result Result, took time.Duration)
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.Timeout, DefaultTimeout}, {&c.OpenFor, DefaultOpenFor}, {&c.FirstRetry, DefaultFirstRetry},
		{&c.MaxRetry, DefaultMaxRetry}, {&c.RetryFor, DefaultRetryFor},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	for _, d := range []struct {
		field *int
		value int
	}{
		{&c.MaxInFlight, DefaultMaxInFlight}, {&c.Queue, DefaultQueue}, {&c.QueueBytes, DefaultQueueBytes},
		{&c.MaxAnswer, DefaultMaxAnswer},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if c.Node == "" {
		c.Node, _ = os.Hostname()
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

// check returns everything that is wrong.
func (c *Config) check() error {
	var errs []error
	if u, err := url.Parse(c.URL); err != nil {
		errs = append(errs, fmt.Errorf("webhook: URL: %w", err))
	} else if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		errs = append(errs, fmt.Errorf("webhook: URL %q is not http://HOST or https://HOST", u.Redacted()))
	}
	for i, s := range c.Secrets {
		if _, err := parseSecret(s); err != nil {
			errs = append(errs, fmt.Errorf("webhook: secret %d: %w", i+1, err))
		}
	}
	if min(c.Timeout, c.OpenFor, c.FirstRetry, c.MaxRetry, c.RetryFor) < 0 ||
		min(c.MaxInFlight, c.Queue, c.QueueBytes, c.MaxAnswer) < 0 {
		errs = append(errs, errors.New("webhook: a duration or bound is negative"))
	}
	return errors.Join(errs...)
}

// parseSecret is the key that a secret says. The error does not show the secret.
func parseSecret(s string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(s, "whsec_")
	if !ok {
		if s == "" {
			return nil, errors.New("it is empty")
		}
		return []byte(s), nil
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) == 0 {
		return nil, errors.New("what follows whsec_ is not base64")
	}
	return key, nil
}
