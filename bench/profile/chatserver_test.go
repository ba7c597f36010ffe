package profile

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server"
)

// chat is a server with its own events, which no profile knows beforehand.
type chat struct {
	url    string
	server *server.Server
	sent   atomic.Int64 // messages so far
	tokens atomic.Int64 // clients that had the token of their row
}

// startChat serves a chat. With secure it speaks TLS, and the certificate is returned in PEM by httptest's server.
func startChat(t *testing.T, secure bool) (*chat, *httptest.Server) {
	t.Helper()
	c := &chat{}
	srv, err := server.New(server.Config{Loops: 1, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	c.server = srv
	c.events(srv.Of("/chat"))
	guarded := srv.Of("/guarded")
	guarded.Use(func(_ context.Context, s *server.Socket) error {
		var auth struct{ Token string }
		if s.Handshake().Auth(&auth) != nil || len(auth.Token) < 2 || auth.Token[0] != 't' {
			return server.Refuse("invalid token", nil)
		}
		c.tokens.Add(1)
		return nil
	})
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", srv.Handler())
	mux.HandleFunc("POST /say", func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		if r.Header.Get("Authorization") != "Bearer secret" {
			http.Error(w, "no key", http.StatusUnauthorized)
			return
		}
		_, _ = srv.Of("/chat").Emit("message", server.Raw{JSON: text})
	})
	web := httptest.NewUnstartedServer(mux)
	web.Config.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(io.Discard, nil), slog.LevelError)
	if secure {
		web.StartTLS()
	} else {
		web.Start()
	}
	t.Cleanup(func() {
		_ = srv.Close()
		web.Close()
	})
	c.url = web.URL
	return c, web
}

// events are those of the chat, each with a fault of its own.
func (c *chat) events(ns *server.Namespace) {
	server.On1(ns, "enter", func(_ context.Context, s *server.Socket, room string) error {
		if err := s.Join(room); err != nil {
			return err
		}
		return s.Emit("entered", room)
	})
	server.Reply1(ns, "checked", func(_ context.Context, s *server.Socket, room string) (any, error) {
		if room == "closed" {
			return map[string]string{"error": "the room is closed"}, nil
		}
		return map[string]any{"error": nil}, s.Join(room)
	})
	say := func(event string, to func(*server.Socket) server.Operator, times func(n int64) int) {
		ns.On(event, func(_ context.Context, m *server.Message) {
			for range times(c.sent.Add(1)) {
				_, _ = to(m.Socket()).Emit("message", m.Arg(0))
			}
			_ = m.Ack()
		})
	}
	once := func(int64) int { return 1 }
	all := func(s *server.Socket) server.Operator { return s.Namespace().To() }
	say("say", all, once)
	say("tell", func(s *server.Socket) server.Operator { return s.Broadcast() }, once)
	say("think", func(s *server.Socket) server.Operator { return s.Namespace().To(s.ID()) }, once)
	say("mumble", all, func(n int64) int { return min(int(n%5), 1) })
	say("stutter", all, func(n int64) int { return 2 - min(int(n%5), 1) })
	ns.On("swap", func(_ context.Context, m *server.Message) { // every other message is held back until the next one
		_, _ = m.Socket().Namespace().Emit("message", m.Arg(0))
		if n := c.sent.Add(1); n%4 == 0 {
			_, _ = m.Socket().Namespace().Emit("message", m.Arg(1))
		}
	})
	ns.On("refuse", func(_ context.Context, m *server.Message) { _ = m.Ack(map[string]string{"error": "not allowed"}) })
	ns.On("silence", func(context.Context, *server.Message) {})
	ns.On("leave", func(_ context.Context, m *server.Message) { m.Socket().Disconnect(true) })
	ns.On("stream", func(_ context.Context, m *server.Message) {
		for n := 5; m.Socket().Connected(); n++ {
			_ = m.Socket().Emit("tick", map[string]any{"n": n, "at": time.Now().UnixMilli()})
			time.Sleep(5 * time.Millisecond)
		}
	})
}
