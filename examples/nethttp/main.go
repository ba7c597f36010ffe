// Nethttp is a program with its own http.ServeMux that serves Socket.IO beside its other routes.
//
//	go run ./examples/nethttp                        # http://127.0.0.1:8080
//	go run ./examples/nethttp -tls                   # https, with a certificate made at start
//	go run ./examples/nethttp -own tcp://:3000       # and Siren's own listener besides
//
// docs/embedding.md compares the possibilities, and shows how to put nginx or HAProxy in front.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/seed58c87869/siren/cmd/siren/demo"
	"github.com/seed58c87869/siren/server"
)

//go:embed page.html
var page []byte

//go:embed page.js
var script []byte

// options are the command line's.
type options struct {
	addr, own, trust   string
	tls, proxyProtocol bool
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("nethttp", flag.ContinueOnError)
	flags.StringVar(&o.addr, "addr", "127.0.0.1:8080", "address of the program's HTTP server")
	flags.BoolVar(&o.tls, "tls", false, "serve HTTPS with a self-signed certificate")
	flags.StringVar(&o.own, "own", "", "addresses of Siren's own listener besides, such as tcp://:3000,unix:///run/siren.sock")
	flags.BoolVar(&o.proxyProtocol, "proxy-protocol", false, "connections to Siren's own listener begin with a PROXY header")
	flags.StringVar(&o.trust, "trust", "", "addresses of trusted proxies, such as 10.0.0.0/8,::1/128")
	return o, flags.Parse(args)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	srv, err := newServer(o, mux)
	if err != nil {
		return err
	}
	// Without addresses, Siren does not listen.
	if err := srv.Listen(split(o.own)...); err != nil {
		return err
	}
	defer srv.Close()
	routes(mux, srv)

	web := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	web.RegisterOnShutdown(func() { _ = srv.Close() }) // ends WebSockets, and the requests that Shutdown waits for
	ln, err := net.Listen("tcp", o.addr)
	if err != nil {
		return err
	}
	serve, scheme := web.Serve, "http"
	if o.tls {
		cert, err := selfSigned()
		if err != nil {
			return err
		}
		web.TLSConfig, scheme = cert, "https"
		serve = func(ln net.Listener) error { return web.ServeTLS(ln, "", "") }
	}
	ended := make(chan error, 1)
	go func() { ended <- serve(ln) }()
	fmt.Fprintf(out, "ready %s://%s\n", scheme, ln.Addr())
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := web.Shutdown(last); err != nil {
		return err
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return srv.Close()
}

// split splits a comma-separated list. An empty string has no elements.
func split(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}

// routes returns the program's routes. Socket.IO is beside the others.
func routes(mux *http.ServeMux, srv *server.Server) {
	mux.Handle("/socket.io/", srv.Handler())
	mux.Handle("/demo/socket.js", demo.New("/socket.io")) // a small client; yours would be socket.io-client
	mux.HandleFunc("GET /api/time", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, time.Now().Format(time.RFC3339)) })
	mux.HandleFunc("GET /page.js", content("text/javascript; charset=utf-8", script))
	mux.HandleFunc("GET /{$}", content("text/html; charset=utf-8", page))
}

func content(kind string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(body)
	}
}

// Who is the answer to the event "whoami".
type Who struct {
	Address   string `json:"address"`
	Peer      string `json:"peer"`
	Secure    bool   `json:"secure"`
	Transport string `json:"transport"`
}

// newServer returns a chat. Siren's own listener, if there is one, serves the program's other routes too.
func newServer(o options, mux http.Handler) (*server.Server, error) {
	cfg := server.Config{Fallback: mux, ProxyProtocol: o.proxyProtocol}
	for _, p := range split(o.trust) {
		prefix, err := netip.ParsePrefix(p)
		if err != nil {
			return nil, err
		}
		cfg.TrustedProxies = append(cfg.TrustedProxies, prefix)
	}
	srv, err := server.New(cfg)
	if err != nil {
		return nil, err
	}
	all := srv.Of("/")
	server.Reply1(all, "chat", func(_ context.Context, s *server.Socket, text string) (int, error) {
		return all.Emit("chat", text) // the acknowledgement: how many got it
	})
	server.Reply1(all, "echo", func(_ context.Context, s *server.Socket, v any) (any, error) { return v, nil })
	all.On("whoami", func(_ context.Context, m *server.Message) {
		h := m.Socket().Handshake()
		who := Who{Address: h.Address(), Secure: h.Secure(), Transport: m.Socket().Transport().String()}
		if h.Peer.IsValid() {
			who.Peer = h.Peer.Addr().String()
		}
		_ = m.Ack(who)
	})
	return srv, nil
}
