package node

import (
	"io"
	"net"
	"net/http"
	"strconv"

	"github.com/seed58c87869/siren/cmd/siren/demo"
)

const (
	// healthPath is what supervisors ask for: whether the process lives.
	healthPath = "/healthz"
	// readyPath is what load balancers ask for: whether the node takes clients.
	readyPath = "/readyz"
)

// pages answers requests that are not Socket.IO's on the clients' listener: the checks, the demo page if it is wanted, and
// a word about the client's script.
func (n *Node) pages(socketPath string, withDemo bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(healthPath, check(func() (int, string) { return http.StatusOK, "ok\n" }))
	mux.HandleFunc(readyPath, check(n.ready))
	if withDemo {
		mux.Handle("/", demo.New(socketPath))
	}
	return clientScript(socketPath, mux)
}

// pageAddress returns the address under which a browser on this machine finds the pages of a listener, or "" if it finds
// none: at a unix socket.
func pageAddress(scheme string, listener net.Addr) string {
	a, ok := listener.(*net.TCPAddr)
	if !ok {
		return ""
	}
	host := a.IP.String()
	if a.IP.IsUnspecified() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(a.Port)) + "/"
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
