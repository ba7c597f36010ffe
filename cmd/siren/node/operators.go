package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/seed58c87869/siren/cmd/siren/node/admin"
	"github.com/seed58c87869/siren/cmd/siren/node/api"
	"github.com/seed58c87869/siren/cmd/siren/node/config"
	"github.com/seed58c87869/siren/cmd/siren/node/dashboard"
	"github.com/seed58c87869/siren/cmd/siren/node/gate"
	"github.com/seed58c87869/siren/cmd/siren/node/problem"
	"github.com/seed58c87869/siren/cmd/siren/node/systemd"
	"github.com/seed58c87869/siren/server"
)

// operators is the operators' listener with the API. Safe for concurrent use.
type operators struct {
	server *admin.Server
	api    *api.API
	// certificate is empty without TLS.
	certificate certificate
}

// newOperators makes the listener, which does not listen yet; nil when the configuration has none.
func (n *Node) newOperators(cfg *config.Config) (*operators, error) {
	address := cfg.Admin.Listen
	if n.sockets.Admin != nil {
		address = systemd.Address(n.sockets.Admin)
	}
	if address == "" {
		return nil, nil
	}
	o := new(operators)
	pair, err := readCertificate(&cfg.Admin.TLS)
	if err != nil {
		return nil, err
	}
	o.certificate.current.Store(pair)
	o.api, err = api.New(api.Config{
		Server: n.srv, Node: n.name, Version: server.Version,
		Exists:   func(name string) bool { return n.spaces.rules.Load().find(name) != nil },
		MaxEvent: cfg.Limits.QueueBytes / 2,
		Data:     gate.Data, Revoker: revoker{n}, Dropped: n.dropped,
		Older: n.restart.callOlder, Newer: n.restart.callNewer,
		Reload: n.reloadCall, Drain: n.beginDrain, Draining: n.draining, Logger: n.log,
	})
	if err != nil {
		return nil, err
	}
	o.server, err = admin.New(admin.Config{
		Address: address, Keys: cfg.Admin.Keys(), TLS: o.certificate.config(), MaxBody: cfg.Admin.MaxBody,
		SharePort:         cfg.ReusePort,
		RequestsPerSecond: cfg.Admin.RequestsPerSecond, ProtectMetrics: cfg.Admin.ProtectMetrics,
		Ready: n.readiness, Describe: api.Describe(server.Version), Observe: n.exposition.ObserveRequest,
		Logger: n.log,
	})
	if err != nil {
		o.api.Close()
		return nil, err
	}
	o.server.Handle(o.api.Routes()...)
	o.server.Handle(n.exposition.Route())
	o.server.Handle(dashboard.Routes()...)
	return o, nil
}

// readiness is /readyz of the operators' listener.
func (n *Node) readiness() admin.Readiness {
	if n.draining() {
		return admin.Readiness{Status: "draining"}
	}
	r := admin.Readiness{Ready: true, Status: "ok"}
	if n.broker != nil {
		if h := n.broker.Health(); h.Degraded() { // its own clients are served all the same
			r.Status, r.Broker = "degraded", h.State.String()
		}
	}
	return r
}

// reloadCall is Reload for the API.
func (n *Node) reloadCall(context.Context) (api.Reloaded, error) {
	change, err := n.Reload()
	if err == nil {
		return api.Reloaded{Changed: change.Changed, Restart: change.Restart, Overridden: change.Overridden}, nil
	}
	out := problem.New(problem.BadConfig, "nothing was changed")
	out.Errors = []problem.Line{}
	var problems config.Problems
	if !errors.As(err, &problems) {
		out.Errors = append(out.Errors, problem.Line{Message: err.Error()})
	}
	for _, p := range problems {
		out.Errors = append(out.Errors, problem.Line{Line: p.Line, Key: p.Key, Message: p.Message})
	}
	return api.Reloaded{}, out
}

// dashboard returns the address of the dashboard; "" when a browser finds none, and for no operators.
func (o *operators) dashboard() string {
	scheme := "http"
	switch {
	case o == nil || o.server.Addr() == nil:
		return ""
	case o.certificate.config() != nil:
		scheme = "https"
	}
	return pageAddress(scheme, o.server.Addr())
}

// listen opens the listener. Several nodes on one machine may have the default address: the first one gets it, and the
// others go on without one. An address that somebody has set must be free.
func (o *operators) listen(n *Node, set bool) error {
	if ln := n.sockets.Admin; ln != nil {
		o.server.Serve(ln)
		n.log.Info("operators' listener", "addr", ln.Addr().String())
		return nil
	}
	err := o.server.Listen()
	switch {
	case err == nil:
		n.log.Info("operators' listener", "addr", o.server.Addr().String())
		return nil
	case !set && errors.Is(err, syscall.EADDRINUSE):
		n.log.Warn("there is no operators' listener: its default address is in use; set admin.listen (--admin-listen)",
			"addr", n.Config().Admin.Listen)
		return nil
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w; stop who uses it, or choose another with --admin-listen", err)
	}
	return err
}

// stopListening closes the listener, behind what is under way. The API goes on for other processes. o may be nil.
func (o *operators) stopListening() {
	if o == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	_ = o.server.Close(ctx)
}

// closeTime bounds the requests of operators that are under way when the node has ended.
const closeTime = 2 * time.Second

// close ends the listener, behind what is under way. o may be nil.
func (o *operators) close() {
	if o == nil {
		return
	}
	o.api.Close()
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	_ = o.server.Close(ctx) // what is cut then is an operator's own request
}

// reload puts what can change alive in force. What may be wrong comes first: the certificate and the keys.
func (o *operators) reload(cfg *config.Config) error {
	if o == nil {
		return nil
	}
	pair, err := readCertificate(&cfg.Admin.TLS)
	if err != nil {
		return err
	}
	if err := o.server.SetKeys(cfg.Admin.Keys()); err != nil {
		return err
	}
	o.certificate.current.Store(pair)
	o.server.SetRate(cfg.Admin.RequestsPerSecond)
	o.server.SetProtectMetrics(cfg.Admin.ProtectMetrics)
	return nil
}

// nameOf is the name of the node: that of the host where the configuration has none.
func nameOf(cfg *config.Config) string {
	if cfg.Node != "" {
		return cfg.Node
	}
	host, err := os.Hostname()
	if err != nil {
		return "siren"
	}
	return host
}
