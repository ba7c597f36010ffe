package server_test

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/seed58c87869/siren/poller/pollertest/netns"
	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/session/sessiontest"
)

// Close lets clients that read have all that was sent to them, and tells them the end: over every kind of connection,
// both transports, with recovery or without.
func TestCloseDeliversWhatWasSent(t *testing.T) {
	netns.Run(t, netns.Config{}, func(t *testing.T) {
		for _, kind := range sites {
			for _, transport := range []string{"websocket", "polling"} {
				t.Run(kind+" "+transport, func(t *testing.T) {
					for range netns.Soak() {
						closeWhileReading(t, kind, transport, server.Config{}, nil)
					}
				})
			}
		}
		for _, transport := range []string{"websocket", "polling"} {
			t.Run("recovery "+transport, func(t *testing.T) {
				cfg := server.Config{Recovery: server.Recovery{MaxDisconnection: time.Minute}}
				closeWhileReading(t, "listen tcp", transport, cfg, nil)
			})
			t.Run("slow readers "+transport, func(t *testing.T) {
				closeWhileReading(t, "listen tcp", transport, server.Config{}, slowly)
			})
		}
	})
}

// A polling client that takes longer for an answer than Close waits for absent ones still gets its close packet, for
// which it has to ask again.
func TestCloseWaitsForSlowAnswers(t *testing.T) {
	t.Parallel() // it mostly waits
	small := netns.Config{Sysctls: map[string]string{"net.ipv4.tcp_wmem": "4096 16384 65536"}}
	netns.Run(t, small, func(t *testing.T) {
		for _, kind := range []string{"listen tcp", "mount tls"} {
			t.Run(kind, func(t *testing.T) {
				t.Parallel()
				s := newSite(t, kind, server.Config{CloseTimeout: sessiontest.Patience}, nil)
				p := s.joinPolling(t, func(c net.Conn) net.Conn { return sessiontest.Paced(c, 250_000) })
				if err := p.Ask(); err != nil {
					t.Fatal(err)
				}
				text, event := blob(900_000)
				if n, err := s.srv.Emit("blob", text); n != 1 || err != nil {
					t.Fatal(n, err)
				}
				var all audience
				all.add(func() sessiontest.Ending { return p.Rest(true) })
				if err := s.srv.Close(); err != nil {
					t.Error(err)
				}
				all.check(t, gotOne(event))
			})
		}
	})
}

// closeWhileReading sends an event to 20 clients and closes the server at once.
func closeWhileReading(t *testing.T, kind, transport string, cfg server.Config, pace func(net.Conn) net.Conn) {
	t.Helper()
	s := newSite(t, kind, cfg, nil)
	var all audience
	for range 20 {
		if transport == "polling" {
			p := s.joinPolling(t, pace)
			all.add(func() sessiontest.Ending { return p.Rest(false) })
		} else {
			all.add(s.joinWebSocket(t, pace).Rest)
		}
	}
	text, event := blob(900_000)
	if n, err := s.srv.Emit("blob", text); n != 20 || err != nil {
		t.Fatal(n, err)
	}
	if err := s.srv.Close(); err != nil {
		t.Error(err)
	}
	if cfg.Recovery.MaxDisconnection > 0 { // an offset comes behind the argument
		all.check(t, func(e *sessiontest.Ending) bool {
			return len(e.Messages) == 1 && e.Messages[0].Text == event.Text && e.Messages[0].Bytes > event.Bytes
		})
		return
	}
	all.check(t, gotOne(event))
}

// A connection whose peer did not read for a while, and then has all, gets its close frame in the end as any other.
// With small send buffers, the last bytes of an event have waited too.
func TestCloseFrameAfterBlocking(t *testing.T) {
	small := netns.Config{Sysctls: map[string]string{"net.ipv4.tcp_wmem": "4096 16384 32768"}}
	netns.Run(t, small, func(t *testing.T) {
		for _, kind := range sites {
			t.Run(kind, func(t *testing.T) {
				s := newSite(t, kind, server.Config{}, nil)
				clients := make([]*sessiontest.WebSocket, 5)
				for i := range clients {
					clients[i] = s.joinWebSocket(t, nil)
				}
				text, event := blob(300_000)
				if n, err := s.srv.Emit("blob", text); n != len(clients) || err != nil {
					t.Fatal(n, err)
				}
				// No client has read a byte of it.
				if kind == "listen tcp" || kind == "listen unix" {
					eventually(t, "they are blocked", func() bool { return s.srv.Stats().Poller.Blocked == int64(len(clients)) })
				}
				var got sync.WaitGroup
				for _, c := range clients {
					got.Go(func() {
						if m, err := c.Next(); m != event || err != nil {
							t.Error(m, err)
						}
					})
				}
				got.Wait()
				var all audience
				for _, c := range clients {
					all.add(c.Rest)
				}
				if err := s.srv.Close(); err != nil {
					t.Error(err)
				}
				all.check(t, func(e *sessiontest.Ending) bool { return len(e.Messages) == 0 })
			})
		}
	})
}
