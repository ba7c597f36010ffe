package redis

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"time"

	"github.com/redis/rueidis"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/broker"
)

// Format is the format of the messages on the broker. All nodes of a cluster need the same. Immutable.
type Format string

// The formats, each that of one of the reference's adapters.
const (
	// Classic is @socket.io/redis-adapter's, on PUBLISH and SUBSCRIBE. @socket.io/redis-emitter speaks it.
	Classic Format = "classic"
	// Sharded is the sharded adapter of @socket.io/redis-adapter, on SPUBLISH and SSUBSCRIBE. It needs Redis 7.
	Sharded Format = "sharded"
	// Streams is @socket.io/redis-streams-adapter's, version 0.3: events are in a stream, which nodes that were cut off
	// read later, and from which clients recover at any node.
	Streams Format = "streams"
)

// RoomMode tells how a node receives what is for single rooms. Immutable.
type RoomMode string

// The modes. With Sharded all nodes of a cluster need the same; with Classic they may differ.
const (
	// RoomsByPattern: a node receives the messages of all rooms, as the reference's nodes do in the classic format. A
	// socket that has joined a room gets what any node emits there from that moment on.
	RoomsByPattern RoomMode = "pattern"
	// RoomsStatic is the same for Sharded, and the only mode of Streams.
	RoomsStatic RoomMode = "static"
	// RoomsOneByOne: a node subscribes to the rooms in which it has sockets, and receives nothing for others. The
	// broker confirms the subscription after the join of the room's first socket here; Adapter.RoomReady waits for
	// that.
	RoomsOneByOne RoomMode = "dynamic"
	// RoomsPrivate is RoomsOneByOne, and a node also subscribes to each of its sockets. For Sharded.
	RoomsPrivate RoomMode = "dynamic-private"
)

// modes are those of each format, the default first.
var modes = map[Format][]RoomMode{
	Classic: {RoomsByPattern, RoomsOneByOne},
	Sharded: {RoomsOneByOne, RoomsStatic, RoomsPrivate},
	Streams: {RoomsStatic},
}

// Config is the configuration of an Adapter. A zero field means its default. Immutable once in use.
type Config struct {
	// URL is the address of the broker: redis://user:password@host:port/db, rediss:// with TLS, unix:// for a local
	// socket. Further servers of a Redis Cluster are in addr parameters; master_set names the master of Sentinels. The
	// parameters adapter, rooms (or mode) and prefix set Format, Rooms and Prefix where those are zero.
	URL string
	// Options replaces the parts of the client's options that URL cannot express; nil is none. The adapter sets the
	// time-outs, the number of connections and what concerns caching and retries.
	Options func(o *rueidis.ClientOption)
	// Format is Classic by default.
	Format Format
	// Rooms is RoomsByPattern by default for Classic, RoomsOneByOne for Sharded.
	Rooms RoomMode
	// Prefix begins the name of each channel: "socket.io" by default, as in the reference.
	Prefix string
	// Node is the id of this node, which must be unique in the cluster. Random by default, or "emitter" with
	// PublishOnly.
	Node string
	// PublishOnly is for programs that only publish: the adapter takes nothing from the broker, and is not counted as a
	// node. Namespaces cannot be subscribed.
	PublishOnly bool

	// QueueMessages and QueueBytes bound what waits for the broker: 65,536 and 64 MiB by default, a second of a busy
	// node's messages. Beyond them Publish fails with cluster.ErrFull.
	QueueMessages, QueueBytes int
	// InboxMessages and InboxBytes bound the messages of one namespace that came from the broker and wait for this
	// node: 65,536 and 64 MiB by default. Beyond them messages are dropped and counted, because the other namespaces
	// and the broker must not wait.
	InboxMessages, InboxBytes int
	// MaxMessage is the longest message that is decoded, in bytes, and the largest sum of its binary data: 16 MiB by
	// default, which is more than a client can send. Longer ones are dropped and counted.
	MaxMessage int
	// MaxQuestions bounds the questions to other nodes that wait for answers: 65,536 by default. Beyond it they fail
	// with cluster.ErrFull.
	MaxQuestions int

	// StreamEntries is about how many entries a stream keeps, for all namespaces together: 10,000 by default, as in the
	// reference. A client that missed more than that cannot recover, so it should be what a cluster emits in the time for
	// which clients may be absent. All nodes should have the same.
	StreamEntries int
	// MaxSession is the longest session of an absent client that is stored or read, in bytes: 1 MiB by default. A client
	// whose session is longer cannot recover.
	MaxSession int

	// EchoTimeout is how long a broadcast to a namespace whose clients recover may take to the broker and back before
	// this node's own clients get it all the same: half a second by default. Those that are cut off right then are new
	// clients when they come back.
	EchoTimeout time.Duration
	// ConnectTimeout bounds each step of an attempt to connect: one second by default.
	ConnectTimeout time.Duration
	// StallAfter is how long the broker may take for an answer before it counts as stalled: one second by default. When
	// a second connection works meanwhile, it replaces the first one.
	StallAfter time.Duration
	// DownAfter is how long it may be stalled before it counts as down: 15 seconds by default. Then what waits is
	// given up.
	DownAfter time.Duration
	// RetryMax is the longest pause between attempts to connect: one second by default. Pauses begin at a sixteenth of
	// it.
	RetryMax time.Duration
	// CloseTimeout bounds the end: one second by default. What waits for the broker is sent in that time.
	CloseTimeout time.Duration

	// Logger gets one line for each change of state; nil is none.
	Logger *slog.Logger
	// OnHealth is called for each change of state, in order, on the adapter's goroutine; nil is none.
	OnHealth func(h cluster.Health)
}

const (
	defaultMessages   = 1 << 16
	defaultBytes      = 64 << 20
	defaultMaxMessage = 16 << 20
	defaultPrefix     = "socket.io"

	defaultStreamEntries = 10_000
	defaultMaxSession    = 1 << 20
)

// settle returns the configuration with its defaults and the options of the client. Errors are for the user to read.
func (c Config) settle() (Config, rueidis.ClientOption, error) {
	if err := c.fromURL(); err != nil {
		return c, rueidis.ClientOption{}, err
	}
	o, err := rueidis.ParseURL(c.URL)
	if err != nil {
		return c, o, fmt.Errorf("redis: %w", withoutPassword(err, c.URL))
	}
	err = errors.Join(
		broker.Settle(
			broker.Default[int]{Value: &c.QueueMessages, Default: defaultMessages},
			broker.Default[int]{Value: &c.QueueBytes, Default: defaultBytes},
			broker.Default[int]{Value: &c.InboxMessages, Default: defaultMessages},
			broker.Default[int]{Value: &c.InboxBytes, Default: defaultBytes},
			broker.Default[int]{Value: &c.MaxMessage, Default: defaultMaxMessage},
			broker.Default[int]{Value: &c.MaxQuestions, Default: defaultMessages},
			broker.Default[int]{Value: &c.StreamEntries, Default: defaultStreamEntries},
			broker.Default[int]{Value: &c.MaxSession, Default: defaultMaxSession},
		),
		broker.Settle(
			broker.Default[time.Duration]{Value: &c.ConnectTimeout, Default: time.Second},
			broker.Default[time.Duration]{Value: &c.StallAfter, Default: time.Second},
			broker.Default[time.Duration]{Value: &c.DownAfter, Default: 15 * time.Second},
			broker.Default[time.Duration]{Value: &c.RetryMax, Default: time.Second},
			broker.Default[time.Duration]{Value: &c.CloseTimeout, Default: time.Second},
			broker.Default[time.Duration]{Value: &c.EchoTimeout, Default: 500 * time.Millisecond},
		),
	)
	if err != nil {
		return c, o, fmt.Errorf("redis: %w", err)
	}
	c.Node = broker.NodeID(c.Node, c.PublishOnly)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Options != nil {
		c.Options(&o)
	}
	c.clientOptions(&o)
	return c, o, nil
}

// fromURL takes the adapter's own parameters from the URL.
func (c *Config) fromURL() error {
	u, err := url.Parse(c.URL)
	if err != nil {
		return fmt.Errorf("redis: %w", withoutPassword(err, c.URL))
	}
	q := u.Query()
	if c.Format == "" {
		c.Format = Format(q.Get("adapter"))
	}
	if c.Rooms == "" {
		c.Rooms = RoomMode(cmp.Or(q.Get("rooms"), q.Get("mode")))
	}
	if c.Prefix == "" {
		c.Prefix = q.Get("prefix")
	}
	if c.Format == "" {
		c.Format = Classic
	}
	if c.Prefix == "" {
		c.Prefix = defaultPrefix
	}
	possible := modes[c.Format]
	if possible == nil {
		return fmt.Errorf("redis: adapter %q is not known: it may be %q, %q or %q", c.Format, Classic, Sharded, Streams)
	}
	if c.Rooms == "" {
		c.Rooms = possible[0]
	}
	if !slices.Contains(possible, c.Rooms) {
		return fmt.Errorf("redis: rooms %q is not known for %s: it may be one of %q", c.Rooms, c.Format, possible)
	}
	return nil
}

// withoutPassword returns an error whose text does not show the URL, which may hold a password.
func withoutPassword(err error, address string) error {
	var bad *url.Error
	if errors.As(err, &bad) && address != "" {
		return fmt.Errorf("the broker's URL cannot be parsed: %w", bad.Err)
	}
	return err
}

// clientOptions sets what the adapter relies on.
func (c *Config) clientOptions(o *rueidis.ClientOption) {
	o.DisableCache = true
	o.DisableRetry = true    // whether a command whose connection was lost has been done is not known
	o.PipelineMultiplex = -1 // one connection keeps the order
	o.BlockingPipeline = broker.BatchMax + 1
	o.ClientSetInfo = rueidis.DisableClientSetInfo
	o.Dialer.Timeout = c.ConnectTimeout
	o.Dialer.KeepAlive = c.DownAfter // the adapter finds out itself whether a connection still works
	o.ConnWriteTimeout = c.DownAfter
	o.Sentinel.Dialer.Timeout = c.ConnectTimeout
	if o.ClientName == "" {
		o.ClientName = "siren-" + c.Node
	}
}
