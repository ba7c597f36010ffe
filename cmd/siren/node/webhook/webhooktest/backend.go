// Package webhooktest has a backend for tests of what sends webhooks: it keeps what it gets, and answers as the test says.
package webhooktest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Backend is a backend on a real listener. Safe for concurrent use.
type Backend struct {
	*httptest.Server
	t      testing.TB
	answer atomic.Pointer[http.HandlerFunc]
	// present is the number of requests that are handled now, most the largest that it has been.
	present, most atomic.Int64

	mu  sync.Mutex
	got []Request // guarded by mu
}

// Request is a hook as a backend gets it. Immutable.
type Request struct {
	Header http.Header
	Body   string
}

// Hook is the content of a Request. A plain value.
type Hook struct {
	Type string
	Data struct {
		Namespace, Socket, User, Address, Event, Reason string
		Claims, Headers, Query, Auth, Args              json.RawMessage
	}
	// Text is the whole of it.
	Text string `json:"-"`
}

// New starts a backend that answers {"allow":true}. It ends with the test.
func New(t testing.TB) *Backend {
	b := &Backend{t: t}
	b.Reply(http.StatusOK, `{"allow":true}`)
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := b.present.Add(1)
		defer b.present.Add(-1)
		for m := b.most.Load(); n > m && !b.most.CompareAndSwap(m, n); m = b.most.Load() {
		}
		body, _ := io.ReadAll(r.Body)
		b.mu.Lock()
		b.got = append(b.got, Request{r.Header, string(body)})
		b.mu.Unlock()
		(*b.answer.Load())(w, r)
	}))
	b.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	t.Cleanup(b.Close)
	return b
}

// Handle sets what answers from now on.
func (b *Backend) Handle(h http.HandlerFunc) { b.answer.Store(&h) }

// Reply sets the answer from now on.
func (b *Backend) Reply(status int, body string) {
	b.Handle(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

// Hang answers nothing until release is closed.
func (b *Backend) Hang(release <-chan struct{}) {
	b.Handle(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
}

// Requests returns what has come so far.
func (b *Backend) Requests() []Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.got)
}

// Present returns the number of requests that are handled now.
func (b *Backend) Present() int64 { return b.present.Load() }

// Most returns the largest number of requests that were handled at the same time.
func (b *Backend) Most() int64 { return b.most.Load() }

// Hooks returns the contents of what has come so far. One that is no JSON fails the test.
func (b *Backend) Hooks() (hooks []Hook) {
	b.t.Helper()
	for _, r := range b.Requests() {
		h := Hook{Text: r.Body}
		if err := json.Unmarshal([]byte(r.Body), &h); err != nil {
			b.t.Errorf("%q: %v", r.Body, err)
		}
		hooks = append(hooks, h)
	}
	return hooks
}

// Types returns the types of the hooks of a socket so far, with events and reasons; of all sockets if it is empty.
func (b *Backend) Types(socket string) string {
	b.t.Helper()
	var all []string
	for _, h := range b.Hooks() {
		if h.Data.Socket == socket || socket == "" {
			all = append(all, strings.TrimSpace(strings.TrimPrefix(h.Type, "socket.")+" "+h.Data.Event+h.Data.Reason))
		}
	}
	return strings.Join(all, ", ")
}

// Signed reports whether one of the signatures of the request is right for a key.
func (r Request) Signed(key string) bool {
	h := hmac.New(sha256.New, []byte(key))
	_, _ = io.WriteString(h, r.Header.Get("webhook-id")+"."+r.Header.Get("webhook-timestamp")+"."+r.Body)
	want := "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))
	return slices.Contains(strings.Split(r.Header.Get("webhook-signature"), " "), want)
}
