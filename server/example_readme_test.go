package server_test

import (
	"context"
	"log"

	"github.com/seed58c87869/siren/server"
)

// The example of the README: a room, and an event with an acknowledgement.
func Example_readme() {
	ctx := context.Background()

	srv, err := server.New(server.Config{})
	if err != nil {
		log.Fatal(err)
	}
	chat := srv.Of("/chat")
	chat.OnConnect(func(_ context.Context, s *server.Socket) error { return s.Join("lobby") })
	server.Reply1(chat, "say", func(_ context.Context, s *server.Socket, text string) (string, error) {
		_, err := chat.To("lobby").Emit("said", s.ID(), text)
		return "ok", err // the client's acknowledgement, if it asked for one
	})
	log.Fatal(srv.ListenAndServe(ctx, "tcp://:3000"))
}
