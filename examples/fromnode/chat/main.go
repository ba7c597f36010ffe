// Chat is the reference's example of a chat, written by docs/from-node.md line for line. It serves the pages of the
// directory public, such as those of that example.
package main

import (
	"context"
	"log"
	"net/http"
	"sync/atomic"

	"github.com/seed58c87869/siren/server"
)

var username = server.NewKey[string]("username")

func main() {
	srv, err := server.New(server.Config{Fallback: http.FileServer(http.Dir("public"))})
	if err != nil {
		log.Fatal(err)
	}
	chat(srv.Of("/"))
	log.Fatal(srv.ListenAndServe(context.Background(), ":3000"))
}

func chat(io *server.Namespace) {
	var numUsers atomic.Int64
	// others tells all but the socket of something about its user.
	others := func(s *server.Socket, event string, message map[string]any) error {
		message["username"], _ = username.Get(s)
		_, err := s.Broadcast().Emit(event, message)
		return err
	}
	server.On1(io, "new message", func(_ context.Context, s *server.Socket, data any) error {
		return others(s, "new message", map[string]any{"message": data})
	})
	server.On1(io, "add user", func(_ context.Context, s *server.Socket, name string) error {
		if _, added := username.Get(s); added {
			return nil
		}
		username.Set(s, name)
		n := numUsers.Add(1)
		if err := s.Emit("login", map[string]any{"numUsers": n}); err != nil {
			return err
		}
		return others(s, "user joined", map[string]any{"numUsers": n})
	})
	for _, event := range []string{"typing", "stop typing"} {
		server.On0(io, event, func(_ context.Context, s *server.Socket) error {
			return others(s, event, map[string]any{})
		})
	}
	io.OnDisconnect(func(s *server.Socket, _ server.Reason) {
		if _, added := username.Get(s); added {
			_ = others(s, "user left", map[string]any{"numUsers": numUsers.Add(-1)})
		}
	})
}
