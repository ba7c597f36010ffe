package token

import (
	"context"
	"crypto"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// remoteSet is a key set that is fetched from a URL: at once, then every Config.Refresh, and when a token has an
// unknown kid. A fetch that fails keeps the old keys. Safe for concurrent use.
type remoteSet struct {
	cfg    *Config
	client *http.Client
	keys   atomic.Pointer[keySet] // nil until a fetch has succeeded
	failed atomic.Bool            // the latest fetch failed
	ctx    context.Context        // ends with the Verifier
	cancel context.CancelFunc
	ended  sync.WaitGroup

	mu sync.Mutex // guards what follows
	// running is closed at the end of the fetch that runs; nil when none does.
	running chan struct{}
	// begun is when the latest fetch began.
	begun time.Time
}

func newRemoteSet(cfg *Config) *remoteSet {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxResponseHeaderBytes = 64 << 10
	transport.MaxConnsPerHost = 1
	s := &remoteSet{cfg: cfg, client: &http.Client{
		Transport: transport,
		Timeout:   cfg.FetchTimeout,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > 3 {
				return http.ErrUseLastResponse
			}
			return checkURL(r.URL)
		},
	}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.ended.Go(s.run)
	return s
}

// close ends what runs, and waits for it.
func (s *remoteSet) close() {
	s.mu.Lock() // or a fetch could begin behind the Wait
	s.cancel()
	s.mu.Unlock()
	s.ended.Wait()
	s.client.CloseIdleConnections()
}

// run fetches in the background.
func (s *remoteSet) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-timer.C:
		}
		if done := s.refresh(); done != nil {
			select {
			case <-s.ctx.Done():
				return
			case <-done:
			}
		}
		wait := s.cfg.Refresh
		if s.failed.Load() {
			wait = min(wait, s.cfg.MinRefresh)
		}
		timer.Reset(wait)
	}
}

// refresh begins a fetch unless one runs, or the latest one began less than MinRefresh ago; nil is returned then. The
// channel is closed at the end of the fetch.
func (s *remoteSet) refresh() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		return s.running
	}
	now := time.Now() // not the clock of tokens: a test that moves that one must not flood anybody
	if s.ctx.Err() != nil || !s.begun.IsZero() && now.Sub(s.begun) < s.cfg.MinRefresh {
		return nil
	}
	done := make(chan struct{})
	s.running, s.begun = done, now
	s.ended.Go(func() {
		set, err := s.fetch()
		if err != nil && s.ctx.Err() == nil {
			s.cfg.Log.LogAttrs(s.ctx, slog.LevelWarn, "cannot fetch the JWKS; the old keys stay", slog.Any("err", err))
		}
		if err == nil {
			s.keys.Store(set)
		}
		s.failed.Store(err != nil)
		s.mu.Lock()
		s.running = nil
		s.mu.Unlock()
		close(done)
	})
	return done
}

func (s *remoteSet) fetch() (*keySet, error) {
	req, err := http.NewRequestWithContext(s.ctx, http.MethodGet, s.cfg.JWKSURL, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s", req.URL.Redacted(), resp.Status)
	}
	set, err := s.cfg.readSet(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", req.URL.Redacted(), err)
	}
	return set, nil
}

// find is keySet.find on the keys that are there, and once more after a fetch when the kid is unknown. ctx bounds the
// wait for that fetch; its end does not end the fetch, which others may wait for.
func (s *remoteSet) find(ctx context.Context, kid, algorithm string) []crypto.PublicKey {
	look := func() ([]crypto.PublicKey, bool) {
		if set := s.keys.Load(); set != nil {
			return set.find(kid, algorithm)
		}
		return nil, false
	}
	found, known := look()
	if known {
		return found
	}
	done := s.refresh()
	if done == nil {
		return nil
	}
	select {
	case <-done:
		found, _ = look()
	case <-ctx.Done():
	case <-s.ctx.Done():
	}
	return found
}
