package webhook_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/seed58c87869/siren/cmd/siren/node/webhook"
	"github.com/seed58c87869/siren/cmd/siren/node/webhook/webhooktest"
)

// Close makes a last attempt of what waits for another one, and loses what fails then.
func TestClose(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		lost   uint64
	}{{"the backend is back", 200, 0}, {"the backend is down", 500, 5}} {
		t.Run(c.name, func(t *testing.T) {
			b := webhooktest.New(t)
			b.Reply(500, "")
			s := newSender(t, webhook.Config{URL: b.URL, FirstRetry: time.Hour, MaxRetry: time.Hour, RetryFor: 2 * time.Hour})
			for range 5 {
				if err := s.Disconnect(data("x")); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, "all have failed", func() bool { return s.Stats().Retrying == 5 })
			b.Reply(c.status, "")
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if st := s.Stats(); st.Lost != c.lost || len(b.Requests()) != 10 || st.Retrying != 0 {
				t.Errorf("%+v, %d requests", st, len(b.Requests()))
			}
			if err := s.Disconnect(data("x")); !errors.Is(err, webhook.ErrClosed) {
				t.Error(err)
			}
			if _, err := s.Event(t.Context(), data("x")); !errors.Is(err, webhook.ErrClosed) {
				t.Error(err)
			}
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// When the time to end is over, requests are cut and what waits is dropped.
func TestCloseCuts(t *testing.T) {
	b := webhooktest.New(t)
	release := make(chan struct{})
	b.Hang(release)
	defer close(release)
	s := newSender(t, webhook.Config{URL: b.URL, MaxInFlight: 1, Timeout: time.Hour})
	done := make(chan error)
	go func() { _, err := s.Event(t.Context(), data("x")); done <- err }()
	eventually(t, "a request", func() bool { return b.Present() == 1 })
	go func() { _, err := s.Event(t.Context(), data("x")); done <- err }()
	eventually(t, "a second one waits", func() bool { return s.Stats().Waiting == 1 })
	if err := s.Disconnect(data("x")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	for range 2 {
		if err := <-done; !errors.Is(err, webhook.ErrUnavailable) {
			t.Error(err)
		}
	}
	if st := s.Stats(); st.Lost != 1 || st.InFlight != 0 || st.Waiting != 0 {
		t.Errorf("%+v", st)
	}
}
