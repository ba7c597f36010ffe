package server

import (
	"context"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/server/internal/collect"
	"github.com/seed58c87869/siren/server/internal/listeners"
	"github.com/seed58c87869/siren/server/internal/packets"
	"github.com/seed58c87869/siren/server/internal/peers"
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

// ServerSideRequest is ServerSideEmit, and waits until all other nodes have answered with NodeMessage.Ack, until ctx
// ends or, if ctx has no deadline, for Config.RequestTimeout. If some do not answer, it returns the answers of the
// others with a *MissingError that names the missing nodes. Errors besides those of ServerSideEmit: ErrClosed, and
// ErrOnLoop on an event loop.
func (ns *Namespace) ServerSideRequest(ctx context.Context, event string, args ...any) ([]Reply, error) {
	if ns.srv.onLoop() {
		return nil, ErrOnLoop
	}
	m, err := ns.serverSideMessage(event, args)
	if err != nil || ns.srv.node == nil {
		return nil, err
	}
	defer peers.Pause(ctx)()
	answers, err := ns.srv.node.ask(ctx, ns, ns.all().requestLimit(ctx), m)
	replies := make([]Reply, 0, len(answers))
	for _, m := range answers {
		args, bad := packets.ParseData(m.Data)
		if bad != nil {
			ns.srv.node.drop(ns, m, bad)
		}
		replies = append(replies, Reply{collect.Answer{Args: args, Lib: ns.srv.enc.Library()}})
	}
	return replies, err
}

// ServerSideCall is ServerSideRequest, and decodes the first argument of each answer.
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
	if event == "connection" || event == "new_namespace" {
		return nil, packets.Reserved(event)
	}
	if ns.srv.host.Ending() {
		return nil, ErrClosed
	}
	data, err := ns.srv.enc.EventData(event, args)
	return &cluster.Message{Kind: cluster.ServerSideEmit, Data: data}, err
}

// OnServerSide adds a handler of an event that other nodes send with ServerSideEmit. The handlers of a namespace run
// one at a time, in the order of the events; those of one event run in the order in which they were added. They run off
// the event loops, so they may block and use any method. While a handler waits in ServerSideRequest with its ctx, or a
// context derived from it, others may run, because the nodes that it asks may ask this one before they answer. Waiting
// events are bounded like a socket's events (Config.Inbox); above that they are dropped and counted. ctx ends with the
// server.
func (ns *Namespace) OnServerSide(event string, fn func(ctx context.Context, m *NodeMessage)) Registration {
	need(fn != nil, "OnServerSide")
	ns.mu.Lock()
	defer ns.mu.Unlock()
	ss := ns.serverSide.Load()
	if ss == nil {
		ss = new(serverSide)
		ns.serverSide.Store(ss)
	}
	return Registration{ss.handlers.Add(event, fn)}
}

// serverSide are a namespace's handlers of events from other nodes. Safe for concurrent use.
type serverSide struct {
	inbox    session.Inbox
	turns    peers.Turns
	handlers listeners.Table[func(ctx context.Context, m *NodeMessage)]
}
