package server

import (
	"context"
	"time"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/server/internal/peers"
)

// gather is a question that each of the other nodes answers once. Safe for concurrent use.
type gather struct {
	collector
	answers []*cluster.Message // guarded by collector.mu
}

// ask asks the other nodes and waits for their answers, the time-out, or ctx. It returns the answers that arrived, with
// an error if some are missing: a *MissingError or ErrCluster.
func (n *node) ask(
	ctx context.Context, ns *Namespace, timeout time.Duration, m *cluster.Message,
) ([]*cluster.Message, error) {
	p, err := n.peers(ctx, ns)
	if err != nil || p.Count == 0 {
		return nil, err
	}
	g := &gather{}
	g.inquiry, g.ns, g.partial, g.home = g, ns, true, n.srv.someLoop()
	g.ready = make(chan struct{}, 1)
	g.others = &peers.Others{Request: newRequestID()}
	g.others.Expect(p)
	m.Namespace, m.Request = ns.name, g.others.Request
	n.register(m.Request, g)
	if err := g.begin(); err != nil {
		g.revoke()
		return nil, err
	}
	if err := n.publish(m); err != nil {
		g.revoke()
		return nil, err
	}
	g.limit(timeout)
	err = g.await(ctx)
	return g.answers, err
}

// response implements nodeQuestion.
func (g *gather) response(m *cluster.Message) error {
	g.mu.Lock()
	if !g.over {
		g.answers = append(g.answers, m)
	}
	g.others.Roll.Answered(m.From)
	g.settle(offLoop)
	return nil
}

// answered implements inquiry: no client is asked.
func (g *gather) answered(Reply, int) {}

// left implements inquiry.
func (g *gather) left(int) {}

// release implements inquiry.
func (g *gather) release(error) { g.ns.srv.node.forget(g.others.Request) }

// collected implements inquiry: await returns.
func (g *gather) collected() {}

// requestLimit returns how long to wait for other nodes in addition to ctx.
func (o Operator) requestLimit(ctx context.Context) time.Duration {
	if o.flags.timeout > 0 {
		return o.flags.timeout
	}
	if _, ok := ctx.Deadline(); ok {
		return 0
	}
	return o.ns.srv.cfg.RequestTimeout
}
