package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed58c87869/siren/cmd/siren/node/webhook"
	"github.com/seed58c87869/siren/cmd/siren/node/webhook/webhooktest"
)

func TestMaxInFlightAndOrder(t *testing.T) {
	b := webhooktest.New(t)
	s := newSender(t, webhook.Config{URL: b.URL, MaxInFlight: 3, Timeout: time.Minute})
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			d := data(fmt.Sprint(i))
			if _, err := s.Connect(t.Context(), d); err != nil {
				t.Error(err)
			}
			for n := range 10 {
				d.Event = fmt.Sprint("e", n)
				if _, err := s.Event(t.Context(), d); err != nil {
					t.Error(err)
				}
			}
			d.Event = ""
			if err := s.Disconnect(d); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := b.Most(); n > 3 {
		t.Errorf("%d requests at once", n)
	}
	order := make(map[string]string)
	for _, r := range b.Requests() {
		var h struct {
			Type string
			Data struct{ Socket, Event string }
		}
		if err := json.Unmarshal([]byte(r.Body), &h); err != nil {
			t.Fatal(err)
		}
		order[h.Data.Socket] += strings.TrimPrefix(h.Type, "socket.") + h.Data.Event + " "
	}
	for i := range 20 {
		if got := order[fmt.Sprint(i)]; got != "connect evente0 evente1 evente2 evente3 evente4 evente5 evente6 evente7 evente8 evente9 disconnect " {
			t.Errorf("socket %d: %s", i, got)
		}
	}
	if st := s.Stats(); st.Requests[webhook.Connect][webhook.OK] != 20 || st.Requests[webhook.Event][webhook.OK] != 200 || st.Requests[webhook.Disconnect][webhook.OK] != 20 {
		t.Errorf("%+v", st)
	}
}

func TestQueueIsBounded(t *testing.T) {
	b := webhooktest.New(t)
	release := make(chan struct{})
	b.Handle(func(w http.ResponseWriter, r *http.Request) {
		<-release
		_, _ = io.WriteString(w, `{"allow":true}`)
	})
	s := newSender(t, webhook.Config{URL: b.URL, MaxInFlight: 1, Queue: 2, Timeout: time.Minute})
	done := make(chan error)
	for range 3 {
		go func() { _, err := s.Connect(t.Context(), data("x")); done <- err }()
	}
	eventually(t, "one is made and two wait", func() bool { st := s.Stats(); return st.InFlight == 1 && st.Waiting == 2 })
	if _, err := s.Connect(t.Context(), data("x")); !errors.Is(err, webhook.ErrQueueFull) {
		t.Error(err)
	}
	// Those that nobody waits for have places of their own.
	for i := range 3 {
		if err := s.Disconnect(data("x")); errors.Is(err, webhook.ErrQueueFull) != (i == 2) {
			t.Error(i, err)
		}
	}
	if st := s.Stats(); st.Full != 2 {
		t.Errorf("%+v", st)
	}
	close(release)
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestQueueBytesAreBounded(t *testing.T) {
	b := webhooktest.New(t)
	s := newSender(t, webhook.Config{URL: b.URL, QueueBytes: 10_000})
	d := data("x")
	d.Event, d.Args = "e", []byte(`["`+strings.Repeat("x", 10_000)+`"]`)
	if _, err := s.Event(t.Context(), d); !errors.Is(err, webhook.ErrQueueFull) {
		t.Error(err)
	}
	if err := s.Disconnect(d); !errors.Is(err, webhook.ErrQueueFull) {
		t.Error(err)
	}
	d.Args = d.Args[:0]
	for range 100 { // what has ended is given back
		if _, err := s.Event(t.Context(), data("x")); err != nil {
			t.Fatal(err)
		}
	}
}

// Who waits for a turn gives up with the context, or after the timeout; who is being served does not.
func TestGivingUp(t *testing.T) {
	b := webhooktest.New(t)
	release := make(chan struct{})
	b.Handle(func(w http.ResponseWriter, r *http.Request) {
		<-release
		_, _ = io.WriteString(w, `{"allow":true}`)
	})
	s := newSender(t, webhook.Config{URL: b.URL, MaxInFlight: 1, Timeout: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	served, waiting := make(chan error), make(chan error)
	go func() { _, err := s.Connect(ctx, data("x")); served <- err }()
	eventually(t, "a request", func() bool { return b.Present() == 1 })
	go func() { _, err := s.Connect(ctx, data("y")); waiting <- err }()
	eventually(t, "a second one waits", func() bool { return s.Stats().Waiting == 1 })
	cancel()
	if err := <-waiting; !errors.Is(err, context.Canceled) || s.Stats().Waiting != 0 {
		t.Error(err)
	}
	if err := s.Update(webhook.Config{URL: b.URL, MaxInFlight: 1, Timeout: time.Millisecond, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Connect(t.Context(), data("z")); !errors.Is(err, webhook.ErrQueueFull) {
		t.Error(err)
	}
	close(release)
	if err := <-served; err != nil {
		t.Error(err)
	}
	if st := s.Stats(); st.Full != 1 || st.Requests[webhook.Connect][webhook.OK] != 1 || len(b.Requests()) != 1 {
		t.Errorf("%+v", st)
	}
	if _, err := s.Connect(ctx, data("x")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
