package main

import (
	"context"
	"io"
	"net/http"

	"github.com/seed58c87869/siren/cmd/siren/demo"
)

// healthPath is what load balancers ask.
const healthPath = "/healthz"

// newPages answers what is not Socket.IO's: the health check, and the demo page
// if it is wanted. The check fails from the end of ctx on, so that a balancer
// takes the server out.
func newPages(ctx context.Context, socketPath string, withDemo bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(healthPath, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		status, body := http.StatusOK, "ok\n"
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			status, body = http.StatusMethodNotAllowed, "method not allowed\n"
		case ctx.Err() != nil:
			status, body = http.StatusServiceUnavailable, "stopping\n"
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
	if withDemo {
		mux.Handle("/", demo.New(socketPath))
	}
	return mux
}
