package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed58c87869/siren/poller/pollertest/netns"
	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/session/sessiontest"
)

// works returns a namespace whose event "work" is answered with its argument after a while; begun counts those in hand.
func works(after time.Duration, begun *atomic.Int64) func(srv *server.Server) {
	return func(srv *server.Server) {
		server.Reply1(srv.Of("/"), "work", func(_ context.Context, _ *server.Socket, n int) (int, error) {
			begun.Add(1)
			time.Sleep(after)
			return n, nil
		})
	}
}

// Close has the events that were read before it handled and acknowledged, ahead of the close frame: those whose
// handlers run, and those behind them in their sockets' inboxes.
func TestCloseAnswersAcceptedEvents(t *testing.T) {
	netns.Run(t, netns.Config{}, func(t *testing.T) {
		for kind, clients := range map[string]int{
			"listen tcp": 400, "listen unix": 100, "mount tcp": 100, "mount wrapped": 50, "mount tls": 50,
		} {
			t.Run(kind, func(t *testing.T) {
				for range netns.Soak() {
					closeWithEventsInHand(t, kind, clients)
				}
			})
		}
	})
}

func closeWithEventsInHand(t *testing.T, kind string, clients int) {
	t.Helper()
	var begun atomic.Int64
	s := newSite(t, kind, server.Config{}, works(50*time.Millisecond, &begun))
	joined := make([]*sessiontest.WebSocket, clients)
	for i := range joined {
		joined[i] = s.joinWebSocket(t, nil)
	}
	var all audience
	for i, c := range joined {
		all.add(func() sessiontest.Ending {
			// One segment: the second event is read when the first one is.
			if err := c.Send(fmt.Sprintf(`421["work",%d]`, i), fmt.Sprintf(`422["work",%d]`, -i)); err != nil {
				return sessiontest.Ending{Err: err}
			}
			return c.Rest()
		})
	}
	eventually(t, "each client's first event is in hand", func() bool { return begun.Load() >= int64(clients) })
	if err := s.srv.Close(); err != nil {
		t.Error(err)
	}
	all.check(t, func(e *sessiontest.Ending) bool {
		var first, second int
		if len(e.Messages) != 2 {
			return false
		}
		_, err1 := fmt.Sscanf(e.Messages[0].Text, "431[%d]", &first)
		_, err2 := fmt.Sscanf(e.Messages[1].Text, "432[%d]", &second)
		return err1 == nil && err2 == nil && first == -second
	})
}

// A polling client whose GET waits gets the acknowledgement of an event that is being handled when the server closes,
// then the close packet, in an answer of its own.
func TestCloseAnswersAcceptedEventsOverPolling(t *testing.T) {
	for _, kind := range sites {
		t.Run(kind, func(t *testing.T) {
			var begun atomic.Int64
			s := newSite(t, kind, server.Config{}, works(100*time.Millisecond, &begun))
			p := s.joinPolling(t, nil)
			if err := p.Ask(); err != nil {
				t.Fatal(err)
			}
			if err := p.Post(`421["work",7]`); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the event is in hand", func() bool { return begun.Load() == 1 })
			closed := closing(s.srv)
			packets, err := p.Answer()
			if err != nil || len(packets) != 1 || packets[0].Text != "431[7]" {
				t.Errorf("the GET was answered with %v, %v", packets, err)
			}
			if e := p.Rest(false); !e.Closed || e.Err != nil || len(e.Messages) > 0 {
				t.Error(e.String())
			}
			if err := wait(t, closed); err != nil {
				t.Error(err)
			}
		})
	}
}

// Close comes to its end while a client sends without end: what comes once it has begun is not handled.
func TestCloseTakesNoMoreEvents(t *testing.T) {
	for _, kind := range []string{"listen tcp", "mount tcp", "mount tls"} {
		t.Run(kind, func(t *testing.T) {
			var begun, more atomic.Int64
			s := newSite(t, kind, server.Config{}, func(srv *server.Server) {
				works(100*time.Millisecond, &begun)(srv)
				server.On0(srv.Of("/"), "more", func(context.Context, *server.Socket) error { more.Add(1); return nil })
			})
			c := s.joinWebSocket(t, nil)
			if err := c.Send(`421["work",1]`); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the event is in hand", func() bool { return begun.Load() == 1 })
			closed := closing(s.srv)
			ended := make(chan sessiontest.Ending, 1)
			go func() { ended <- c.Rest() }()
			for c.Send(`42["more"]`) == nil {
			}
			if err := wait(t, closed); err != nil {
				t.Error(err)
			}
			handled := more.Load()
			if e := wait(t, ended); !e.Closed || !e.Has(sessiontest.MessageOf("431[1]")) {
				t.Error(e.String())
			}
			if n := more.Load(); n != handled || s.srv.Stats().Handlers != 0 {
				t.Errorf("%d events were handled after Close", n-handled)
			}
		})
	}
}

// A session that is being upgraded when the server closes gets what was sent to it on the WebSocket, which its client
// has turned to: the client has been told that the WebSocket works, and asks no more by GET.
func TestCloseDuringUpgrade(t *testing.T) {
	netns.Run(t, netns.Config{}, func(t *testing.T) {
		for _, kind := range sites {
			t.Run(kind, func(t *testing.T) { closeDuringUpgrade(t, kind) })
		}
	})
}

func closeDuringUpgrade(t *testing.T, kind string) {
	t.Helper()
	s := newSite(t, kind, server.Config{}, nil)
	p := s.joinPolling(t, nil)
	w, err := sessiontest.OpenWebSocket(s.connect(t, nil), "/socket.io/?EIO=4&transport=websocket&sid="+p.SID)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Send("2probe"); err != nil {
		t.Fatal(err)
	}
	if m, err := w.Next(); m.Text != "3probe" || err != nil {
		t.Fatal(m, err)
	}
	text, event := blob(300_000)
	if n, err := s.srv.Emit("blob", text); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	closed := closing(s.srv)
	eventually(t, "it closes", func() bool { return s.srv.Of("/").SocketCount() == 0 })
	if err := w.Send("5"); err != nil {
		t.Fatal(err)
	}
	if e := w.Rest(); !e.Closed || e.Err != nil || !e.Has(event) {
		t.Error(e.String())
	}
	if err := wait(t, closed); err != nil {
		t.Error(err)
	}
}

// Requests that Config.Fallback or the hooks of a handshake have in hand are answered, in whole.
func TestCloseAnswersRequestsInHand(t *testing.T) {
	netns.Run(t, netns.Config{}, func(t *testing.T) {
		const size = 900_000
		begun, release := make(chan struct{}, 2), make(chan struct{})
		hold := func() {
			begun <- struct{}{}
			<-release
		}
		cfg := server.Config{
			Fallback:     http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { hold(); answering(size)(w, r) }),
			AllowRequest: func(context.Context, *server.RequestInfo) error { hold(); return nil },
		}
		s := newSite(t, "listen tcp", cfg, nil)
		ask := func(target string) <-chan string {
			conn := s.connect(t, slowly)
			_ = conn.SetDeadline(time.Now().Add(sessiontest.Patience))
			if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target); err != nil {
				t.Fatal(err)
			}
			answer := make(chan string, 1)
			go func() {
				defer conn.Close()
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					answer <- err.Error()
					return
				}
				n, err := io.Copy(io.Discard, resp.Body)
				answer <- fmt.Sprint(resp.StatusCode, " ", n, " ", err)
			}()
			return answer
		}
		page, handshake := ask("/page"), ask("/socket.io/?EIO=4&transport=polling")
		receive(t, begun)
		receive(t, begun)
		closed := closing(s.srv)
		eventually(t, "it closes", func() bool {
			err := s.srv.Of("/").EmitAck(t.Context(), "x", func([]server.Reply, error) {})
			return errors.Is(err, server.ErrClosed)
		})
		close(release)
		if got, want := wait(t, page), fmt.Sprint(200, " ", size, " ", nil); got != want {
			t.Errorf("the page: %s, want %s", got, want)
		}
		if got := wait(t, handshake); !strings.HasPrefix(got, "503 ") && !strings.HasPrefix(got, "200 ") {
			t.Errorf("the handshake: %s", got)
		}
		if err := wait(t, closed); err != nil {
			t.Error(err)
		}
	})
}
