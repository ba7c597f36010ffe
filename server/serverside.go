package server

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/session"
)

// ServerSideEmit sends an event to the OnServerSide handlers of this namespace on all other nodes, not on this one. nil
// means that it is on its way, or that there are no other nodes. Errors: ErrReserved, ErrEncode, ErrCluster.
func (ns *Namespace) ServerSideEmit(event string, args ...any) error {
	m, err := ns.serverSideMessage(event, args)
	if err != nil || ns.srv.node == nil {
		return err
	}
	m.Namespace = ns.name
	return ns.srv.node.publish(m)
}

// ServerSideRequest is ServerSideEmit, and waits until all other nodes have answered with NodeMessage.Ack, or until ctx
// ends, or, when ctx has no deadline, for Config.RequestTimeout. The answers that came are returned with the error, which
// is then a *MissingError that names the nodes. Errors besides those of ServerSideEmit: ErrClosed, and ErrOnLoop on an event
// loop.
func (ns *Namespace) ServerSideRequest(ctx context.Context, event string, args ...any) ([]Reply, error) {
	if ns.srv.onLoop() {
		return nil, ErrOnLoop
	}
	m, err := ns.serverSideMessage(event, args)
	if err != nil || ns.srv.node == nil {
		return nil, err
	}
	answers, err := ns.srv.node.ask(ctx, ns, ns.all().requestLimit(ctx), m)
	replies := make([]Reply, 0, len(answers))
	for _, m := range answers {
		args, bad := parseData(m.Data)
		if bad != nil {
			ns.srv.node.drop(ns, m, bad)
		}
		replies = append(replies, Reply{args, ns.srv.enc.json})
	}
	return replies, err
}

// ServerSideCall is ServerSideRequest with the first argument of each answer decoded.
func ServerSideCall[T any](ctx context.Context, ns *Namespace, event string, args ...any) ([]T, error) {
	replies, err := ns.ServerSideRequest(ctx, event, args...)
	out := make([]T, 0, len(replies))
	for _, r := range replies {
		var v T
		if bad := r.Decode(&v); bad != nil {
			if err == nil {
				err = bad
			}
			continue
		}
		out = append(out, v)
	}
	return out, err
}

func (ns *Namespace) serverSideMessage(event string, args []any) (*cluster.Message, error) {
	if sio.Reserved(event) || event == "connection" || event == "new_namespace" {
		return nil, reservedError(event)
	}
	if ns.srv.state.Load() >= serverEnding {
		return nil, ErrClosed
	}
	data, err := ns.srv.enc.eventData(event, args)
	return &cluster.Message{Kind: cluster.ServerSideEmit, Data: data}, err
}

// OnServerSide sets the handler of an event that other nodes send with ServerSideEmit, in place of the one before; nil
// removes it. The handlers of a namespace run one at a time, in the order in which the events came, on a goroutine that
// exists only while there is work: they may block, and use any method. What waits for them is bounded as a socket's
// events are (Config.Inbox); what comes above that is dropped and counted. ctx ends with the server.
func (ns *Namespace) OnServerSide(event string, fn func(ctx context.Context, m *NodeMessage)) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	ss := ns.serverSide.Load()
	if ss == nil {
		ss = &serverSide{handlers: map[string]func(context.Context, *NodeMessage){}}
		ns.serverSide.Store(ss)
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if fn == nil {
		delete(ss.handlers, event)
		return
	}
	ss.handlers[event] = fn
}

// serverSide are a namespace's handlers of events from other nodes. Safe for concurrent use.
type serverSide struct {
	inbox session.Inbox
	mu    sync.Mutex
	// handlers are guarded by mu.
	handlers map[string]func(ctx context.Context, m *NodeMessage)
}

func (ss *serverSide) handler(event string) func(ctx context.Context, m *NodeMessage) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.handlers[event]
}

// NodeMessage is an event from another node. Safe for concurrent use.
type NodeMessage struct {
	ns    *Namespace
	from  *cluster.Message
	event string
	args  arguments
	acked atomic.Bool
}

// Event is the event's name.
func (m *NodeMessage) Event() string { return m.event }

// Node is the node that sent it; empty when no server but a program that only publishes did.
func (m *NodeMessage) Node() string { return m.from.From }

// Len is the number of arguments.
func (m *NodeMessage) Len() int { return m.args.n }

// Args are the arguments, each a Raw.
func (m *NodeMessage) Args() []any { return m.args.all() }

// Arg is the argument with that index, from 0; a Raw without JSON when there is none.
func (m *NodeMessage) Arg(i int) Raw { return m.args.at(i) }

// Decode decodes the arguments in order, as Message.Decode does.
func (m *NodeMessage) Decode(dst ...any) error { return m.args.decode(m.ns.srv.enc.json, dst) }

// WantsAck reports whether the sender waits for an answer that it has not got yet.
func (m *NodeMessage) WantsAck() bool {
	return m.from.Request != "" && m.from.From != "" && !m.acked.Load()
}

// Ack answers the node that asked, once, now or later; nodes that run the reference server get the first argument only.
// It does nothing when no answer is wanted. Errors: ErrEncode, ErrCluster.
func (m *NodeMessage) Ack(args ...any) error {
	if !m.WantsAck() {
		return nil
	}
	data, err := m.ns.srv.enc.argsData(args)
	if err != nil || m.acked.Swap(true) {
		return err
	}
	return m.ns.srv.node.respond(m.from, &cluster.Message{Kind: cluster.ServerSideResponse, Data: data})
}

// Do implements session.Job.
func (m *NodeMessage) Do() {
	if fn := m.ns.serverSide.Load().handler(m.event); fn != nil {
		m.ns.guarded(m.event, func() { fn(m.ns.srv.ctx, m) })
	}
}

// errNoHandler is for a question of another node that nobody answers here.
var errNoHandler = errors.New("siren: no handler for the event")

// receiveServerSide takes an event of another node.
func (ns *Namespace) receiveServerSide(from *cluster.Message) error {
	event, args, err := parseEvent(from.Data)
	if err != nil {
		return err
	}
	ss := ns.serverSide.Load()
	if ss == nil || ss.handler(event) == nil {
		if from.Request != "" {
			return errNoHandler
		}
		return nil
	}
	m := &NodeMessage{ns: ns, from: from, event: event, args: args}
	if !ss.inbox.Put(m, len(args.json)+messageOverhead, &ns.hooks.Load().settings.inbox) {
		return ErrQueueFull
	}
	return nil
}
