package server

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/server/internal/packets"
)

// NodeMessage is an event from another node. Safe for concurrent use.
type NodeMessage struct {
	ns    *Namespace
	from  *cluster.Message
	event string
	args  packets.Arguments
	acked atomic.Bool
}

// Event returns the event's name.
func (m *NodeMessage) Event() string { return m.event }

// Node returns the id of the sending node; it is empty if a program sent the event that only publishes.
func (m *NodeMessage) Node() string { return m.from.From }

// Len returns the number of arguments.
func (m *NodeMessage) Len() int { return m.args.Len() }

// Args returns the arguments, each a Raw.
func (m *NodeMessage) Args() []any { return m.args.All() }

// Arg returns the argument with that index, from 0, or a Raw without JSON if there is none.
func (m *NodeMessage) Arg(i int) Raw { return m.args.At(i) }

// Decode decodes the arguments in order, as Message.Decode does.
func (m *NodeMessage) Decode(dst ...any) error { return m.args.Decode(m.ns.srv.enc.Library(), dst) }

// WantsAck reports whether the sender waits for an answer that it has not got yet.
func (m *NodeMessage) WantsAck() bool {
	return m.from.Request != "" && m.from.From != "" && !m.acked.Load()
}

// Ack answers the node that asked, once, now or later. Nodes that run the reference server get only the first argument.
// It does nothing if no answer is wanted. Errors: ErrEncode, ErrCluster.
func (m *NodeMessage) Ack(args ...any) error {
	if !m.WantsAck() {
		return nil
	}
	data, err := m.ns.srv.enc.ArgsData(args)
	if err != nil || m.acked.Swap(true) {
		return err
	}
	return m.ns.srv.node.respond(m.from, &cluster.Message{Kind: cluster.ServerSideResponse, Data: data})
}

// nodeArrival is a NodeMessage that waits for its handlers.
type nodeArrival NodeMessage

// Do implements session.Job.
func (a *nodeArrival) Do() {
	m := (*NodeMessage)(a)
	ss, srv := m.ns.serverSide.Load(), m.ns.srv
	for _, h := range ss.handlers.Of(m.event) {
		ss.turns.Take(srv.ctx, &srv.jobs, m.ns.hooks.Load().settings.inbox.Jobs, func(ctx context.Context) {
			m.ns.guarded(m.event, func() { (*h)(ctx, m) })
		})
	}
}

// errNoHandler refuses a question of another node that has no handler here.
var errNoHandler = errors.New("siren: no handler for the event")

// receiveServerSide handles an event of another node.
func (ns *Namespace) receiveServerSide(from *cluster.Message) error {
	event, args, err := packets.ParseEvent(from.Data)
	if err != nil {
		return err
	}
	ss := ns.serverSide.Load()
	if ss == nil || len(ss.handlers.Of(event)) == 0 {
		if from.Request != "" {
			return errNoHandler
		}
		return nil
	}
	m := &NodeMessage{ns: ns, from: from, event: event, args: args}
	if !ss.inbox.Put((*nodeArrival)(m), args.Bytes()+messageOverhead, &ns.hooks.Load().settings.inbox) {
		return ErrQueueFull
	}
	return nil
}
