package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/server/internal/collect"
	"github.com/seed58c87869/siren/server/internal/packets"
)

// WithAdapter makes the server a node of a cluster: broadcasts, collections of sockets and server-side events reach the
// other nodes. The server closes the adapter when it ends. Without an adapter there are no other nodes, and their
// support costs nothing.
func WithAdapter(a cluster.Adapter) Option {
	return func(srv *Server) {
		if a != nil {
			srv.node = &node{srv: srv, adapter: a}
		}
	}
}

// node is the server's side of its cluster. Safe for concurrent use.
type node struct {
	srv       *Server
	adapter   cluster.Adapter
	questions collect.Questions
}

// publish sends a message to the other nodes.
func (n *node) publish(m *cluster.Message) error {
	m.From = n.adapter.Node()
	return n.sent(n.adapter.Publish(m))
}

// respond answers another node.
func (n *node) respond(to *cluster.Message, m *cluster.Message) error {
	m.From, m.Namespace, m.Request = n.adapter.Node(), to.Namespace, to.Request
	return n.sent(n.adapter.Send(to.From, m))
}

func (n *node) sent(err error) error {
	if err == nil {
		return nil
	}
	n.srv.stats.clusterFailures.Add(1)
	return fmt.Errorf("%w: %w", ErrCluster, err)
}

// peers asks the adapter for the other nodes, for Config.RequestTimeout at most. It returns ErrClosed when the server
// is closing, or begins to.
func (n *node) peers(ctx context.Context, ns *Namespace) (cluster.Peers, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer n.srv.clock.After(n.srv.cfg.RequestTimeout, cancel)()
	defer context.AfterFunc(n.srv.waits.Context(), cancel)()
	n.srv.waits.Elsewhere.Add(1)
	defer n.srv.waits.Elsewhere.Add(-1)
	p, err := n.adapter.Peers(ctx, ns.name)
	if n.srv.waits.Context().Err() != nil {
		return p, ErrClosed
	}
	return p, n.sent(err)
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
	g, id := collect.NewGather(n.srv.waits, n.srv.clock.Turn(), &n.questions, p, ns)
	m.Namespace, m.Request = ns.name, id
	err = g.Begin()
	if err == nil {
		err = n.publish(m)
	}
	if err != nil {
		g.Revoke()
		return nil, err
	}
	g.Limit(timeout)
	err = g.Await(ctx)
	return g.Answers(), err
}

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

// subscribe subscribes to a namespace's messages, if the server is in a cluster. An error is logged, and the namespace
// is then on this node alone.
func (n *node) subscribe(ns *Namespace) error {
	if n == nil {
		return nil
	}
	if w, ok := n.adapter.(cluster.RoomWatcher); ok && w.WatchesRooms() {
		ns.OnRoom(func(e RoomEvent) {
			switch e.Kind {
			case RoomCreated:
				w.RoomCreated(ns.name, e.Room)
			case RoomDeleted:
				w.RoomDeleted(ns.name, e.Room)
			}
		})
	}
	if w, ok := n.adapter.(cluster.SocketWatcher); ok && w.WatchesSockets() {
		ns.OnConnect(func(ctx context.Context, s *Socket) error { w.SocketConnected(ctx, ns.name, s.ID()); return nil })
		ns.OnDisconnect(func(s *Socket, _ Reason) { w.SocketDisconnected(ns.name, s.ID()) })
	}
	subscribe := n.adapter.Subscribe
	if ns.logged() {
		subscribe = n.log().SubscribeLog
	}
	err := subscribe(ns.name, func(m *cluster.Message) { n.receive(ns, m) })
	if err != nil {
		n.srv.stats.clusterFailures.Add(1)
		n.srv.log.Error("namespace is on this node alone", "ns", ns.name, "err", err)
		return fmt.Errorf("server: cannot join the cluster with namespace %s: %w", ns.name, err)
	}
	return nil
}

// unsubscribe ends the subscription of a namespace.
func (n *node) unsubscribe(ns *Namespace) {
	if n != nil {
		n.adapter.Unsubscribe(ns.name)
	}
}

// receive handles a message of another node. It runs on the adapter's goroutine, which waits if this node is behind,
// and runs no code of the application.
func (n *node) receive(ns *Namespace, m *cluster.Message) {
	if m.From != "" && m.From == n.adapter.Node() && !ns.logged() {
		return
	}
	var err error
	switch o := targetOperator(ns, m); m.Kind {
	case cluster.LogPosition:
		ns.history.Position(m)
	case cluster.Broadcast:
		err = n.broadcast(o, m)
	case cluster.SocketsJoin:
		err = n.patiently(func() error { return o.SocketsJoin(m.Rooms...) })
	case cluster.SocketsLeave:
		err = n.patiently(func() error { return o.SocketsLeave(m.Rooms...) })
	case cluster.DisconnectSockets:
		err = n.patiently(func() error { return o.DisconnectSockets(m.Close) })
	case cluster.FetchSockets, cluster.CountSockets:
		err = n.patiently(func() error { return n.answerCensus(o, m) })
	case cluster.ServerSideEmit:
		err = ns.receiveServerSide(m)
	case cluster.Abandoned:
		n.questions.Abandon(collect.Foreign{About: ns, Node: m.From, Request: m.Request})
	case cluster.NodeLeft:
		n.questions.Gone(ns, m.From)
	default:
		err = n.questions.Response(m)
	}
	if err != nil {
		n.drop(ns, m, err)
		n.refuse(m)
	}
}

// targetOperator returns the operator for a message's target on this node.
func targetOperator(ns *Namespace, m *cluster.Message) Operator {
	return Operator{
		ns: ns, rooms: m.Target.Rooms, users: m.Target.Users, except: m.Target.Except, local: true, foreign: true,
		flags: emitFlags{volatile: m.Target.Volatile, plain: m.Target.NoCompress, timeout: max(m.Target.Timeout, 0)},
	}
}

// broadcast emits another node's event to this node's sockets.
func (n *node) broadcast(o Operator, m *cluster.Message) error {
	if m.Request == "" && o.ns.logged() {
		return n.patiently(func() error { return o.deliverLogged(m) })
	}
	event, args, err := packets.ParseEvent(m.Data)
	if err != nil {
		return err
	}
	all := args.All()
	if m.Request == "" || m.From == "" {
		return n.patiently(func() error {
			_, err := o.Emit(event, all...)
			return err
		})
	}
	return n.patiently(func() error { return n.forward(o, m, event, all) })
}

// patiently repeats a post that a loop has no room for, for a while. Other messages of the cluster wait meanwhile.
func (n *node) patiently(post func() error) error {
	return collect.Patiently(post, ErrQueueFull, answerPatience)
}

// refuse tells a node that its question was refused, so that it does not wait.
func (n *node) refuse(m *cluster.Message) {
	switch m.Kind {
	case cluster.Broadcast, cluster.FetchSockets, cluster.CountSockets, cluster.ServerSideEmit:
		if m.Request != "" && m.From != "" {
			_ = n.respond(m, &cluster.Message{Kind: cluster.Refused}) // a failure is counted
		}
	}
}

// drop counts and logs a message that this node could not handle.
func (n *node) drop(ns *Namespace, m *cluster.Message, err error) {
	if errors.Is(err, ErrClosed) {
		return
	}
	n.srv.stats.clusterDrops.Add(1)
	n.srv.log.Warn("message of another node dropped", "ns", ns.name, "from", m.From, "kind", m.Kind.String(), "err", err)
}
