package node

import (
	"io"
	"net/http"

	"github.com/seed58c87869/siren/cmd/siren/demo"
)

const (
	// healthPath is what supervisors ask for: whether the process lives.
	healthPath = "/healthz"
	// readyPath is what load balancers ask for: whether the node takes clients.
	readyPath = "/readyz"
)

// pages answers what is not Socket.IO's on the clients' listener: the checks, and the demo page if it is wanted.
func (n *Node) pages(socketPath string, withDemo bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(healthPath, check(func() (int, string) { return http.StatusOK, "ok\n" }))
	mux.HandleFunc(readyPath, check(n.ready))
	if withDemo {
		mux.Handle("/", demo.New(socketPath))
	}
	return mux
}

// ready is the answer of /readyz: a node that ends takes no more clients.
func (n *Node) ready() (status int, body string) {
	if n.draining() {
		return http.StatusServiceUnavailable, "draining\n"
	}
	return http.StatusOK, "ok\n"
}

// check answers GET and HEAD with what state says.
func check(state func() (status int, body string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		status, body := http.StatusMethodNotAllowed, "method not allowed\n"
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			status, body = state()
		} else {
			w.Header().Set("Allow", "GET, HEAD")
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}
