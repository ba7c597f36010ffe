package nats

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/broker"
)

// RoomMode tells how a node receives what is for single rooms. Immutable.
type RoomMode string

// The modes. Nodes with the first two may share a cluster; with RoomsPrivate all nodes need it.
const (
	// RoomsOneByOne: a node subscribes to the rooms in which it has sockets, and receives nothing for others. The broker
	// confirms the subscription after the join of the room's first socket here; Adapter.RoomReady waits for that. The
	// default.
	RoomsOneByOne RoomMode = "dynamic"
	// RoomsByPattern: a node receives the messages of all rooms. A socket that has joined a room gets what any node emits
	// there from that moment on.
	RoomsByPattern RoomMode = "pattern"
	// RoomsPrivate is RoomsOneByOne, and a node also subscribes to each of its sockets.
	RoomsPrivate RoomMode = "dynamic-private"
)

var modes = []RoomMode{RoomsOneByOne, RoomsByPattern, RoomsPrivate}

// Config is the configuration of an Adapter. A zero field means its default. Immutable once in use.
type Config struct {
	// URL is the address of the broker: nats://user:password@host:port, or tls:// with TLS. Addresses of further servers
	// follow behind commas; those that the broker tells of are used, too. The parameters rooms and prefix set Rooms and
	// Prefix where those are zero.
	URL string
	// Options replaces the parts of the client's options that URL cannot express, such as keys and certificates; nil is
	// none. The adapter sets the time-outs, the handlers, and what concerns connections.
	Options func(o *nats.Options)
	// Rooms is RoomsOneByOne by default.
	Rooms RoomMode
	// Prefix is the second token of each subject: "siren" by default. Letters, digits, "-" and "_" are possible. Clusters
	// with the same broker need different ones.
	Prefix string
	// Node is the id of this node, which must be unique in the cluster. Random by default, or "emitter" with PublishOnly.
	Node string
	// PublishOnly is for programs that only publish: the adapter takes nothing from the broker, and is not a node.
	// Namespaces cannot be subscribed.
	PublishOnly bool

	// QueueMessages and QueueBytes bound what waits for the broker: 65,536 and 64 MiB by default, a fraction of a second
	// of what a node can send. Beyond them Publish fails with cluster.ErrFull.
	QueueMessages, QueueBytes int
	// InboxMessages and InboxBytes bound the messages of one namespace that came from the broker and wait for this node:
	// 65,536 and 64 MiB by default. Beyond them messages are dropped and counted, because the other namespaces and the
	// broker must not wait.
	InboxMessages, InboxBytes int
	// MaxMessage is the longest message that is sent or decoded, in bytes: 16 MiB by default, which is more than a client
	// can send. Publish refuses longer ones with cluster.ErrTooLong. What the broker does not take at once is sent in parts.
	MaxMessage int
	// MaxNodes bounds the other nodes that this one keeps account of: 1024 by default, more than a broker can serve well.
	// News of more are counted as malformed.
	MaxNodes int

	// ConnectTimeout bounds each step of an attempt to connect: one second by default.
	ConnectTimeout time.Duration
	// StallAfter is how long the broker may take for an answer before it counts as stalled: one second by default. When
	// a second connection works meanwhile, it replaces the first one.
	StallAfter time.Duration
	// DownAfter is how long it may be stalled before it counts as down: 15 seconds by default. Then what waits is
	// given up.
	DownAfter time.Duration
	// RetryMax is the longest pause between attempts to connect: one second by default. Pauses begin at a sixteenth of it.
	RetryMax time.Duration
	// CloseTimeout bounds the end: one second by default. What waits for the broker is sent in that time.
	CloseTimeout time.Duration
	// HeartbeatEvery is how often the node tells the others that it is there: every second by default.
	HeartbeatEvery time.Duration
	// NodeTimeout is how long another node may be silent before it counts as gone: three seconds by default, so that two
	// heartbeats may be late. Nobody waits for its answers any longer then. All nodes need about the same times.
	NodeTimeout time.Duration
	// SettleTime is how long a node that has connected waits for the others to introduce themselves, before it answers how
	// many there are: 250 milliseconds by default, many times a round trip.
	SettleTime time.Duration

	// Logger gets one line for each change of state; nil is none.
	Logger *slog.Logger
	// OnHealth is called for each change of state, in order, on the adapter's goroutine; nil is none.
	OnHealth func(h cluster.Health)
}

const (
	defaultMessages   = 1 << 16
	defaultBytes      = 64 << 20
	defaultMaxMessage = 16 << 20
	defaultNodes      = 1024
	defaultPrefix     = "siren"
)

var prefixes = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// settle returns the configuration with its defaults and the options of the client. Errors are for the user to read, and
// show no password.
func (c Config) settle() (Config, nats.Options, error) {
	servers, err := c.fromURL()
	if err != nil {
		return c, nats.Options{}, err
	}
	err = errors.Join(
		broker.Settle(
			broker.Default[int]{Value: &c.QueueMessages, Default: defaultMessages},
			broker.Default[int]{Value: &c.QueueBytes, Default: defaultBytes},
			broker.Default[int]{Value: &c.InboxMessages, Default: defaultMessages},
			broker.Default[int]{Value: &c.InboxBytes, Default: defaultBytes},
			broker.Default[int]{Value: &c.MaxMessage, Default: defaultMaxMessage},
			broker.Default[int]{Value: &c.MaxNodes, Default: defaultNodes},
		),
		broker.Settle(
			broker.Default[time.Duration]{Value: &c.ConnectTimeout, Default: time.Second},
			broker.Default[time.Duration]{Value: &c.StallAfter, Default: time.Second},
			broker.Default[time.Duration]{Value: &c.DownAfter, Default: 15 * time.Second},
			broker.Default[time.Duration]{Value: &c.RetryMax, Default: time.Second},
			broker.Default[time.Duration]{Value: &c.CloseTimeout, Default: time.Second},
			broker.Default[time.Duration]{Value: &c.HeartbeatEvery, Default: time.Second},
			broker.Default[time.Duration]{Value: &c.NodeTimeout, Default: 3 * time.Second},
			broker.Default[time.Duration]{Value: &c.SettleTime, Default: 250 * time.Millisecond},
		),
	)
	if err != nil {
		return c, nats.Options{}, fmt.Errorf("nats: %w", err)
	}
	if c.NodeTimeout < 2*c.HeartbeatEvery {
		return c, nats.Options{}, errors.New("nats: NodeTimeout is less than two times HeartbeatEvery")
	}
	c.Node = broker.NodeID(c.Node, c.PublishOnly)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, c.clientOptions(servers), nil
}

// fromURL takes the adapter's own parameters from the URL, and returns the servers.
func (c *Config) fromURL() ([]string, error) {
	list, query, _ := strings.Cut(c.URL, "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		return nil, errors.New("nats: the parameters of the broker's URL cannot be parsed")
	}
	c.Rooms = cmp.Or(c.Rooms, RoomMode(cmp.Or(q.Get("rooms"), q.Get("mode"))), RoomsOneByOne)
	c.Prefix = cmp.Or(c.Prefix, q.Get("prefix"), defaultPrefix)
	if !slices.Contains(modes, c.Rooms) {
		return nil, fmt.Errorf("nats: rooms %q is not known: it may be one of %q", c.Rooms, modes)
	}
	if !prefixes.MatchString(c.Prefix) {
		return nil, fmt.Errorf("nats: prefix %q: letters, digits, - and _ are possible", c.Prefix)
	}
	var servers []string
	for server := range strings.SplitSeq(list, ",") {
		u, err := url.Parse(strings.TrimSpace(server))
		if err != nil || u.Host == "" {
			return nil, errors.New("nats: the broker's URL cannot be parsed")
		}
		if u.Scheme != "nats" && u.Scheme != "tls" {
			return nil, fmt.Errorf("nats: the broker's URL has the scheme %q: it may be nats or tls", u.Scheme)
		}
		servers = append(servers, u.String())
	}
	return servers, nil
}

// clientOptions returns the options of the client, with what the adapter relies on.
func (c *Config) clientOptions(servers []string) nats.Options {
	o := nats.GetDefaultOptions()
	o.Servers = servers
	if c.Options != nil {
		c.Options(&o)
	}
	if o.Name == "" {
		o.Name = "siren-" + c.Node
	}
	o.NoEcho = true          // a node does not want its own messages
	o.AllowReconnect = false // the adapter makes a new connection itself, and knows then what was lost
	o.Timeout = c.ConnectTimeout
	o.PingInterval = 0 // the adapter finds out itself whether a connection still works
	o.FlusherTimeout = c.StallAfter + c.DownAfter
	o.SkipSubjectValidation = true // they are made of tokens
	o.IgnoreAuthErrorAbort = true
	return o
}
