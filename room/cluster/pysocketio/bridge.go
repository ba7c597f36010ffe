package pysocketio

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/broker"
)

// Config is the configuration of a Bridge. A zero field means its default. Immutable once in use.
type Config struct {
	// URL is the address of Redis: redis://user:password@host:port/db, or rediss:// with TLS. The parameter channel sets
	// Channel if that is empty.
	URL string
	// Options replaces the parts of the client's options that URL cannot express; nil is none.
	Options func(o *rueidis.ClientOption)
	// Channel is the name of the channel: "socketio" by default, as in Python.
	Channel string
	// MaxMessage is the longest message that is decoded, in bytes: 16 MiB by default, which is more than a client can
	// send. Longer ones are dropped and counted.
	MaxMessage int
	// QueueMessages and QueueBytes bound what waits for the broker, InboxMessages and InboxBytes what came from it and
	// waits for this node: 65,536 and 64 MiB by default, as for other adapters. Beyond them messages are dropped.
	QueueMessages, QueueBytes, InboxMessages, InboxBytes int
	// ConnectTimeout bounds an attempt to connect, and the wait for an answer: one second by default.
	ConnectTimeout time.Duration
	// RetryMax is the pause between attempts to connect: one second by default.
	RetryMax time.Duration
	// Logger gets one line for each change of state; nil is none.
	Logger *slog.Logger
}

const (
	defaultChannel    = "socketio"
	defaultMaxMessage = 16 << 20
	defaultMessages   = 1 << 16
	defaultBytes      = 64 << 20
)

// settle returns the configuration with its defaults, and the client's options.
func (c Config) settle() (Config, rueidis.ClientOption, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return c, rueidis.ClientOption{}, errors.New("pysocketio: the URL cannot be parsed")
	}
	if c.Channel == "" {
		c.Channel = u.Query().Get("channel")
	}
	if c.Channel == "" {
		c.Channel = defaultChannel
	}
	o, err := rueidis.ParseURL(c.URL)
	if err != nil {
		return c, o, errors.New("pysocketio: the URL is not one of Redis")
	}
	for _, f := range []struct {
		v    *int
		init int
	}{
		{&c.MaxMessage, defaultMaxMessage}, {&c.QueueMessages, defaultMessages}, {&c.QueueBytes, defaultBytes},
		{&c.InboxMessages, defaultMessages}, {&c.InboxBytes, defaultBytes},
	} {
		if *f.v == 0 {
			*f.v = f.init
		}
		if *f.v < 0 {
			return c, o, errors.New("pysocketio: a limit is negative")
		}
	}
	for _, d := range []*time.Duration{&c.ConnectTimeout, &c.RetryMax} {
		if *d == 0 {
			*d = time.Second
		}
		if *d < 0 {
			return c, o, errors.New("pysocketio: a time is negative")
		}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Options != nil {
		c.Options(&o)
	}
	o.DisableCache, o.DisableRetry, o.PipelineMultiplex, o.ClientSetInfo = true, true, -1, rueidis.DisableClientSetInfo
	o.Dialer.Timeout, o.Dialer.KeepAlive, o.ConnWriteTimeout = c.ConnectTimeout, c.ConnectTimeout, 2*c.ConnectTimeout
	return c, o, nil
}

// Bridge is the adapter of a node beside the channel. Safe for concurrent use.
type Bridge struct {
	optional // immutable, as the following fields are
	cfg      Config
	options  rueidis.ClientOption
	host     string
	status   *broker.Status
	outbox   *broker.Outbox
	inbox    *broker.Inbox[string]
	ctx      context.Context
	cancel   context.CancelFunc
	done     sync.WaitGroup

	pickled atomic.Uint64
	// client is the present connection; nil when there is none.
	client atomic.Pointer[rueidis.Client]

	mu sync.RWMutex // guards receivers
	// receivers has the subscribed namespaces.
	receivers map[string]func(m *cluster.Message)
}

// hostPrefix begins the ids of bridges on the channel. Those of one cluster do not listen to each other: their messages
// come through the other adapter.
const hostPrefix = "siren"

// New makes a bridge beside an adapter, which may be nil. It connects in the background, and closes the other adapter
// with itself. Errors are those of the configuration.
func New(cfg Config, beside cluster.Adapter) (*Bridge, error) {
	c, options, err := cfg.settle()
	if err != nil {
		return nil, err
	}
	var id [14]byte
	_, _ = rand.Read(id[:]) // never fails
	b := &Bridge{
		cfg: c, options: options, host: hostPrefix + hex.EncodeToString(id[:])[:27], optional: optional{beside},
		status: broker.NewStatus(c.Logger, nil), outbox: broker.NewOutbox(c.QueueMessages, c.QueueBytes),
		receivers: map[string]func(m *cluster.Message){},
	}
	b.inbox = broker.NewInbox(broker.Bounds{Messages: c.InboxMessages, Bytes: c.InboxBytes}, func(m *string) int { return len(*m) + 64 }, b.deliver)
	b.ctx, b.cancel = context.WithCancel(context.Background())
	b.done.Go(b.listen)
	b.done.Go(b.send)
	return b, nil
}

// listen keeps a connection that is subscribed to the channel.
func (b *Bridge) listen() {
	for b.ctx.Err() == nil {
		err := b.connect()
		if b.ctx.Err() != nil {
			return
		}
		b.status.Set(cluster.Down, err)
		broker.Sleep(b.ctx, b.cfg.RetryMax)
	}
}

// connect makes a connection and returns when it has ended.
func (b *Bridge) connect() error {
	client, err := rueidis.NewClient(b.options)
	if err != nil { // client may be an interface with a nil pointer then
		return err
	}
	defer client.Close()
	ctx := rueidis.WithOnSubscriptionHook(b.ctx, func(s rueidis.PubSubSubscription) {
		if s.Kind == "subscribe" {
			b.client.Store(&client)
			b.status.Set(cluster.Up, nil)
		}
	})
	err = client.Receive(ctx, client.B().Subscribe().Channel(b.cfg.Channel).Build(), func(m rueidis.PubSubMessage) {
		if !b.inbox.Put(m.Message) {
			b.status.DroppedBehind.Add(1)
		}
	})
	b.client.Store(nil)
	if b.ctx.Err() == nil {
		b.status.Outages.Add(1)
	}
	if err == nil {
		err = broker.ErrEnded
	}
	return err
}

// deliver hands a message of the channel to the server.
func (b *Bridge) deliver(payload *string) {
	if len(*payload) > b.cfg.MaxMessage {
		b.status.Malformed.Add(1)
		return
	}
	m, err := decode([]byte(*payload), b.own())
	switch {
	case err == nil:
		b.mu.RLock()
		receive := b.receivers[m.Namespace]
		b.mu.RUnlock()
		if receive != nil {
			b.status.Received.Add(1)
			b.status.ReceivedBytes.Add(uint64(len(*payload)))
			receive(m)
		}
	case errors.Is(err, errPickle):
		if b.pickled.Add(1) == 1 {
			b.cfg.Logger.Error("a python-socketio before 5.14 publishes pickles, which are refused: update it", "channel", b.cfg.Channel)
		}
		b.status.Malformed.Add(1)
	case !errors.Is(err, errOwn):
		b.status.Malformed.Add(1)
	}
}

// own begins the ids of hosts whose messages are not wanted: this bridge, and beside another adapter also the bridges of
// its cluster, whose messages come through that adapter.
func (b *Bridge) own() string {
	if b.inner == nil {
		return b.host
	}
	return hostPrefix
}

const (
	batchMax      = 512
	batchBytesMax = 1 << 20
)

// send publishes what waits.
func (b *Bridge) send() {
	var batch []broker.Outgoing
	for {
		batch = b.outbox.Take(batch[:0], batchMax, batchBytesMax)
		if len(batch) == 0 {
			select {
			case <-b.ctx.Done():
				return
			case <-b.outbox.Wake:
			}
			continue
		}
		b.publish(batch)
		b.outbox.Sent(len(batch))
		clear(batch)
	}
}

// publish publishes a batch. Nothing is sent again: whether it has arrived is not known after an error.
func (b *Bridge) publish(batch []broker.Outgoing) {
	client := b.client.Load()
	if client == nil {
		b.status.DroppedDown.Add(uint64(len(batch)))
		return
	}
	commands := make([]rueidis.Completed, len(batch))
	for i := range batch {
		commands[i] = (*client).B().Publish().Channel(b.cfg.Channel).Message(rueidis.BinaryString(batch[i].Other.([]byte))).Build()
	}
	for i, r := range (*client).DoMulti(context.Background(), commands...) { // the end of the connection ends it
		if r.Error() != nil {
			b.status.DroppedUnknown.Add(1)
			continue
		}
		b.status.Published.Add(1)
		b.status.PublishedBytes.Add(uint64(batch[i].Size))
	}
}

// put queues messages for the channel.
func (b *Bridge) put(messages [][]byte) error {
	for _, m := range messages {
		switch b.status.State() {
		case cluster.Closed:
			return cluster.ErrClosed
		case cluster.Down:
			b.status.DroppedDown.Add(1)
			return cluster.ErrDown
		}
		if err := b.outbox.Put(broker.Outgoing{Other: m, Size: len(m)}); err != nil {
			b.status.DroppedFull.Add(1)
			return err
		}
	}
	return nil
}

// Node implements cluster.Adapter.
func (b *Bridge) Node() string {
	if b.inner != nil {
		return b.inner.Node()
	}
	return b.host
}

// Subscribe implements cluster.Adapter.
func (b *Bridge) Subscribe(namespace string, receive func(m *cluster.Message)) error {
	if err := b.listenTo(namespace, receive); err != nil || b.inner == nil {
		return err
	}
	return b.inner.Subscribe(namespace, receive)
}

// SubscribeLog implements cluster.Log.
func (b *Bridge) SubscribeLog(namespace string, receive func(m *cluster.Message)) error {
	if err := b.listenTo(namespace, receive); err != nil {
		return err
	}
	return b.optional.SubscribeLog(namespace, receive)
}

func (b *Bridge) listenTo(namespace string, receive func(m *cluster.Message)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.status.State() == cluster.Closed {
		return cluster.ErrClosed
	}
	if b.receivers[namespace] != nil {
		return fmt.Errorf("pysocketio: namespace %s is subscribed already", namespace)
	}
	b.receivers[namespace] = receive
	return nil
}

// Unsubscribe implements cluster.Adapter.
func (b *Bridge) Unsubscribe(namespace string) {
	b.mu.Lock()
	delete(b.receivers, namespace)
	b.mu.Unlock()
	if b.inner != nil {
		b.inner.Unsubscribe(namespace)
	}
}

// Publish implements cluster.Adapter: the message goes to the other adapter and to the channel. Errors are those of the
// other adapter, ErrFull, ErrDown, ErrClosed, and ErrUnsupported if the channel has no place for the message.
func (b *Bridge) Publish(m *cluster.Message) error {
	messages, err := encode(m, b.host)
	if err == nil {
		err = b.put(messages)
	}
	if b.inner != nil {
		err = errors.Join(b.inner.Publish(m), err)
	}
	return err
}

// Send implements cluster.Adapter.
func (b *Bridge) Send(node string, m *cluster.Message) error {
	if strings.HasPrefix(node, askerPrefix) {
		if callback, ok := appendCallback(node, m); ok {
			return b.put([][]byte{callback})
		}
		return nil
	}
	if b.inner == nil {
		return fmt.Errorf("pysocketio: no node %q", node)
	}
	return b.inner.Send(node, m)
}

// Peers implements cluster.Adapter: those of the other adapter. Programs in Python answer no questions.
func (b *Bridge) Peers(ctx context.Context, namespace string) (cluster.Peers, error) {
	if b.inner == nil {
		return cluster.Peers{}, nil
	}
	return b.inner.Peers(ctx, namespace)
}

// Close implements cluster.Adapter. What waits is sent, for Config.ConnectTimeout at most.
func (b *Bridge) Close() error {
	if b.status.State() == cluster.Up {
		select {
		case <-b.outbox.Empty():
		case <-time.After(b.cfg.ConnectTimeout):
		}
	}
	b.status.Set(cluster.Closed, nil)
	b.cancel()
	if client := b.client.Load(); client != nil {
		(*client).Close()
	}
	b.inbox.Close()
	b.done.Wait()
	if b.inner == nil {
		return nil
	}
	return b.inner.Close()
}

// Channel returns the health of the connection to the channel, with what was carried there.
func (b *Bridge) Channel() (cluster.Health, cluster.Stats) {
	h, _ := b.status.Get()
	s := b.status.Stats()
	s.Queued, s.QueuedBytes = b.outbox.Size()
	return h, s
}

// Pickled returns how many messages were refused because they are pickles, of python-socketio before 5.14.
func (b *Bridge) Pickled() uint64 { return b.pickled.Load() }

var _ cluster.Adapter = (*Bridge)(nil)
