package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/broker"
)

// Adapter is a node's end of a cluster on Redis. Safe for concurrent use. It implements cluster.Adapter,
// cluster.RoomWatcher, cluster.HealthReporter and, in the streams format, cluster.Log.
type Adapter struct {
	cfg       Config // immutable, as are the following fields
	format    format
	status    *broker.Status
	keeper    *broker.Keeper[*link]
	options   rueidis.ClientOption
	probe     string // the channel of the node's own messages
	source    source // what is read from each new link; nil if there is nothing to read
	subs      *subscriptions
	outbox    *broker.Outbox
	questions *questions
	// ctx ends with the adapter; sent is closed when the sender has ended.
	ctx    context.Context
	cancel context.CancelFunc
	sent   chan struct{}

	mu sync.RWMutex // guards what follows
	// spaces has the namespaces by name.
	spaces map[string]*space
	closed bool
}

// format is the encoding of messages, with the channels that they are on. Safe for concurrent use.
type format interface {
	// channels returns the channels of a namespace that this node always needs.
	channels(sp *space) map[channel]route
	// room returns the channel of a room, with its route. ok is false if the node gets the room's messages anyway.
	room(sp *space, room string) (c channel, to route, ok bool)
	// counted returns the channel whose subscribers are the nodes of a namespace.
	counted(namespace string) channel
	// check reports, before a message is queued, whether the format has a place for it. skip means that the format has
	// nothing for it, and that nobody misses it.
	check(m *cluster.Message) (skip bool, err error)
	// encode returns a message to all nodes or, if node is not empty, an answer to one. Without a channel there is
	// nothing to send.
	encode(m *cluster.Message, node string) (parcel, error)
	// keeps reports whether other nodes get a message also if they connect after it was sent. Such messages wait for
	// the broker while it is down, within the bounds of the queue.
	keeps(m *cluster.Message) bool
	// decode hands the messages in d to the server. It returns errOwn for one of this node, and other errors for one
	// that is not in the format.
	decode(sp *space, d *delivery) error
}

// New makes an adapter, which connects in the background. Errors are those of the configuration.
func New(cfg Config) (*Adapter, error) {
	c, options, err := cfg.settle()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	a := &Adapter{
		cfg: c, status: broker.NewStatus(c.Logger, c.OnHealth), options: options,
		subs: broker.NewSubscriptions[channel, route](), outbox: broker.NewOutbox(c.QueueMessages, c.QueueBytes),
		ctx: ctx, cancel: cancel, sent: make(chan struct{}), spaces: map[string]*space{},
	}
	a.questions = &questions{a: a, open: map[string]*question{}}
	a.format = newFormat(a)
	a.probe = c.Prefix + "-siren#" + c.Node + "#"
	if c.PublishOnly {
		a.probe += broker.NewID() + "#" // there may be many
	}
	a.subs.Want(map[channel]route{{kindChannel, a.probe}: {role: roleProbe}})
	if s, ok := a.format.(*streams); ok && !c.PublishOnly {
		a.source = s
	}
	a.keeper = broker.NewKeeper(broker.Duties[*link]{
		Times:  broker.Times{StallAfter: c.StallAfter, DownAfter: c.DownAfter, RetryMax: c.RetryMax},
		Status: a.status, Connect: a.connect, Try: a.try, Follow: a.follow, Lost: a.subs.Reset, Down: a.giveUp,
	})
	go a.keeper.Run(ctx)
	go a.send()
	return a, nil
}

// newFormat returns the format that the configuration names.
func newFormat(a *Adapter) format {
	switch a.cfg.Format {
	case Sharded:
		return newSharded(a)
	case Streams:
		return newStreams(a)
	}
	return newClassic(a)
}

// receive takes a message from the broker. It runs on the goroutine that reads the connection.
func (a *Adapter) receive(m *rueidis.PubSubMessage) {
	to, ok := find(a.subs, m)
	if !ok || to.space == nil {
		return
	}
	to.space.put(delivery{role: to.role, channel: m.Channel, payload: m.Message})
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
	return s
}

// Ready waits until the broker is up and everything is subscribed, until ctx ends, or until the adapter is closed. A
// server works without waiting: it serves its own clients at once.
func (a *Adapter) Ready(ctx context.Context) error {
	if err := a.status.AwaitUp(ctx); err != nil {
		return err
	}
	return a.subscribed(ctx)
}

// subscribed waits until all namespaces are subscribed.
func (a *Adapter) subscribed(ctx context.Context) error {
	a.mu.RLock()
	names := make([]string, 0, len(a.spaces))
	for name := range a.spaces {
		names = append(names, name)
	}
	a.mu.RUnlock()
	for _, name := range names {
		if err := a.subs.Await(ctx, a.format.counted(name)); err != nil {
			return err
		}
	}
	return nil
}

// Subscribe implements cluster.Adapter.
func (a *Adapter) Subscribe(namespace string, receive func(m *cluster.Message)) error {
	_, err := a.subscribe(namespace, receive, false)
	return err
}

// subscribe is Subscribe, and SubscribeLog if recovers is set.
func (a *Adapter) subscribe(namespace string, receive func(m *cluster.Message), recovers bool) (*space, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil, cluster.ErrClosed
	}
	if a.cfg.PublishOnly {
		return nil, errors.New("redis: the adapter only publishes")
	}
	if a.spaces[namespace] != nil {
		return nil, fmt.Errorf("redis: namespace %s is subscribed already", namespace)
	}
	sp := newSpace(a, namespace, receive)
	if recovers {
		sp.newLog()
	}
	a.spaces[namespace] = sp
	a.subs.Want(a.format.channels(sp))
	return sp, nil
}

// Unsubscribe implements cluster.Adapter.
func (a *Adapter) Unsubscribe(namespace string) {
	a.mu.Lock()
	sp := a.spaces[namespace]
	delete(a.spaces, namespace)
	a.mu.Unlock()
	if sp != nil {
		a.subs.DropIf(func(to route) bool { return to.space == sp })
		sp.close()
	}
}

// space returns a subscribed namespace, or nil.
func (a *Adapter) space(namespace string) *space {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.spaces[namespace]
}

// Publish implements cluster.Adapter. Errors: ErrFull, ErrDown, ErrClosed, ErrUnsupported.
func (a *Adapter) Publish(m *cluster.Message) error {
	if m.Kind == cluster.Abandoned {
		a.questions.forget(m.Request)
	}
	skip, err := a.format.check(m)
	if skip || err != nil {
		return err
	}
	if err := a.accepts(m); err != nil {
		return err
	}
	if m.Request != "" {
		sp := a.space(m.Namespace)
		if sp == nil {
			return fmt.Errorf("redis: namespace %s is not subscribed", m.Namespace)
		}
		if err := a.questions.add(sp, m); err != nil {
			return err
		}
	}
	if m.Kind == cluster.Broadcast && m.Request == "" {
		if sp := a.space(m.Namespace); sp != nil && sp.log != nil {
			return sp.publish(m)
		}
	}
	if err := a.put(m, ""); err != nil {
		a.questions.forget(m.Request)
		return err
	}
	return nil
}

// Send implements cluster.Adapter. Errors are those of Publish.
func (a *Adapter) Send(node string, m *cluster.Message) error {
	skip, err := a.format.check(m)
	if skip || err != nil {
		return err
	}
	if err := a.accepts(m); err != nil {
		return err
	}
	return a.put(m, node)
}

// accepts returns an error if a message cannot be sent.
func (a *Adapter) accepts(m *cluster.Message) error {
	switch a.status.State() {
	case cluster.Closed:
		return cluster.ErrClosed
	case cluster.Down:
		if a.format.keeps(m) {
			return nil
		}
		a.status.DroppedDown.Add(1)
		return cluster.ErrDown
	}
	return nil
}

func (a *Adapter) put(m *cluster.Message, node string) error {
	err := a.outbox.Put(broker.Outgoing{Message: m, Node: node, Size: m.Size()})
	if err != nil {
		a.status.DroppedFull.Add(1)
	}
	return err
}

// Peers implements cluster.Adapter. The nodes are known by number only. While the broker does not answer, it fails with
// ErrDown at once.
func (a *Adapter) Peers(ctx context.Context, namespace string) (cluster.Peers, error) {
	sp := a.space(namespace)
	if sp == nil {
		return cluster.Peers{}, fmt.Errorf("redis: namespace %s is not subscribed", namespace)
	}
	ctx, cancel := a.status.WhileUp(ctx)
	defer cancel(nil)
	// As long as this node is not subscribed itself, others cannot see it, nor can it see itself.
	if err := a.subs.Await(ctx, a.format.counted(namespace)); err != nil {
		return cluster.Peers{}, err
	}
	n, err := a.count(ctx, sp)
	if err != nil {
		return cluster.Peers{}, err
	}
	sp.counted(n)
	a.questions.counted(sp, n)
	return cluster.Peers{Count: n}, nil
}

// count asks the broker how many other nodes have the namespace. In a Redis Cluster, each server counts its own
// subscribers.
func (a *Adapter) count(ctx context.Context, sp *space) (int, error) {
	l := a.keeper.Link()
	if l == nil {
		return 0, cluster.ErrDown
	}
	c := a.format.counted(sp.name)
	total := int64(-1) // this node
	for _, server := range l.client.Nodes() {
		ask := server.B().PubsubNumsub().Channel(c.name).Build()
		if c.kind == kindShard {
			ask = server.B().PubsubShardnumsub().Channel(c.name).Build()
		}
		counts, err := server.Do(ctx, ask).AsIntMap()
		if err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return 0, err
		}
		for _, n := range counts {
			total += n
		}
	}
	return int(max(total, 0)), nil
}

// Flush waits until the broker has got what was published before. If some of that was dropped meanwhile, it returns an
// error: ErrDown, or one for an outcome that is not known. Other errors: ErrClosed, and the cause of ctx.
func (a *Adapter) Flush(ctx context.Context) error {
	return a.status.Flush(ctx, a.outbox, a.ctx.Done())
}

// Close implements cluster.Adapter. It sends what waits, for Config.CloseTimeout at most.
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
	if state == cluster.Up {
		select {
		case <-a.outbox.Empty():
		case <-time.After(a.cfg.CloseTimeout):
		}
	}
	for _, sp := range spaces {
		sp.close()
	}
	a.cancel()
	if l := a.keeper.Link(); l != nil {
		l.Fail(cluster.ErrClosed)
	}
	<-a.keeper.Done()
	<-a.sent
	a.giveUp()
	return nil
}
