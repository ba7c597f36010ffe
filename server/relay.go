package server

import (
	"context"
	"errors"
	"time"

	"github.com/seed58c87869/siren/room"
	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/server/internal/collect"
	"github.com/seed58c87869/siren/server/internal/packets"
	"github.com/seed58c87869/siren/server/internal/peers"
)

// relay is a broadcast of another node whose acknowledgements this node collects and sends there. Immutable.
type relay struct {
	n  *node
	id collect.Foreign
	// to is a message that is answered with acknowledgements.
	to *cluster.Message
}

func (n *node) newRelay(ns *Namespace, from, request string) *relay {
	return &relay{
		n: n, id: collect.Foreign{About: ns, Node: from, Request: request},
		to: &cluster.Message{From: from, Namespace: ns.name, Request: request},
	}
}

// forward broadcasts an event for another node, and sends it the acknowledgements.
func (n *node) forward(o Operator, m *cluster.Message, event string, args []any) error {
	a := newAsk(o.ns)
	a.relay = n.newRelay(o.ns, m.From, m.Request)
	n.questions.Take(a.relay.id, &a.Wait)
	err := a.ask(context.Background(), o, event, args)
	if err != nil {
		n.questions.Done(a.relay.id, &a.Wait) // it may not have begun
	}
	return err
}

// counted tells the node how many clients were asked.
func (r *relay) counted(clients int) {
	r.respond(&cluster.Message{Kind: cluster.ClientCount, Count: clients})
}

// acknowledged sends the node a client's acknowledgement.
func (r *relay) acknowledged(reply Reply) {
	r.respond(&cluster.Message{Kind: cluster.BroadcastAck, Data: reply.answer.Args.Data()})
}

func (r *relay) respond(m *cluster.Message) { _ = r.n.respond(r.to, m) } // a failure is counted

// askOthers asks the clients of the other nodes too.
func (a *ask) askOthers(o Operator, data Raw, limit time.Duration) {
	n, id := a.ns.srv.node, collect.NewRequest()
	a.Lock()
	a.Others = &peers.Others{Request: id}
	a.Unlock()
	n.questions.Ask(id, a, a.ns)
	if a.Over() { // it may have ended before it had the id
		n.questions.Forget(id)
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
	a.Lock()
	a.Others.Expect(p)
	a.Others.Trouble = err
	a.Settle(collect.OffLoop)
}

// leaveOthers forgets the question to the other nodes. If answers are missing that nobody wants any more, it tells the
// nodes, because they would otherwise keep their clients' acknowledgements until their own time-out.
func (a *ask) leaveOthers(cause error) {
	n := a.ns.srv.node
	a.Lock()
	id, missing := a.Others.Request, !a.Others.Complete()
	a.Unlock()
	n.questions.Forget(id)
	if missing && cause != nil && !errors.Is(cause, ErrTimeout) && n.srv.waits.Context().Err() == nil {
		// A failure is counted.
		_ = n.publish(&cluster.Message{Kind: cluster.Abandoned, Namespace: a.ns.name, Request: id})
	}
}

// answerCensus answers another node that asks for sockets or their number. The sockets are described off the loops.
func (n *node) answerCensus(o Operator, m *cluster.Message) error {
	if m.Request == "" || m.From == "" {
		return packets.ErrData
	}
	return o.look(n.srv.newCensus(m.Kind == cluster.FetchSockets, func(c *collect.Census) {
		switch {
		case c.Err() != nil: // the server closes, and leaves the cluster
		case !c.List():
			_ = n.respond(m, &cluster.Message{Kind: cluster.CountResponse, Count: c.Count()})
		default:
			o.ns.run("fetch sockets", func() { n.describe(m, c.Members()) })
		}
	}))
}

// describe answers another node with sockets.
func (n *node) describe(m *cluster.Message, sockets []*room.Member) {
	out := make([]cluster.Socket, 0, len(sockets))
	for _, s := range sockets {
		out = append(out, *s.Owner().(*Socket).details())
	}
	_ = n.respond(m, &cluster.Message{Kind: cluster.FetchSocketsResponse, Sockets: out})
}
