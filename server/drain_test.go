package server_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed58c87869/siren/poller/pollertest/netns"
	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/session/sessiontest"
)

// drained is what a call of Drain returned.
type drained struct {
	server.DrainReport
	err error
}

// draining drains the server in the background.
func draining(ctx context.Context, srv *server.Server, plan server.DrainPlan) <-chan drained {
	done := make(chan drained, 1)
	go func() {
		r, err := srv.Drain(ctx, plan)
		done <- drained{r, err}
	}()
	return done
}

// inOrder tells that a client got the numbered events of tick without a gap, from the first one on, at least so many.
func inOrder(least int) func(e *sessiontest.Ending) bool {
	return func(e *sessiontest.Ending) bool {
		for i, m := range e.Messages {
			if m.Text != fmt.Sprintf(`42["tick",%d]`, i) {
				return false
			}
		}
		return len(e.Messages) >= least
	}
}

// A drain under continuous events loses nothing: each client gets all events up to its end, which is a transport close,
// over every kind of connection and both transports, with recovery or without.
func TestDrainDeliversWhatWasSent(t *testing.T) {
	netns.Run(t, netns.Config{}, func(t *testing.T) {
		for _, kind := range sites {
			t.Run(kind, func(t *testing.T) {
				for range netns.Soak() {
					drainUnderEvents(t, kind, server.Config{})
				}
			})
		}
	})
}

func drainUnderEvents(t *testing.T, kind string, cfg server.Config) {
	t.Helper()
	s := newSite(t, kind, cfg, nil)
	const each, before = 20, 50
	var all audience
	for i := range each {
		pace := slowly
		if i%2 == 0 {
			pace = nil
		}
		p := s.joinPolling(t, pace)
		all.add(func() sessiontest.Ending { return p.Rest(false) })
		all.add(s.joinWebSocket(t, pace).Rest)
	}
	var emitted atomic.Int64
	var emitting sync.WaitGroup
	emitting.Go(func() {
		for {
			if n, err := s.srv.Emit("tick", emitted.Load()); n == 0 || err != nil {
				return
			}
			emitted.Add(1)
			time.Sleep(time.Millisecond)
		}
	})
	eventually(t, "events", func() bool { return emitted.Load() >= before })
	r, err := s.srv.Drain(t.Context(), server.DrainPlan{Spread: 300 * time.Millisecond})
	if want := (server.DrainReport{Ended: 2 * each}); err != nil || r != want || r.Lost() {
		t.Errorf("%+v, %v; want %+v", r, err, want)
	}
	emitting.Wait()
	all.check(t, inOrder(before))
}

// A drain with recovery keeps the sockets, so that a client could come back.
func TestDrainKeepsSocketsForRecovery(t *testing.T) {
	reasons := make(chan server.Reason, 1)
	cfg := server.Config{Recovery: server.Recovery{MaxDisconnection: time.Minute}}
	s := newSite(t, "listen tcp", cfg, func(srv *server.Server) {
		srv.Of("/").OnDisconnect(func(_ *server.Socket, r server.Reason) { reasons <- r })
	})
	var all audience
	all.add(s.joinWebSocket(t, nil).Rest)
	if n, err := s.srv.Emit("tick", 0); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	r, err := s.srv.Drain(t.Context(), server.DrainPlan{})
	if err != nil || r.Lost() || r.Ended != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if got := receive(t, reasons); got != server.ReasonDraining {
		t.Error(got)
	}
	all.check(t, func(e *sessiontest.Ending) bool { return len(e.Messages) == 1 })
}

// At the timeout, clients that take nothing are cut and counted with their packets; clients that read lose nothing.
func TestDrainCutsWhoTakesNothing(t *testing.T) {
	netns.Run(t, netns.Config{}, func(t *testing.T) {
		for _, kind := range sites {
			t.Run(kind, func(t *testing.T) {
				t.Parallel() // they mostly wait
				s := newSite(t, kind, server.Config{}, nil)
				var all audience
				for range 3 {
					p := s.joinPolling(t, nil)
					all.add(func() sessiontest.Ending { return p.Rest(false) })
					s.joinPolling(t, nil) // never asks
					all.add(s.joinWebSocket(t, nil).Rest)
					s.joinWebSocket(t, nil) // never reads
				}
				text, event := blob(400_000)
				for range 2 {
					if n, err := s.srv.Emit("blob", text); n != 12 || err != nil {
						t.Fatal(n, err)
					}
				}
				r, err := s.srv.Drain(t.Context(), server.DrainPlan{Timeout: 3 * time.Second})
				var cut *server.CloseError
				if want := (server.CloseError{Connections: 3, Sessions: 3}); !errors.As(err, &cut) || *cut != want {
					t.Errorf("%v; want %v", err, &want)
				}
				// The first event of a WebSocket is partly sent, and so not written.
				if r.Ended != 12 || r.Late != 0 || r.Connections != 3 || r.Sessions != 3 || r.Packets != 12 || !r.Lost() {
					t.Errorf("%+v", r)
				}
				all.check(t, func(e *sessiontest.Ending) bool {
					return len(e.Messages) == 2 && e.Messages[0] == event && e.Messages[1] == event
				})
			})
		}
	})
}

// The handlers of events that were accepted finish, and their acknowledgements leave before the end, also when the
// client goes on sending. Later events are not handled.
func TestDrainAnswersAcceptedEvents(t *testing.T) {
	for _, kind := range sites {
		t.Run(kind, func(t *testing.T) {
			var begun atomic.Int64
			s := newSite(t, kind, server.Config{}, works(300*time.Millisecond, &begun))
			w, p := s.joinWebSocket(t, nil), s.joinPolling(t, nil)
			if err := errors.Join(w.Send(`421["work",7]`, `422["work",8]`), p.Post(`423["work",9]`)); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the events are in hand", func() bool { return begun.Load() >= 2 })
			done := draining(t.Context(), s.srv, server.DrainPlan{})
			var sending sync.WaitGroup
			sending.Go(func() {
				// A wrapped connection cannot discard input while its client reads the end.
				for kind != "mount wrapped" && w.Send(`429["work",0]`) == nil {
					time.Sleep(5 * time.Millisecond)
				}
			})
			var all audience
			all.add(w.Rest)
			all.add(func() sessiontest.Ending { return p.Rest(false) })
			if d := wait(t, done); d.err != nil || d.Lost() || d.Ended != 2 {
				t.Errorf("%+v", d)
			}
			all.check(t, func(e *sessiontest.Ending) bool {
				var got []string
				for _, m := range e.Messages {
					if !strings.HasPrefix(m.Text, "439") { // accepted before its turn came
						got = append(got, m.Text)
					}
				}
				text := strings.Join(got, " ")
				return text == "431[7] 432[8]" || text == "433[9]"
			})
			sending.Wait()
		})
	}
}

// A handler that does not end is cut at the timeout, and by the end of the context; other clients are not held up.
func TestDrainCutsHandlers(t *testing.T) {
	for _, by := range []string{"timeout", "context"} {
		t.Run(by, func(t *testing.T) {
			stop := make(chan struct{})
			s := newSite(t, "listen tcp", server.Config{}, func(srv *server.Server) {
				server.On0(srv.Of("/"), "never", func(context.Context, *server.Socket) error { <-stop; return nil })
			})
			defer close(stop)
			never, other := s.joinWebSocket(t, nil), s.joinWebSocket(t, nil)
			if err := never.Send(`42["never"]`); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the handler runs", func() bool { return s.srv.Stats().Handlers > 0 })
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			plan := server.DrainPlan{Timeout: time.Second}
			if by == "context" {
				plan.Timeout = time.Hour
			}
			done := draining(ctx, s.srv, plan)
			if e := other.Rest(); !e.Closed || e.Err != nil {
				t.Error(e.String())
			}
			if by == "context" {
				cancel()
			}
			if e := never.Rest(); !e.Closed || e.Err != nil {
				t.Error(e.String())
			}
			d := wait(t, done)
			if want := (server.DrainReport{Ended: 2, Late: 1}); d.Ended != want.Ended || d.Late != want.Late || d.Handlers != 1 || !d.Lost() {
				t.Errorf("%+v", d)
			}
		})
	}
}

// A client whose turn has come can still give an acknowledgement that is awaited.
func TestDrainWaitsForAcknowledgements(t *testing.T) {
	s := newSite(t, "listen tcp", server.Config{}, nil)
	w := s.joinWebSocket(t, nil)
	answers := make(chan string, 1)
	go func() {
		for a, err := range server.CallAll[string](t.Context(), s.srv.Of("/").To(), "question") {
			answers <- fmt.Sprint(a, err)
		}
		close(answers)
	}()
	question, err := w.Next()
	if err != nil || !strings.HasPrefix(question.Text, "42") {
		t.Fatal(question, err)
	}
	id, _, _ := strings.Cut(strings.TrimPrefix(question.Text, "42"), "[")
	done := draining(t.Context(), s.srv, server.DrainPlan{})
	eventually(t, "the drain has begun", s.srv.Draining)
	if err := w.Send("43" + id + `["answer"]`); err != nil {
		t.Fatal(err)
	}
	if e := w.Rest(); !e.Closed || e.Err != nil {
		t.Error(e.String())
	}
	if got := receive(t, answers); got != "answer<nil>" {
		t.Error(got)
	}
	if d := wait(t, done); d.err != nil || d.Lost() {
		t.Errorf("%+v", d)
	}
}

// During the grace period all goes on, except that Draining reports true; then new clients are refused with 503, while
// the present ones have new connections served.
func TestDrainRefusesNewClients(t *testing.T) {
	for _, kind := range []string{"listen tcp", "mount tcp", "mount tls"} {
		t.Run(kind, func(t *testing.T) {
			s := newSite(t, kind, server.Config{}, nil)
			w := s.joinWebSocket(t, nil)
			done := draining(t.Context(), s.srv, server.DrainPlan{Grace: time.Hour})
			eventually(t, "the drain has begun", s.srv.Draining)
			p := s.joinPolling(t, nil)
			p.Close()
			closed := closing(s.srv) // ends the grace period
			var all audience
			all.add(w.Rest)
			all.check(t, func(e *sessiontest.Ending) bool { return len(e.Messages) == 0 })
			<-closed
			<-done
		})
	}
	s := newSite(t, "listen tcp", server.Config{}, func(srv *server.Server) {
		server.On0(srv.Of("/"), "wait", func(ctx context.Context, _ *server.Socket) error { time.Sleep(time.Second); return nil })
	})
	p := s.joinPolling(t, nil)
	if err := p.Post(`421["wait"]`); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the handler runs", func() bool { return s.srv.Stats().Handlers > 0 })
	done := draining(t.Context(), s.srv, server.DrainPlan{})
	eventually(t, "handshakes are refused", func() bool {
		resp, err := http.Get("http://" + s.addr + "/socket.io/?EIO=4&transport=polling")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusServiceUnavailable && resp.Close
	})
	if _, err := sessiontest.OpenWebSocket(s.connect(t, nil), "/socket.io/?EIO=4&transport=websocket"); err == nil || !strings.Contains(err.Error(), "503") {
		t.Error(err)
	}
	if n := s.srv.Stats().Sessions.Draining; n < 2 {
		t.Errorf("%d refused", n)
	}
	var all audience
	all.add(func() sessiontest.Ending { return p.Rest(false) })
	all.check(t, func(e *sessiontest.Ending) bool { return e.Has(sessiontest.MessageOf("431[]")) })
	if d := wait(t, done); d.err != nil || d.Lost() {
		t.Errorf("%+v", d)
	}
}

// Every call of Drain and Close returns when the server is closed, whichever came first, with the same report.
func TestDrainAndCloseTogether(t *testing.T) {
	type world struct {
		t       *testing.T
		site    *site
		release func()
	}
	long := server.DrainPlan{Grace: time.Hour, Timeout: time.Hour}
	for name, run := range map[string]func(w *world) (ended int){
		"Close during the grace period": func(w *world) int {
			done := draining(w.t.Context(), w.site.srv, long)
			eventually(w.t, "the drain has begun", w.site.srv.Draining)
			w.release()
			if err := wait(w.t, closing(w.site.srv)); err != nil {
				w.t.Error(err)
			}
			if d := wait(w.t, done); d.err != nil || d.Lost() {
				w.t.Errorf("%+v", d)
			}
			return 0
		},
		"Close during the spread": func(w *world) int {
			done := draining(w.t.Context(), w.site.srv, server.DrainPlan{Timeout: time.Hour, Spread: time.Hour})
			eventually(w.t, "handshakes are refused", func() bool {
				_, err := sessiontest.OpenWebSocket(w.site.connect(w.t, nil), "/socket.io/?EIO=4&transport=websocket")
				return err != nil
			})
			w.release()
			if err := wait(w.t, closing(w.site.srv)); err != nil {
				w.t.Error(err)
			}
			if d := wait(w.t, done); d.err != nil || d.Lost() {
				w.t.Errorf("%+v", d)
			}
			return 0
		},
		"Drain during Close": func(w *world) int {
			done := closing(w.site.srv)
			eventually(w.t, "Close has begun", w.site.srv.Draining)
			second := draining(w.t.Context(), w.site.srv, long)
			w.release()
			if d := wait(w.t, second); d.err != nil || d.Lost() {
				w.t.Errorf("%+v", d)
			}
			if err := wait(w.t, done); err != nil {
				w.t.Error(err)
			}
			return 0
		},
		"two Drains": func(w *world) int {
			first := draining(w.t.Context(), w.site.srv, server.DrainPlan{})
			eventually(w.t, "the drain has begun", w.site.srv.Draining)
			second := draining(w.t.Context(), w.site.srv, long)
			w.release()
			a, b := wait(w.t, first), wait(w.t, second)
			if a != b || a.err != nil || a.Lost() {
				w.t.Errorf("%+v, %+v", a, b)
			}
			return 3
		},
		"the second Drain's context ends": func(w *world) int {
			first := draining(w.t.Context(), w.site.srv, long)
			eventually(w.t, "the drain has begun", w.site.srv.Draining)
			ctx, cancel := context.WithCancel(w.t.Context())
			second := draining(ctx, w.site.srv, long)
			cancel()
			a, b := wait(w.t, first), wait(w.t, second)
			if a.DrainReport != b.DrainReport || a.Late != 3 || a.Handlers != 1 {
				w.t.Errorf("%+v, %+v", a, b)
			}
			w.release()
			return 3
		},
		"the context has ended before": func(w *world) int {
			ctx, cancel := context.WithCancel(w.t.Context())
			cancel()
			if d := wait(w.t, draining(ctx, w.site.srv, long)); d.Late != 3 {
				w.t.Errorf("%+v", d)
			}
			w.release()
			return 3
		},
		"an invalid plan": func(w *world) int {
			for _, plan := range []server.DrainPlan{
				{Grace: -1}, {Timeout: -1}, {Spread: -1}, {Spread: time.Minute, Timeout: time.Second},
			} {
				if r, err := w.site.srv.Drain(w.t.Context(), plan); err == nil || r != (server.DrainReport{}) || w.site.srv.Draining() {
					w.t.Errorf("%+v: %+v, %v", plan, r, err)
				}
			}
			w.release()
			if err := w.site.srv.Close(); err != nil {
				w.t.Error(err)
			}
			return 0
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stop := make(chan struct{})
			s := newSite(t, "listen tcp", server.Config{CloseTimeout: sessiontest.Patience}, func(srv *server.Server) {
				server.On0(srv.Of("/"), "wait", func(context.Context, *server.Socket) error { <-stop; return nil })
			})
			waiting := s.joinWebSocket(t, nil)
			if err := waiting.Send(`42["wait"]`); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the handler runs", func() bool { return s.srv.Stats().Handlers > 0 })
			var all audience
			all.add(waiting.Rest)
			all.add(s.joinWebSocket(t, nil).Rest)
			p := s.joinPolling(t, nil)
			all.add(func() sessiontest.Ending { return p.Rest(false) })
			ended := run(&world{t, s, func() { close(stop) }})
			// The first turns of a spread come at once.
			n := int(s.srv.Stats().Sessions.Closed[server.ReasonDraining])
			if n != ended && (name != "Close during the spread" || n > 2) {
				t.Errorf("%d sessions have ended as drained, want %d", n, ended)
			}
			if err := s.srv.Wait(); (err != nil) != (ended == 3 && strings.Contains(name, "context")) {
				t.Error(err)
			}
			all.check(t, func(e *sessiontest.Ending) bool { return len(e.Messages) == 0 })
		})
	}
}

// A server that does not listen yet, and one that has closed, have nothing to drain.
func TestDrainWithoutClients(t *testing.T) {
	srv, err := server.New(server.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if r, err := srv.Drain(t.Context(), server.DrainPlan{}); err != nil || r != (server.DrainReport{}) || !srv.Draining() {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if err := srv.Listen("tcp://127.0.0.1:0"); !errors.Is(err, server.ErrClosed) {
		t.Error(err)
	}
}
