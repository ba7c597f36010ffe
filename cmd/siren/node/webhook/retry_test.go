package webhook_test

import (
	"testing"
	"time"

	"github.com/seed58c87869/siren/cmd/siren/node/webhook"
	"github.com/seed58c87869/siren/cmd/siren/node/webhook/webhooktest"
)

// A disconnect is told again until the backend has heard it: with the same id and body, a new time and signature.
func TestDisconnectIsRetried(t *testing.T) {
	b := webhooktest.New(t)
	b.Reply(503, "")
	s := newSender(t, webhook.Config{URL: b.URL, Secrets: []string{"k"}, FirstRetry: 300 * time.Millisecond, MaxRetry: time.Second, OpenFor: time.Millisecond})
	if err := s.Disconnect(data("x")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "four attempts", func() bool { return len(b.Requests()) == 4 })
	b.Reply(204, "")
	eventually(t, "success", func() bool { return s.Stats().Requests[webhook.Disconnect][webhook.OK] == 1 })
	got := b.Requests()
	stamps := make(map[string]bool)
	for _, r := range got {
		if r.Body != got[0].Body || r.Header.Get("webhook-id") != got[0].Header.Get("webhook-id") || !r.Signed("k") {
			t.Errorf("%+v", r)
		}
		stamps[r.Header.Get("webhook-timestamp")] = true
	}
	if st := s.Stats(); len(stamps) < 2 || st.Retries != 4 || st.Lost != 0 || st.Requests[webhook.Disconnect][webhook.Failed] != 4 || st.Retrying != 0 {
		t.Errorf("%v, %+v", stamps, st)
	}
}

func TestDisconnectIsGivenUp(t *testing.T) {
	b := webhooktest.New(t)
	b.Reply(500, "")
	s := newSender(t, webhook.Config{URL: b.URL, Queue: 2, FirstRetry: time.Millisecond, MaxRetry: 2 * time.Millisecond, RetryFor: 20 * time.Millisecond})
	for range 2 {
		if err := s.Disconnect(data("x")); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "both are lost", func() bool { return s.Stats().Lost == 2 })
	if err := s.Disconnect(data("x")); err != nil { // there is room again
		t.Error(err)
	}
}
