package webhook_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/cmd/siren/node/webhook"
	"github.com/seed58c87869/siren/cmd/siren/node/webhook/webhooktest"
)

// Whatever a backend does, the hook ends in time, with the right result, and nothing is left behind.
func TestBadBackends(t *testing.T) {
	hijack := func(what string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_, _ = io.WriteString(c, what)
				_ = c.Close()
			}
		}
	}
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		want    error
		result  webhook.Result
	}{
		{"hangs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, webhook.ErrTimeout, webhook.TimedOut},
		{"hangs in the body", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, `{"allow":`)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, webhook.ErrTimeout, webhook.TimedOut},
		{"drips", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, " "); err != nil {
					return
				}
				w.(http.Flusher).Flush()
				time.Sleep(time.Millisecond)
			}
		}, webhook.ErrTimeout, webhook.TimedOut},
		{"1 GB", func(w http.ResponseWriter, _ *http.Request) {
			for spaces, n := make([]byte, 1<<20), 0; n < 1<<10; n++ {
				if _, err := w.Write(spaces); err != nil {
					return
				}
			}
		}, webhook.ErrFailed, webhook.Failed},
		{"1 MiB and a byte", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"allow":true}`+strings.Repeat(" ", 1<<20-13))
		}, webhook.ErrFailed, webhook.Failed},
		{"a long head", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 100<<10)) }, webhook.ErrFailed, webhook.Failed},
		{"wrong JSON", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, webhook.ErrFailed, webhook.Failed},
		{"no verdict", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, webhook.ErrFailed, webhook.Failed},
		{"an error", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			_, _ = io.WriteString(w, `{"allow":true}`)
		}, webhook.ErrFailed, webhook.Failed},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/next" {
				_, _ = io.WriteString(w, `{"allow":true}`)
				return
			}
			http.Redirect(w, r, "/next", http.StatusTemporaryRedirect)
		}, webhook.ErrFailed, webhook.Failed},
		{"closes at once", hijack(""), webhook.ErrFailed, webhook.Failed},
		{"closes in the head", hijack("HTTP/1.1 200 OK\r\nContent-"), webhook.ErrFailed, webhook.Failed},
		{"closes in the body", hijack("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"allow\":true}"), webhook.ErrFailed, webhook.Failed},
		{"not HTTP", hijack("hello\r\n"), webhook.ErrFailed, webhook.Failed},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := webhooktest.New(t)
			b.Handle(c.handler)
			timeout := time.Minute
			if c.result == webhook.TimedOut {
				timeout = 50 * time.Millisecond
			}
			s := newSender(t, webhook.Config{URL: b.URL, Timeout: timeout})
			a, err := s.Connect(t.Context(), data("x"))
			if a != nil || !errors.Is(err, c.want) || !errors.Is(err, webhook.ErrUnavailable) {
				t.Errorf("%+v, %v", a, err)
			}
			if st := s.Stats(); st.Requests[webhook.Connect][c.result] != 1 {
				t.Errorf("%+v", st)
			}
		})
	}
	t.Run("exactly 1 MiB", func(t *testing.T) {
		b := webhooktest.New(t)
		b.Reply(200, `{"allow":true}`+strings.Repeat(" ", 1<<20-14))
		if a, err := newSender(t, webhook.Config{URL: b.URL}).Connect(t.Context(), data("x")); err != nil || !a.Allow {
			t.Error(err)
		}
	})
	t.Run("nobody listens", func(t *testing.T) {
		s := newSender(t, webhook.Config{URL: "http://127.0.0.1:1/?key=secret"})
		if _, err := s.Connect(t.Context(), data("x")); !errors.Is(err, webhook.ErrFailed) || strings.Contains(err.Error(), "secret") {
			t.Error(err)
		}
	})
}

// A backend that closes connections which nobody uses loses no hook.
func TestBackendClosesIdleConnections(t *testing.T) {
	b := webhooktest.New(t)
	s := newSender(t, webhook.Config{URL: b.URL, MaxInFlight: 1})
	for range 200 {
		if _, err := s.Connect(t.Context(), data("x")); err != nil {
			t.Fatal(err)
		}
		b.CloseClientConnections()
	}
}
