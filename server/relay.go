package server

import (
	"context"
	"time"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/server/internal/packets"
	"github.com/seed58c87869/siren/server/internal/peers"
)

// relayKey identifies a question of another node. Immutable.
type relayKey struct {
	ns            *Namespace
	node, request string
}

// relay is a broadcast of another node whose acknowledgements this node collects and sends there. Immutable.
type relay struct {
	n   *node
	key relayKey
	ask *ask
}

// forward broadcasts an event for another node, and sends it the acknowledgements.
func (n *node) forward(o Operator, m *cluster.Message, event string, args []any) error {
	a := newAsk(o.ns)
	r := &relay{n: n, key: relayKey{o.ns, m.From, m.Request}, ask: a}
	a.relay = r
	n.mu.Lock()
	n.relays[r.key] = r
	n.mu.Unlock()
	err := a.ask(context.Background(), o, event, args)
	if err != nil {
		r.over() // it may not have begun
	}
	return err
}

// counted tells the node how many clients were asked.
func (r *relay) counted(clients int) {
	r.respond(&cluster.Message{Kind: cluster.ClientCount, Count: clients})
}

// acknowledged sends the node a client's acknowledgement.
func (r *relay) acknowledged(reply Reply) {
	r.respond(&cluster.Message{Kind: cluster.BroadcastAck, Data: reply.args.Data()})
}

func (r *relay) respond(m *cluster.Message) {
	_ = r.n.respond(&cluster.Message{From: r.key.node, Namespace: r.key.ns.name, Request: r.key.request}, m)
}

// over forgets the broadcast.
func (r *relay) over() {
	r.n.mu.Lock()
	defer r.n.mu.Unlock()
	if r.n.relays[r.key] == r {
		delete(r.n.relays, r.key)
	}
}

// abandon ends broadcasts of other nodes whose acknowledgements are no longer wanted.
func (n *node) abandon(gone func(k relayKey) bool) {
	n.mu.Lock()
	var all []*relay
	for k, r := range n.relays {
		if gone(k) {
			all = append(all, r)
		}
	}
	n.mu.Unlock()
	for _, r := range all {
		r.ask.finish(errAbandoned, offLoop)
	}
}

// askOthers asks the clients of the other nodes too.
func (a *ask) askOthers(o Operator, data Raw, limit time.Duration) {
	n, id := a.ns.srv.node, newRequestID()
	a.mu.Lock()
	a.others = &peers.Others{Request: id}
	a.mu.Unlock()
	n.register(id, a)
	if a.isOver() { // it may have ended before it had the id
		n.forget(id)
		return
	}
	err := n.publish(&cluster.Message{
		Kind: cluster.Broadcast, Namespace: a.ns.name, Request: id, Data: data,
		Target: o.clusterTarget(limit),
	})
	if err != nil {
		a.peers(cluster.Peers{}, err)
		return
	}
	n.srv.jobs.Add(1)
	go func() {
		defer n.srv.jobs.Add(-1)
		p, err := n.peers(context.Background(), a.ns)
		a.peers(p, err)
	}()
}

// peers sets the nodes that will answer.
func (a *ask) peers(p cluster.Peers, err error) {
	a.mu.Lock()
	a.others.Expect(p)
	a.others.Trouble = err
	a.settle(offLoop)
}

// leaveOthers forgets the question to the other nodes. If answers are missing that nobody wants any more, it tells the
// nodes, because they would otherwise keep their clients' acknowledgements until their own time-out.
func (a *ask) leaveOthers(cause error) {
	n := a.ns.srv.node
	a.mu.Lock()
	id, missing := a.others.Request, !a.others.Complete()
	a.mu.Unlock()
	n.forget(id)
	if missing && cause != nil && !isTimeout(cause) && n.srv.waits.ctx.Err() == nil {
		_ = n.publish(&cluster.Message{Kind: cluster.Abandoned, Namespace: a.ns.name, Request: id}) // a failure is counted
	}
}

// answerCensus answers another node that asks for sockets or their number. The sockets are described off the loops.
func (n *node) answerCensus(o Operator, m *cluster.Message) error {
	if m.Request == "" || m.From == "" {
		return packets.ErrData
	}
	c := newCensus(o.ns, m.Kind == cluster.FetchSockets)
	c.done = func(c *census) {
		switch {
		case c.err != nil: // the server closes, and leaves the cluster
		case !c.list:
			_ = n.respond(m, &cluster.Message{Kind: cluster.CountResponse, Count: c.count})
		default:
			o.ns.run("fetch sockets", func() { n.describe(m, c.sockets) })
		}
	}
	return c.look(o)
}

// describe answers another node with sockets.
func (n *node) describe(m *cluster.Message, sockets []*Socket) {
	out := make([]cluster.Socket, 0, len(sockets))
	for _, s := range sockets {
		out = append(out, *s.details())
	}
	_ = n.respond(m, &cluster.Message{Kind: cluster.FetchSocketsResponse, Sockets: out})
}
