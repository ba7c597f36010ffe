package webhook_test

import (
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed58c87869/siren/cmd/siren/node/webhook"
	"github.com/seed58c87869/siren/cmd/siren/node/webhook/webhooktest"
)

func TestUpdate(t *testing.T) {
	b, other := webhooktest.New(t), webhooktest.New(t)
	s := newSender(t, webhook.Config{URL: b.URL, Secrets: []string{"old"}})
	if _, err := s.Event(t.Context(), data("x")); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(webhook.Config{URL: "ftp://x"}); err == nil {
		t.Error("no error")
	}
	if err := s.Update(webhook.Config{URL: other.URL, Secrets: []string{"new"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Event(t.Context(), data("x")); err != nil {
		t.Fatal(err)
	}
	if got := other.Requests(); len(b.Requests()) != 1 || len(got) != 1 || !got[0].Signed("new") {
		t.Errorf("%d, %v", len(b.Requests()), got)
	}
}

func TestObserverAndWrongParts(t *testing.T) {
	b := webhooktest.New(t)
	b.Reply(200, `{"allow":false,"message":5}`)
	var seen atomic.Int64
	var log strings.Builder
	s := newSender(t, webhook.Config{URL: b.URL, Log: slog.New(slog.NewTextHandler(&log, nil)), Observe: func(k webhook.Kind, r webhook.Result, took time.Duration) {
		if k == webhook.Connect && r == webhook.Denied && took > 0 {
			seen.Add(1)
		}
	}})
	for range 3 {
		if a, err := s.Connect(t.Context(), data("x")); err != nil || a.Allow {
			t.Fatal(a, err)
		}
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); seen.Load() != 3 || st.Wrong != 3 || strings.Count(log.String(), "left out") != 1 {
		t.Errorf("%d, %+v, %s", seen.Load(), st, log.String())
	}
}

func TestConfigErrors(t *testing.T) {
	for _, c := range []struct {
		want string
		cfg  webhook.Config
	}{
		{"not http", webhook.Config{}},
		{"not http", webhook.Config{URL: "/hooks"}},
		{"not http", webhook.Config{URL: "ftp://host"}},
		{"not http", webhook.Config{URL: "http://"}},
		{"URL", webhook.Config{URL: "http://a b"}},
		{"secret 2: it is empty", webhook.Config{URL: "http://x", Secrets: []string{"a", ""}}},
		{"not base64", webhook.Config{URL: "http://x", Secrets: []string{"whsec_*secret*"}}},
		{"negative", webhook.Config{URL: "http://x", Timeout: -1}},
		{"negative", webhook.Config{URL: "http://x", Queue: -1}},
	} {
		if _, err := webhook.New(c.cfg); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "*secret*") {
			t.Errorf("%+v: %v", c.cfg, err)
		}
	}
}
