package webhook_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed58c87869/siren/cmd/siren/node/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// request is a hook as a backend gets it.
type request struct {
	header http.Header
	body   string
}

// backend is a backend whose behaviour tests change. It keeps what it got.
type backend struct {
	*httptest.Server
	answer  atomic.Pointer[http.HandlerFunc]
	mu      sync.Mutex
	got     []request
	present atomic.Int64 // requests that are handled now
	most    atomic.Int64 // the largest number of them
}

func newBackend(t testing.TB) *backend {
	b := new(backend)
	b.reply(200, `{"allow":true}`)
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := b.present.Add(1)
		defer b.present.Add(-1)
		for m := b.most.Load(); n > m && !b.most.CompareAndSwap(m, n); m = b.most.Load() {
		}
		body, _ := io.ReadAll(r.Body)
		b.mu.Lock()
		b.got = append(b.got, request{r.Header, string(body)})
		b.mu.Unlock()
		(*b.answer.Load())(w, r)
	}))
	b.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	t.Cleanup(b.Close)
	return b
}

func (b *backend) handle(h http.HandlerFunc) { b.answer.Store(&h) }

func (b *backend) reply(status int, body string) {
	b.handle(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

// hang answers nothing until release is closed.
func (b *backend) hang(release <-chan struct{}) {
	b.handle(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
}

func (b *backend) requests() []request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]request(nil), b.got...)
}

func newSender(t testing.TB, cfg webhook.Config) *webhook.Sender {
	t.Helper()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s, err := webhook.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.Close(ctx)
	})
	return s
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not in time: " + what)
		}
	}
}

func data(socket string) *webhook.Data { return &webhook.Data{Namespace: "/", Socket: socket} }

// signed reports whether one of the signatures of a request is right for a key.
func (r request) signed(key string) bool {
	h := hmac.New(sha256.New, []byte(key))
	_, _ = io.WriteString(h, r.header.Get("webhook-id")+"."+r.header.Get("webhook-timestamp")+"."+r.body)
	want := "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))
	for _, s := range strings.Split(r.header.Get("webhook-signature"), " ") {
		if s == want {
			return true
		}
	}
	return false
}

func TestRequest(t *testing.T) {
	b := newBackend(t)
	key := "the second key"
	s := newSender(t, webhook.Config{URL: b.URL + "/hooks?x=1", Node: "n1", Secrets: []string{"first", "whsec_" + base64.StdEncoding.EncodeToString([]byte(key))}})
	d := &webhook.Data{
		Namespace: "/chat", Socket: "id", User: "ann", Claims: []byte(`{"sub":"ann"}`), Address: "::1",
		Headers: map[string]string{"cookie": "a\xff"}, Query: map[string]any{"EIO": "4", "x": []string{"1", "2"}}, Auth: []byte(`{"a":1}`),
	}
	if a, err := s.Connect(t.Context(), d); err != nil || !a.Allow {
		t.Fatal(a, err)
	}
	d.Event, d.Args = "say", []byte(`["hi",1.50]`)
	if _, err := s.Event(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if err := s.Disconnect(&webhook.Data{Namespace: "/", Socket: "id", Reason: "transport close"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := b.requests()
	common := `"headers":{"cookie":"a` + "\ufffd" + `"},"query":{"EIO":"4","x":["1","2"]},"auth":{"a":1}`
	for i, want := range []string{
		`{"type":"socket.connect","timestamp":T,"node":"n1","data":{"namespace":"/chat","socket":"id","user":"ann","claims":{"sub":"ann"},"address":"::1",` + common + `}}`,
		`{"type":"socket.event","timestamp":T,"node":"n1","data":{"namespace":"/chat","socket":"id","user":"ann","claims":{"sub":"ann"},"address":"::1",` + common + `,"event":"say","args":["hi",1.50]}}`,
		`{"type":"socket.disconnect","timestamp":T,"node":"n1","data":{"namespace":"/","socket":"id","user":"","claims":null,"address":"","headers":{},"query":{},"auth":null,"reason":"transport close"}}`,
	} {
		r := got[i]
		var m struct{ Timestamp string }
		if err := json.Unmarshal([]byte(r.body), &m); err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse("2006-01-02T15:04:05.000Z", m.Timestamp)
		if err != nil || time.Since(at) > time.Minute {
			t.Errorf("timestamp %q: %v", m.Timestamp, err)
		}
		if text := strings.Replace(r.body, `"`+m.Timestamp+`"`, "T", 1); text != want {
			t.Errorf("%s\nwant %s", text, want)
		}
		if n, err := strconv.ParseInt(r.header.Get("webhook-timestamp"), 10, 64); err != nil || time.Since(time.Unix(n, 0)) > time.Minute {
			t.Errorf("webhook-timestamp %q", r.header.Get("webhook-timestamp"))
		}
		if !r.signed("first") || !r.signed(key) || r.signed("whsec_") {
			t.Errorf("signature %q", r.header.Get("webhook-signature"))
		}
		if ct := r.header.Get("Content-Type"); ct != "application/json" || !strings.HasPrefix(r.header.Get("webhook-id"), "msg_") || r.header["Idempotency-Key"] != nil {
			t.Errorf("%v", r.header)
		}
	}
	if a, b := got[0].header.Get("webhook-id"), got[1].header.Get("webhook-id"); a == b {
		t.Error("two hooks with the same id")
	}
}

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
			b := newBackend(t)
			b.handle(c.handler)
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
		b := newBackend(t)
		b.reply(200, `{"allow":true}`+strings.Repeat(" ", 1<<20-14))
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
	b := newBackend(t)
	s := newSender(t, webhook.Config{URL: b.URL, MaxInFlight: 1})
	for range 200 {
		if _, err := s.Connect(t.Context(), data("x")); err != nil {
			t.Fatal(err)
		}
		b.CloseClientConnections()
	}
}

func TestMaxInFlightAndOrder(t *testing.T) {
	b := newBackend(t)
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
	if n := b.most.Load(); n > 3 {
		t.Errorf("%d requests at once", n)
	}
	order := make(map[string]string)
	for _, r := range b.requests() {
		var h struct {
			Type string
			Data struct{ Socket, Event string }
		}
		if err := json.Unmarshal([]byte(r.body), &h); err != nil {
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
	b := newBackend(t)
	release := make(chan struct{})
	b.handle(func(w http.ResponseWriter, r *http.Request) {
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
	b := newBackend(t)
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
	b := newBackend(t)
	release := make(chan struct{})
	b.handle(func(w http.ResponseWriter, r *http.Request) {
		<-release
		_, _ = io.WriteString(w, `{"allow":true}`)
	})
	s := newSender(t, webhook.Config{URL: b.URL, MaxInFlight: 1, Timeout: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	served, waiting := make(chan error), make(chan error)
	go func() { _, err := s.Connect(ctx, data("x")); served <- err }()
	eventually(t, "a request", func() bool { return b.present.Load() == 1 })
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
	if st := s.Stats(); st.Full != 1 || st.Requests[webhook.Connect][webhook.OK] != 1 || len(b.requests()) != 1 {
		t.Errorf("%+v", st)
	}
	if _, err := s.Connect(ctx, data("x")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// When the circuit breaker opens, what waits fails at once, and nothing is asked until one request has succeeded.
func TestCircuitBreaker(t *testing.T) {
	b := newBackend(t)
	release := make(chan struct{})
	b.handle(func(w http.ResponseWriter, _ *http.Request) {
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
	b.reply(200, "{}")
	eventually(t, "it closes", func() bool { _, err := s.Event(t.Context(), data("x")); return err == nil })
	if st := s.Stats(); st.CircuitOpen || st.Opened != 1 {
		t.Errorf("%+v", st)
	}
}

// A disconnect is told again until the backend has heard it: with the same id and body, a new time and signature.
func TestDisconnectIsRetried(t *testing.T) {
	b := newBackend(t)
	b.reply(503, "")
	s := newSender(t, webhook.Config{URL: b.URL, Secrets: []string{"k"}, FirstRetry: 300 * time.Millisecond, MaxRetry: time.Second, OpenFor: time.Millisecond})
	if err := s.Disconnect(data("x")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "four attempts", func() bool { return len(b.requests()) == 4 })
	b.reply(204, "")
	eventually(t, "success", func() bool { return s.Stats().Requests[webhook.Disconnect][webhook.OK] == 1 })
	got := b.requests()
	stamps := make(map[string]bool)
	for _, r := range got {
		if r.body != got[0].body || r.header.Get("webhook-id") != got[0].header.Get("webhook-id") || !r.signed("k") {
			t.Errorf("%+v", r)
		}
		stamps[r.header.Get("webhook-timestamp")] = true
	}
	if st := s.Stats(); len(stamps) < 2 || st.Retries != 4 || st.Lost != 0 || st.Requests[webhook.Disconnect][webhook.Failed] != 4 || st.Retrying != 0 {
		t.Errorf("%v, %+v", stamps, st)
	}
}

func TestDisconnectIsGivenUp(t *testing.T) {
	b := newBackend(t)
	b.reply(500, "")
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

// Close makes a last attempt of what waits for another one, and loses what fails then.
func TestClose(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		lost   uint64
	}{{"the backend is back", 200, 0}, {"the backend is down", 500, 5}} {
		t.Run(c.name, func(t *testing.T) {
			b := newBackend(t)
			b.reply(500, "")
			s := newSender(t, webhook.Config{URL: b.URL, FirstRetry: time.Hour, MaxRetry: time.Hour, RetryFor: 2 * time.Hour})
			for range 5 {
				if err := s.Disconnect(data("x")); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, "all have failed", func() bool { return s.Stats().Retrying == 5 })
			b.reply(c.status, "")
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if st := s.Stats(); st.Lost != c.lost || len(b.requests()) != 10 || st.Retrying != 0 {
				t.Errorf("%+v, %d requests", st, len(b.requests()))
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
	b := newBackend(t)
	release := make(chan struct{})
	b.hang(release)
	defer close(release)
	s := newSender(t, webhook.Config{URL: b.URL, MaxInFlight: 1, Timeout: time.Hour})
	done := make(chan error)
	go func() { _, err := s.Event(t.Context(), data("x")); done <- err }()
	eventually(t, "a request", func() bool { return b.present.Load() == 1 })
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

// While the backend is down everybody has an answer at once, and what is kept is bounded; when it is back, all is as
// before.
func TestBackendIsDownUnderLoad(t *testing.T) {
	b := newBackend(t)
	s := newSender(t, webhook.Config{
		URL: b.URL, MaxInFlight: 16, Queue: 100, Timeout: 20 * time.Second, OpenFor: 20 * time.Millisecond,
		FirstRetry: 20 * time.Millisecond, MaxRetry: 100 * time.Millisecond,
	})
	refuse := func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }
	b.handle(refuse)
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
	b.reply(200, `{"allow":true}`)
	eventually(t, "it is back", func() bool { _, err := s.Connect(t.Context(), data("x")); return err == nil })
	eventually(t, "all disconnects are told", func() bool {
		st := s.Stats()
		return int64(st.Requests[webhook.Disconnect][webhook.OK]) == told.Load() && st.Retrying == 0
	})
	if st := s.Stats(); st.Lost != 0 || st.InFlight != 0 || st.CircuitOpen {
		t.Errorf("%+v", st)
	}
}

func TestUpdate(t *testing.T) {
	b, other := newBackend(t), newBackend(t)
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
	if got := other.requests(); len(b.requests()) != 1 || len(got) != 1 || !got[0].signed("new") {
		t.Errorf("%d, %v", len(b.requests()), got)
	}
}

func TestObserverAndWrongParts(t *testing.T) {
	b := newBackend(t)
	b.reply(200, `{"allow":false,"message":5}`)
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
