// Livelist is a shared list that changes live for everybody who views it. Clients create and delete items, and the
// server sends the whole state to all of them.
//
//	go run ./examples/livelist        # http://127.0.0.1:3000
package main

import (
	"context"
	"embed"
	"flag"
	"io/fs"
	"log"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/seed58c87869/siren/cmd/siren/demo"
	"github.com/seed58c87869/siren/server"
)

//go:embed page
var files embed.FS

// securityPolicy allows only what the page uses.
const securityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

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
	srv, err := server.New(server.Config{
		Logger:   slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Fallback: pages(),
	})
	if err != nil {
		return err
	}
	if err := serveList(srv); err != nil {
		return err
	}
	return srv.ListenAndServe(ctx, "tcp://"+addr)
}

// pages serves the page and the client's script.
func pages() http.Handler {
	mux := http.NewServeMux()
	page, _ := fs.Sub(files, "page") // it is embedded
	mux.Handle("GET /", http.FileServerFS(page))
	// A small client without dependencies; your own program would use socket.io-client.
	mux.Handle("GET /demo/socket.js", demo.New("/socket.io"))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", securityPolicy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		mux.ServeHTTP(w, r)
	})
}
