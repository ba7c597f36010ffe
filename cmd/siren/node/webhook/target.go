package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// target is where requests go. Immutable. The client is net/http's, not fasthttp's: it ends a request with its context,
// and knows HTTP/2, proxies and certificates as operators expect. Its allocations do not matter, because a backend
// handles a few thousand requests a second.
type target struct {
	cfg    Config
	keys   [][]byte
	client *http.Client
}

func newTarget(cfg Config) (*target, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxConnsPerHost, transport.MaxIdleConnsPerHost = cfg.MaxInFlight, cfg.MaxInFlight
	transport.MaxIdleConns = cfg.MaxInFlight
	transport.MaxResponseHeaderBytes = 64 << 10
	transport.DisableCompression = true // a small answer must not become a large one
	t := &target{cfg: cfg, client: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	for _, secret := range cfg.Secrets {
		key, err := parseSecret(secret)
		if err != nil {
			return nil, err
		}
		t.keys = append(t.keys, key)
	}
	return t, nil
}

// retire gives up what no request uses.
func (t *target) retire() { t.client.CloseIdleConnections() }

// post makes one request and reads its answer. Errors wrap ErrFailed or ErrTimeout.
func (t *target) post(ctx context.Context, h *hook) (*Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, t.cfg.Timeout)
	defer cancel()
	text, err := t.exchange(ctx, h)
	if err == nil {
		var a *Answer
		if a, err = parseAnswer(h.kind, text); err == nil {
			return a, nil
		}
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // without the URL, whose query may have a secret
	}
	if ctx.Err() == context.DeadlineExceeded {
		return nil, fmt.Errorf("%w: %w", ErrTimeout, err)
	}
	return nil, fmt.Errorf("%w: %w", ErrFailed, err)
}

func (t *target) exchange(ctx context.Context, h *hook) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.cfg.URL, bytes.NewReader(h.body))
	if err != nil {
		return nil, err
	}
	t.setHeader(req.Header, h)
	resp, err := t.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		// A short body is read, so that the connection may be used again.
		_, _ = io.CopyN(io.Discard, resp.Body, 4<<10)
		return nil, fmt.Errorf("%w: status %s", ErrAnswer, resp.Status)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, int64(t.cfg.MaxAnswer)+1))
	if err != nil {
		return nil, err
	}
	if len(text) > t.cfg.MaxAnswer {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrAnswer, t.cfg.MaxAnswer)
	}
	return text, nil
}

func (t *target) setHeader(header http.Header, h *hook) {
	now := time.Now()
	header.Set("Content-Type", "application/json")
	header.Set("User-Agent", "siren")
	header.Set("webhook-id", h.id)
	header.Set("webhook-timestamp", stamp(now))
	if len(t.keys) > 0 {
		header.Set("webhook-signature", sign(t.keys, h.id, now, h.body))
	}
	// An empty Idempotency-Key is not sent. It tells net/http that it may make the request again, on another
	// connection, when the backend has closed the one that it took: webhook-id shows that both are the same.
	header["Idempotency-Key"] = nil
}

// failed logs why a hook has failed. The state of the circuit breaker tells operators more than each failure would, so
// this is for those who look for the cause.
func (t *target) failed(h *hook, err error) {
	t.cfg.Log.LogAttrs(context.Background(), slog.LevelDebug, "webhook failed",
		slog.String("id", h.id), slog.String("type", h.kind.String()), slog.Any("err", err))
}
