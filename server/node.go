package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed58c87869/siren/room/cluster"
)

// WithAdapter makes the server a node of a cluster: broadcasts, collections of sockets and server-side events reach the
// other nodes. The server closes the adapter at its end. Without an adapter there are no other nodes, and all that
// concerns them costs nothing.
func WithAdapter(a cluster.Adapter) Option {
	return func(srv *Server) {
		if a != nil {
			srv.node = &node{srv: srv, adapter: a, requests: map[string]request{}}
		}
	}
}

// node is the server as a node of its cluster. Safe for concurrent use.
type node struct {
	srv     *Server
	adapter cluster.Adapter

	mu sync.Mutex
	// requests are the questions to other nodes that are not answered yet, by their ids. Guarded by mu.
	requests map[string]request
}

// request is a question to other nodes. Safe for concurrent use.
type request interface {
	// response takes an answer.
	response(m *cluster.Message)
	// gone tells that a node will not answer.
	gone(node string)
	// finish ends the wait, if it is not over.
	finish(cause error)
}

// requestBytes is the length of a request's id before it is text, as in the reference.
const requestBytes = 8

// register notes a question and gives it an id.
func (n *node) register(r request) (id string) {
	var b [requestBytes]byte
	_, _ = rand.Read(b[:]) // never fails
	id = hex.EncodeToString(b[:])
	n.mu.Lock()
	n.requests[id] = r
	n.mu.Unlock()
	return id
}

func (n *node) forget(id string) {
	n.mu.Lock()
	delete(n.requests, id)
	n.mu.Unlock()
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

// peers asks the adapter for the other nodes, for Config.RequestTimeout at most.
func (n *node) peers(ctx context.Context, ns *Namespace) (cluster.Peers, error) {
	ctx, cancel := context.WithTimeout(ctx, n.srv.cfg.RequestTimeout)
	defer cancel()
	p, err := n.adapter.Peers(ctx, ns.name)
	return p, n.sent(err)
}

// subscribe begins the messages of a namespace, if the server is one of a cluster. An error is logged: the namespace is
// on this node alone then.
func (n *node) subscribe(ns *Namespace) error {
	if n == nil {
		return nil
	}
	if w, ok := n.adapter.(cluster.RoomWatcher); ok {
		ns.OnRoom(func(e RoomEvent) {
			switch e.Kind {
			case RoomCreated:
				w.RoomCreated(ns.name, e.Room)
			case RoomDeleted:
				w.RoomDeleted(ns.name, e.Room)
			}
		})
	}
	err := n.adapter.Subscribe(ns.name, func(m *cluster.Message) { n.receive(ns, m) })
	if err != nil {
		n.srv.stats.clusterFailures.Add(1)
		n.srv.log.Error("namespace is on this node alone", "ns", ns.name, "err", err)
		return fmt.Errorf("server: cannot join the cluster with namespace %s: %w", ns.name, err)
	}
	return nil
}

// unsubscribe is the end of a namespace.
func (n *node) unsubscribe(ns *Namespace) {
	if n != nil {
		n.adapter.Unsubscribe(ns.name)
	}
}

// endRequests ends the questions to other nodes with ErrClosed.
func (n *node) endRequests() {
	n.mu.Lock()
	requests := n.requests
	n.requests = map[string]request{}
	n.mu.Unlock()
	for _, r := range requests {
		r.finish(ErrClosed)
	}
}

// receive takes a message of another node. It runs on the adapter's goroutine, which waits when this node is behind, and
// runs no code of the application's.
func (n *node) receive(ns *Namespace, m *cluster.Message) {
	if m.From != "" && m.From == n.adapter.Node() {
		return
	}
	var err error
	switch o := targetOperator(ns, m); m.Kind {
	case cluster.Broadcast:
		err = n.broadcast(o, m)
	case cluster.SocketsJoin:
		err = n.patiently(func() error { return o.SocketsJoin(m.Rooms...) })
	case cluster.SocketsLeave:
		err = n.patiently(func() error { return o.SocketsLeave(m.Rooms...) })
	case cluster.DisconnectSockets:
		err = n.patiently(func() error { return o.DisconnectSockets(m.Close) })
	case cluster.FetchSockets, cluster.CountSockets:
		err = n.patiently(func() error { return n.census(o, m) })
	case cluster.ServerSideEmit:
		err = ns.receiveServerSide(m)
	case cluster.FetchSocketsResponse, cluster.ServerSideResponse, cluster.ClientCount, cluster.BroadcastAck,
		cluster.CountResponse:
		n.response(m)
	case cluster.NodeLeft:
		n.gone(m.From)
	}
	if err != nil {
		n.drop(ns, m, err)
	}
}

// targetOperator is a message's target, on this node.
func targetOperator(ns *Namespace, m *cluster.Message) Operator {
	return Operator{
		ns: ns, rooms: m.Target.Rooms, except: m.Target.Except, local: true,
		flags: emitFlags{volatile: m.Target.Volatile, plain: m.Target.NoCompress, timeout: max(m.Target.Timeout, 0)},
	}
}

// broadcast emits another node's event to this node's sockets.
func (n *node) broadcast(o Operator, m *cluster.Message) error {
	event, args, err := parseEvent(m.Data)
	if err != nil {
		return err
	}
	all := args.all()
	if m.Request == "" || m.From == "" {
		return n.patiently(func() error {
			_, err := o.Emit(event, all...)
			return err
		})
	}
	return n.patiently(func() error {
		a := newAsk(o.ns)
		a.count = func(clients int) {
			_ = n.respond(m, &cluster.Message{Kind: cluster.ClientCount, Count: clients})
		}
		a.answer = func(r Reply) {
			data := Raw{JSON: append(append([]byte{'['}, r.args.json...), ']'), Attachments: r.args.attachments}
			_ = n.respond(m, &cluster.Message{Kind: cluster.BroadcastAck, Data: data})
		}
		return a.begin(context.Background(), o, event, all)
	})
}

// patiently repeats what a loop had no room for, for a while: other messages of the cluster wait meanwhile.
func (n *node) patiently(post func() error) error {
	pause := 50 * time.Microsecond
	for waited := time.Duration(0); ; waited += pause {
		err := post()
		if !errors.Is(err, ErrQueueFull) || waited >= answerPatience {
			return err
		}
		pause = min(2*pause, 5*time.Millisecond)
		time.Sleep(pause)
	}
}

func (n *node) request(id string) request {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.requests[id]
}

func (n *node) response(m *cluster.Message) {
	if r := n.request(m.Request); r != nil {
		r.response(m)
	}
}

// gone tells all questions that a node has left.
func (n *node) gone(id string) {
	n.mu.Lock()
	all := make([]request, 0, len(n.requests))
	for _, r := range n.requests {
		all = append(all, r)
	}
	n.mu.Unlock()
	for _, r := range all {
		r.gone(id)
	}
}

// drop counts and logs a message that this node could make nothing of.
func (n *node) drop(ns *Namespace, m *cluster.Message, err error) {
	if errors.Is(err, ErrClosed) {
		return
	}
	n.srv.stats.clusterDrops.Add(1)
	n.srv.log.Warn("message of another node dropped", "ns", ns.name, "from", m.From, "kind", m.Kind.String(), "err", err)
}
