// Chat is a small chat with rooms. It shows who is there and who is typing, and the server vouches for the names.
//
//	go run ./examples/chat        # http://127.0.0.1:3000
//
// docs/tutorial builds it step by step.
package main

import (
	"context"
	"flag"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/seed58c87869/siren/server"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:3000", "address to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr); err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, addr string) error {
	tokens := newTokens()
	srv, err := server.New(server.Config{
		Logger:   slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Fallback: pages(tokens),
	})
	if err != nil {
		return err
	}
	newChat(srv, tokens)
	return srv.ListenAndServe(ctx, "tcp://"+addr)
}
