// Whiteboard is the reference's example of a shared whiteboard, written by docs/from-node.md. It serves the pages of
// the directory public, such as those of that example.
package main

import (
	"context"
	"log"
	"net/http"

	"github.com/seed58c87869/siren/server"
)

func main() {
	srv, err := server.New(server.Config{Fallback: http.FileServer(http.Dir("public"))})
	if err != nil {
		log.Fatal(err)
	}
	server.On1(srv.Of("/"), "drawing", drawing)
	log.Fatal(srv.ListenAndServe(context.Background(), ":3000"))
}

// drawing sends a stroke to everybody else.
func drawing(_ context.Context, s *server.Socket, data any) error {
	_, err := s.Broadcast().Emit("drawing", data)
	return err
}
