package nats

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/broker"
)

// Adapter is a node's end of a cluster on NATS. Safe for concurrent use. It implements cluster.Adapter,
// cluster.RoomWatcher, cluster.SocketWatcher and cluster.HealthReporter.
type Adapter struct {
	cfg      Config // immutable, as the following fields are
	options  nats.Options
	nodes    subjects // of the news of nodes
	status   *broker.Status
	keeper   *broker.Keeper[*link]
	subs     *broker.Subscriptions[string, *space]
	outbox   *broker.Outbox
	presence *presence
	// ctx ends with the adapter; sent is closed when the sender has ended, told when the teller has.
	ctx        context.Context
	cancel     context.CancelFunc
	sent, told chan struct{}

	// parts numbers the messages that are sent in parts. behind counts the messages that the client has dropped on
	// connections that have ended.
	parts, behind atomic.Uint64
	// names and buffer belong to the sender.
	names  names
	buffer []byte

	mu sync.RWMutex // guards what follows
	// spaces has the namespaces by name.
	spaces map[string]*space
	closed bool
}

// New makes an adapter, which connects in the background. Errors are those of the configuration.
func New(cfg Config) (*Adapter, error) {
	c, options, err := cfg.settle()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	a := &Adapter{
		cfg: c, options: options, nodes: newSubjects(c.Prefix, nodesToken, token(c.Node)),
		status: broker.NewStatus(c.Logger, c.OnHealth), subs: broker.NewSubscriptions[string, *space](),
		outbox: broker.NewOutbox(c.QueueMessages, c.QueueBytes),
		ctx:    ctx, cancel: cancel, sent: make(chan struct{}), told: make(chan struct{}), spaces: map[string]*space{},
		names: names{
			prefix: c.Prefix, self: token(c.Node), private: c.Rooms == RoomsPrivate, spaces: map[string]subjects{},
			rooms: map[[2]string]string{},
		},
	}
	times := presenceTimes{beat: c.HeartbeatEvery, timeout: c.NodeTimeout, settle: c.SettleTime}
	a.presence = newPresence(c.Node, times, c.MaxNodes, a.left, func() { a.status.Malformed.Add(1) })
	if !c.PublishOnly {
		a.subs.Want(map[string]*space{a.nodes.all: nil, a.nodes.own: nil})
	}
	a.keeper = broker.NewKeeper(broker.Duties[*link]{
		Times:  broker.Times{StallAfter: c.StallAfter, DownAfter: c.DownAfter, RetryMax: c.RetryMax},
		Status: a.status, Connect: a.connect, Try: a.try, Follow: a.follow, Lost: a.subs.Reset, Down: a.giveUp,
	})
	go a.keeper.Run(ctx)
	go a.send()
	go a.tell()
	return a, nil
}

// Node implements cluster.Adapter.
func (a *Adapter) Node() string { return a.cfg.Node }

// Health implements cluster.HealthReporter.
func (a *Adapter) Health() cluster.Health {
	h, _ := a.status.Get()
	return h
}

// Stats implements cluster.HealthReporter.
func (a *Adapter) Stats() cluster.Stats {
	s := a.status.Stats()
	s.Queued, s.QueuedBytes = a.outbox.Size()
	s.DroppedBehind += a.behind.Load()
	if l := a.keeper.Link(); l != nil {
		s.DroppedBehind += uint64(l.dropped())
	}
	return s
}

// Ready waits until the broker is up, everything is subscribed and the other nodes are known, until ctx ends, or until
// the adapter is closed. A server works without waiting: it serves its own clients at once.
func (a *Adapter) Ready(ctx context.Context) error {
	if err := a.status.AwaitUp(ctx); err != nil || a.cfg.PublishOnly {
		return err
	}
	a.mu.RLock()
	all := make([]string, 0, len(a.spaces))
	for _, sp := range a.spaces {
		all = append(all, sp.subjects.all)
	}
	a.mu.RUnlock()
	for _, subject := range all {
		if err := a.subs.Await(ctx, subject); err != nil {
			return err
		}
	}
	return a.presence.settled(ctx)
}

// Subscribe implements cluster.Adapter.
func (a *Adapter) Subscribe(namespace string, receive func(m *cluster.Message)) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return cluster.ErrClosed
	}
	if a.cfg.PublishOnly {
		return errors.New("nats: the adapter only publishes")
	}
	if a.spaces[namespace] != nil {
		return fmt.Errorf("nats: namespace %s is subscribed already", namespace)
	}
	sp := newSpace(a, namespace, receive)
	a.spaces[namespace] = sp
	want := map[string]*space{sp.subjects.all: sp, sp.subjects.own: sp}
	if a.cfg.Rooms == RoomsByPattern {
		want[sp.subjects.room+"*"] = sp
	}
	a.subs.Want(want)
	a.presence.have(namespace)
	return nil
}

// Unsubscribe implements cluster.Adapter.
func (a *Adapter) Unsubscribe(namespace string) {
	a.mu.Lock()
	sp := a.spaces[namespace]
	delete(a.spaces, namespace)
	a.mu.Unlock()
	if sp != nil {
		a.presence.lack(namespace)
		a.subs.DropIf(func(to *space) bool { return to == sp })
		sp.inbox.Close()
	}
}

// space returns a subscribed namespace, or nil.
func (a *Adapter) space(namespace string) *space {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.spaces[namespace]
}

// left tells the server that a node has left a namespace, behind what it has sent.
func (a *Adapter) left(namespace, node string) {
	if sp := a.space(namespace); sp != nil {
		sp.put(delivery{left: node})
	}
}

// Publish implements cluster.Adapter. Errors: ErrFull, ErrDown, ErrClosed, ErrTooLong.
func (a *Adapter) Publish(m *cluster.Message) error { return a.put(m, "") }

// Send implements cluster.Adapter. Errors are those of Publish.
func (a *Adapter) Send(node string, m *cluster.Message) error {
	if node == "" {
		return errors.New("nats: the node has no name")
	}
	return a.put(m, node)
}

func (a *Adapter) put(m *cluster.Message, node string) error {
	switch a.status.State() {
	case cluster.Closed:
		return cluster.ErrClosed
	case cluster.Down:
		a.status.DroppedDown.Add(1)
		return cluster.ErrDown
	}
	size := m.Size()
	if size > a.cfg.MaxMessage {
		a.status.DroppedInvalid.Add(1)
		return fmt.Errorf("%w: about %d bytes", cluster.ErrTooLong, size)
	}
	err := a.outbox.Put(broker.Outgoing{Message: m, Node: node, Size: size})
	if err != nil {
		a.status.DroppedFull.Add(1)
	}
	return err
}

// Peers implements cluster.Adapter. While the broker does not answer, it fails with ErrDown at once.
func (a *Adapter) Peers(ctx context.Context, namespace string) (cluster.Peers, error) {
	sp := a.space(namespace)
	if sp == nil {
		return cluster.Peers{}, fmt.Errorf("nats: namespace %s is not subscribed", namespace)
	}
	ctx, cancel := a.status.WhileUp(ctx)
	defer cancel(nil)
	if err := a.subs.Await(ctx, sp.subjects.own); err != nil {
		return cluster.Peers{}, err
	}
	if err := a.presence.settled(ctx); err != nil {
		return cluster.Peers{}, err
	}
	if ctx.Err() != nil {
		return cluster.Peers{}, context.Cause(ctx)
	}
	nodes := a.presence.with(namespace)
	return cluster.Peers{Count: len(nodes), Nodes: nodes}, nil
}

// Flush waits until the broker has got what was published before. If some of that was dropped meanwhile, it returns an
// error: ErrDown, or one for an outcome that is not known. Other errors: ErrClosed, and the cause of ctx.
func (a *Adapter) Flush(ctx context.Context) error {
	return a.status.Flush(ctx, a.outbox, a.ctx.Done())
}

// Close implements cluster.Adapter. It sends what waits and says goodbye, for Config.CloseTimeout at most.
func (a *Adapter) Close() error {
	a.mu.Lock()
	spaces := a.spaces
	if a.closed {
		a.mu.Unlock()
		<-a.keeper.Done()
		return nil
	}
	a.closed, a.spaces = true, map[string]*space{}
	a.mu.Unlock()
	state := a.status.State()
	a.status.Set(cluster.Closed, nil)
	l := a.keeper.Link()
	gone := make(chan struct{})
	if state == cluster.Up && l != nil {
		limit := time.After(a.cfg.CloseTimeout)
		select {
		case <-a.outbox.Empty():
		case <-limit:
		}
		go func() {
			defer close(gone)
			a.farewell(l)
		}()
		select {
		case <-gone:
		case <-limit:
		}
	} else {
		close(gone)
	}
	for _, sp := range spaces {
		sp.inbox.Close()
	}
	a.cancel()
	if l := a.keeper.Link(); l != nil {
		l.Fail(cluster.ErrClosed)
	}
	<-a.keeper.Done()
	<-a.sent
	<-a.told
	<-gone
	a.giveUp()
	return nil
}

var (
	_ cluster.Adapter        = (*Adapter)(nil)
	_ cluster.HealthReporter = (*Adapter)(nil)
	_ cluster.RoomWatcher    = (*Adapter)(nil)
	_ cluster.SocketWatcher  = (*Adapter)(nil)
)
