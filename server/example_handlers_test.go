package server_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/seed58c87869/siren/server"
)

// user is what a token says.
type user struct {
	Name  string
	Admin bool
}

// currentUser is kept with each socket. A key is a package variable with the type of its values.
var currentUser = server.NewKey[user]("user")

var errUnknown = errors.New("unknown token")

func verify(_ context.Context, token string) (user, error) {
	if name, ok := strings.CutPrefix(token, "token of "); ok {
		return user{Name: name}, nil
	}
	return user{}, errUnknown
}

// A middleware decides who may connect. What Refuse made is told to the client; other errors are not.
func ExampleNamespace_Use() {
	chat := newServer(server.Config{}).Of("/chat")
	chat.Use(func(ctx context.Context, s *server.Socket) error {
		var auth struct{ Token string }
		if err := s.Handshake().Auth(&auth); err != nil {
			return server.Refuse("the auth payload is an object with a token", nil)
		}
		u, err := verify(ctx, auth.Token)
		if errors.Is(err, errUnknown) {
			return server.Refuse("sign in again", map[string]string{"at": "/sign-in"})
		}
		if err != nil {
			return err // the client reads "Not authorized"; OnError hears the rest
		}
		currentUser.Set(s, u)
		return nil
	})
	chat.OnError(func(s *server.Socket, event string, err error) {
		log.Println(s.ID(), event, err)
	})
}

// A Key keeps a value of one type with a socket.
func ExampleKey() {
	chat := newServer(server.Config{}).Of("/chat")
	server.Reply1(chat, "whoami", func(_ context.Context, s *server.Socket, _ server.Raw) (string, error) {
		u, ok := currentUser.Get(s)
		if !ok {
			return "", server.Refuse("nobody", nil)
		}
		return u.Name, nil
	})
}

// A packet middleware sees each event before its handler.
func ExampleNamespace_UsePacket() {
	chat := newServer(server.Config{}).Of("/chat")
	chat.UsePacket(func(_ context.Context, m *server.Message) error {
		u, _ := currentUser.Get(m.Socket())
		if strings.HasPrefix(m.Event(), "admin ") && !u.Admin {
			return server.Refuse("for administrators", nil)
		}
		return nil
	})
}

// An inline handler runs on the event loop, without a copy or a goroutine. It must not block, and its message is valid
// only in the call.
func ExampleInline() {
	echo := newServer(server.Config{}).Of("/echo")
	echo.On("echo", func(_ context.Context, m *server.Message) {
		_ = m.Ack(m.Args()...)
	}, server.Inline())
}

// Concurrent bounds what a handler uses, all sockets together: here, two reports at a time.
func ExampleConcurrent() {
	reports := newServer(server.Config{}).Of("/reports")
	server.Reply1(reports, "report", func(ctx context.Context, _ *server.Socket, month string) (string, error) {
		return slowReport(ctx, month)
	}, server.Concurrent(2))
}

func slowReport(_ context.Context, month string) (string, error) { return "report of " + month, nil }

// Pages and small APIs beside Socket.IO, on the same port.
func ExampleConfig_fallback() {
	pages := http.NewServeMux()
	pages.Handle("GET /", http.FileServer(http.Dir("public")))
	srv := newServer(server.Config{Fallback: pages})
	pages.HandleFunc("POST /announce", func(w http.ResponseWriter, r *http.Request) {
		n, err := srv.Emit("announcement", r.FormValue("text"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "sent to", n)
	})
}

// Handlers can be taken back.
func ExampleRegistration() {
	chat := newServer(server.Config{}).Of("/chat")
	vote := server.On1(chat, "vote", func(_ context.Context, _ *server.Socket, _ int) error { return nil })
	vote.Remove() // the poll is over
}

// With Recovery, a client that lost its connection for less than two minutes comes back as the same socket.
func ExampleSocket_Recovered() {
	srv := newServer(server.Config{Recovery: server.Recovery{MaxDisconnection: 2 * time.Minute}})
	srv.Of("/").OnConnect(func(_ context.Context, s *server.Socket) error {
		if s.Recovered() {
			return nil // it is in its rooms, and gets what it missed
		}
		if err := s.Join("news"); err != nil {
			return err
		}
		return s.Emit("state", "all there is")
	})
}

// A socket may have handlers of its own, which come before those of its namespace.
func ExampleSocket_Once() {
	chat := newServer(server.Config{}).Of("/chat")
	chat.OnConnect(func(_ context.Context, s *server.Socket) error {
		s.Once("ready", func(_ context.Context, m *server.Message) {
			_ = m.Socket().Emit("welcome")
		})
		return nil
	})
}
