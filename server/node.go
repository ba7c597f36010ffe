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
	"github.com/seed58c87869/siren/server/internal/packets"
)

// WithAdapter makes the server a node of a cluster: broadcasts, collections of sockets and server-side events reach the
// other nodes. The server closes the adapter when it ends. Without an adapter there are no other nodes, and their
// support costs nothing.
func WithAdapter(a cluster.Adapter) Option {
	return func(srv *Server) {
		if a != nil {
			srv.node = &node{srv: srv, adapter: a, questions: map[string]nodeQuestion{}, relays: map[relayKey]*relay{}}
		}
	}
}

// node is the server's side of its cluster. Safe for concurrent use.
type node struct {
	srv     *Server
	adapter cluster.Adapter

	mu sync.Mutex // guards what follows
	// questions has the pending questions to other nodes, by id.
	questions map[string]nodeQuestion
	// relays has the broadcasts of other nodes whose acknowledgements this one collects for them.
	relays map[relayKey]*relay
}

// nodeQuestion is a question to other nodes: an ask or a gather. Safe for concurrent use.
type nodeQuestion interface {
	// response handles an answer. An error means that it is invalid.
	response(m *cluster.Message) error
	// nodeGone notes that a node has left the namespace, nodeRefused that a node could not take the question.
	nodeGone(node string)
	nodeRefused(node string)
	// namespace returns the namespace of the question.
	namespace() *Namespace
}

// namespace implements nodeQuestion.
func (c *collector) namespace() *Namespace { return c.ns }

// nodeGone implements nodeQuestion.
func (c *collector) nodeGone(node string) {
	c.mu.Lock()
	c.others.Gone(node)
	c.settle(offLoop)
}

// nodeRefused implements nodeQuestion.
func (c *collector) nodeRefused(node string) {
	c.mu.Lock()
	c.others.Refused(node)
	c.settle(offLoop)
}

// requestBytes is the length of a question's id before it is text, as in the reference.
const requestBytes = 8

// newRequestID makes an id for a question in the cluster.
func newRequestID() string {
	var b [requestBytes]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// register stores a question under its id.
func (n *node) register(id string, q nodeQuestion) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.questions[id] = q
}

func (n *node) forget(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.questions, id)
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
	defer n.srv.after(n.srv.cfg.RequestTimeout, cancel)()
	defer context.AfterFunc(n.srv.waits.ctx, cancel)()
	n.srv.waits.elsewhere.Add(1)
	defer n.srv.waits.elsewhere.Add(-1)
	p, err := n.adapter.Peers(ctx, ns.name)
	if n.srv.waits.ctx.Err() != nil {
		return p, ErrClosed
	}
	return p, n.sent(err)
}

// subscribe subscribes to a namespace's messages, if the server is in a cluster. An error is logged, and the namespace
// is then on this node alone.
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

// unsubscribe ends the subscription of a namespace.
func (n *node) unsubscribe(ns *Namespace) {
	if n != nil {
		n.adapter.Unsubscribe(ns.name)
	}
}

// receive handles a message of another node. It runs on the adapter's goroutine, which waits if this node is behind,
// and runs no code of the application.
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
		err = n.patiently(func() error { return n.answerCensus(o, m) })
	case cluster.ServerSideEmit:
		err = ns.receiveServerSide(m)
	case cluster.Abandoned:
		n.abandon(func(k relayKey) bool { return k == relayKey{ns, m.From, m.Request} })
	case cluster.NodeLeft:
		n.gone(ns, m.From)
	default:
		err = n.response(m)
	}
	if err != nil {
		n.drop(ns, m, err)
		n.refuse(m)
	}
}

// targetOperator returns the operator for a message's target on this node.
func targetOperator(ns *Namespace, m *cluster.Message) Operator {
	return Operator{
		ns: ns, rooms: m.Target.Rooms, users: m.Target.Users, except: m.Target.Except, local: true,
		flags: emitFlags{volatile: m.Target.Volatile, plain: m.Target.NoCompress, timeout: max(m.Target.Timeout, 0)},
	}
}

// broadcast emits another node's event to this node's sockets.
func (n *node) broadcast(o Operator, m *cluster.Message) error {
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

// response passes an answer to its question. Servers ignore other kinds of messages.
func (n *node) response(m *cluster.Message) error {
	n.mu.Lock()
	q := n.questions[m.Request]
	n.mu.Unlock()
	if q == nil {
		return nil
	}
	switch m.Kind {
	case cluster.Refused:
		q.nodeRefused(m.From)
	case cluster.FetchSocketsResponse, cluster.ServerSideResponse, cluster.ClientCount, cluster.BroadcastAck,
		cluster.CountResponse:
		return q.response(m)
	}
	return nil
}

// gone reports to the questions about a namespace that a node has left it, and forgets that node's questions.
func (n *node) gone(ns *Namespace, id string) {
	n.mu.Lock()
	var all []nodeQuestion
	for _, q := range n.questions {
		if q.namespace() == ns {
			all = append(all, q)
		}
	}
	n.mu.Unlock()
	for _, q := range all {
		q.nodeGone(id)
	}
	n.abandon(func(k relayKey) bool { return k.ns == ns && k.node == id })
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
