package webhook_test

import (
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed58c87869/siren/cmd/siren/node/webhook"
	"github.com/seed58c87869/siren/cmd/siren/node/webhook/webhooktest"
)

// When the circuit breaker opens, what waits fails at once, and nothing is asked until one request has succeeded.
func TestCircuitBreaker(t *testing.T) {
	b := webhooktest.New(t)
	release := make(chan struct{})
	b.Handle(func(w http.ResponseWriter, _ *http.Request) {
		<-release
		w.WriteHeader(500)
	})
	s := newSender(t, webhook.Config{URL: b.URL, MaxInFlight: 10, Timeout: time.Hour, OpenFor: 50 * time.Millisecond})
	done := make(chan error)
	for range 60 {
		go func() { _, err := s.Event(t.Context(), data("x")); done <- err }()
	}
	eventually(t, "50 wait", func() bool { return s.Stats().Waiting == 50 })
	close(release)
	failed, open := 0, 0
	for range 60 {
		switch err := <-done; {
		case errors.Is(err, webhook.ErrFailed):
			failed++
		case errors.Is(err, webhook.ErrOpen):
			open++
		default:
			t.Error(err)
		}
	}
	// Those that were under way when it opened fail by themselves: at least the ten that open it, at most nine more.
	if st := s.Stats(); failed < 10 || failed > 19 || st.Opened != 1 || !st.CircuitOpen ||
		st.Requests[webhook.Event][webhook.Failed] != uint64(failed) || st.Requests[webhook.Event][webhook.Open] != uint64(open) {
		t.Errorf("failed %d, open %d, %+v", failed, open, st)
	}
	b.Reply(200, "{}")
	eventually(t, "it closes", func() bool { _, err := s.Event(t.Context(), data("x")); return err == nil })
	if st := s.Stats(); st.CircuitOpen || st.Opened != 1 {
		t.Errorf("%+v", st)
	}
}

// While the backend is down everybody has an answer at once, and what is kept is bounded; when it is back, all is as
// before.
func TestBackendIsDownUnderLoad(t *testing.T) {
	b := webhooktest.New(t)
	s := newSender(t, webhook.Config{
		URL: b.URL, MaxInFlight: 16, Queue: 100, Timeout: 20 * time.Second, OpenFor: 20 * time.Millisecond,
		FirstRetry: 20 * time.Millisecond, MaxRetry: 100 * time.Millisecond,
	})
	refuse := func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }
	b.Handle(refuse)
	var told atomic.Int64
	load := func() (failed int64) {
		var n atomic.Int64
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				for range 40 {
					_, err := s.Connect(t.Context(), data("x"))
					if err != nil {
						n.Add(1)
						if !errors.Is(err, webhook.ErrUnavailable) {
							t.Error(err)
						}
					}
					if s.Disconnect(data("x")) == nil {
						told.Add(1)
					}
				}
			})
		}
		wg.Wait()
		return n.Load()
	}
	if failed := load(); failed != 2000 {
		t.Errorf("%d of 2,000 failed", failed)
	}
	st := s.Stats()
	if st.Retrying+st.InFlight+st.Waiting > 100+16 || st.Full == 0 || told.Load() > 2000 {
		t.Errorf("%+v", st)
	}
	sum := st.Requests[webhook.Connect][webhook.Failed] + st.Requests[webhook.Connect][webhook.Open]
	if sum > 2000 || st.Requests[webhook.Connect][webhook.Failed] > 200 {
		t.Errorf("%+v", st)
	}
	b.Reply(200, `{"allow":true}`)
	eventually(t, "it is back", func() bool { _, err := s.Connect(t.Context(), data("x")); return err == nil })
	eventually(t, "all disconnects are told", func() bool {
		st := s.Stats()
		return int64(st.Requests[webhook.Disconnect][webhook.OK]) == told.Load() && st.Retrying == 0
	})
	if st := s.Stats(); st.Lost != 0 || st.InFlight != 0 || st.CircuitOpen {
		t.Errorf("%+v", st)
	}
}
