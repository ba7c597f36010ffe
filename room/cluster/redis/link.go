package redis

import (
	"context"
	"crypto/tls"
	"fmt"
	"github.com/redis/rueidis"
	"net"
	"strings"

	"github.com/seed58c87869/siren/room/cluster/internal/broker"
)

// link is one pair of connections to the broker: client publishes and asks, sub is subscribed. It is never repaired:
// when something fails, the next link takes its place. Safe for concurrent use.
type link struct {
	*broker.Base
	client  rueidis.Client
	sub     rueidis.DedicatedClient
	release func()
	// self tells the broker which connection sub is, so that the next link can make sure that it has ended.
	self identity
	// shards has the sharded channels in a Redis Cluster. deliver gets the messages of all connections. Immutable.
	shards  *shards
	deliver func(m rueidis.PubSubMessage)
	// probe is the channel of the node's own messages. Immutable.
	probe string
}

// identity is a connection in the broker's words: its id, and the addresses of both ends. Immutable. The zero value is
// unknown.
type identity struct{ id, addr, server string }

// dial connects to the broker. Each step is bounded by the dialer's time-out.
func dial(ctx context.Context, o rueidis.ClientOption, probe string, receive func(l *link, m *rueidis.PubSubMessage)) (*link, error) {
	l := &link{Base: broker.NewBase(), probe: probe}
	l.shards = &shards{l: l}
	l.deliver = func(m rueidis.PubSubMessage) {
		l.Came.Add(1)
		receive(l, &m)
	}
	track(&o, ctx, l)
	client, err := rueidis.NewClient(o)
	if err != nil { // client may be an interface with a nil pointer then
		l.Fail(err)
		return nil, err
	}
	l.client = client
	l.sub, l.release = l.client.Dedicate()
	lost := l.sub.SetPubSubHooks(rueidis.PubSubHooks{OnMessage: l.deliver})
	go func() { l.Fail(<-lost) }()
	ctx, cancel := context.WithTimeout(ctx, o.Dialer.Timeout)
	defer cancel()
	info, err := l.sub.Do(ctx, l.sub.B().ClientInfo().Build()).ToString()
	if err != nil && !isReply(err) { // before Redis 6.2, and where it is forbidden, the identity stays unknown
		l.Fail(err)
		return nil, err
	}
	l.self = identityOf(info)
	return l, nil
}

// track makes the client's connections known to the link, so that it can end them at once.
func track(o *rueidis.ClientOption, ctx context.Context, l *link) {
	under := o.DialCtxFn
	o.DialCtxFn = func(c context.Context, address string, d *net.Dialer, config *tls.Config) (net.Conn, error) {
		c, cancel := context.WithCancel(c)
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		conn, err := dialAs(under, c, address, d, config)
		if err != nil {
			return nil, err
		}
		return l.Add(conn)
	}
}

func dialAs(
	under func(context.Context, string, *net.Dialer, *tls.Config) (net.Conn, error),
	ctx context.Context, address string, d *net.Dialer, config *tls.Config,
) (net.Conn, error) {
	switch {
	case under != nil:
		return under(ctx, address, d, config)
	case config != nil:
		return (&tls.Dialer{NetDialer: d, Config: config}).DialContext(ctx, "tcp", address)
	}
	return d.DialContext(ctx, "tcp", address)
}

// Fail implements broker.Link.
func (l *link) Fail(err error) {
	if !l.End(err, nil) {
		return
	}
	go func() { // the client waits for its own goroutines
		l.shards.close()
		if l.release != nil {
			l.sub.Close()
			l.release()
		}
		if l.client != nil {
			l.client.Close()
		}
	}()
}

// Probe implements broker.Link: the node receives its own message.
func (l *link) Probe() {
	err := l.client.Do(context.Background(), l.client.B().Publish().Channel(l.probe).Message("").Build()).Error()
	if err != nil && !isReply(err) {
		l.Fail(err)
	}
}

// isReply reports whether an error is an answer of the broker, after which the connection goes on.
func isReply(err error) bool {
	_, ok := rueidis.IsRedisErr(err)
	return ok
}

// identityOf reads the answer to CLIENT INFO.
func identityOf(info string) (out identity) {
	info = strings.TrimPrefix(info, "txt:") // RESP3 tells the format of such a text in front of it
	for field := range strings.FieldsSeq(info) {
		switch name, value, _ := strings.Cut(field, "="); name {
		case "id":
			out.id = value
		case "addr":
			out.addr = value
		case "laddr":
			out.server = value
		}
	}
	return out
}

// evict makes the broker end the connections of a former link, which it may still take for subscribers. Whether it
// succeeds does not matter: most often they are gone.
func (l *link) evict(ctx context.Context, old *link) error {
	client := l.client
	if l.clustered() {
		if err := l.shards.evict(ctx, old.shards); err != nil {
			return err
		}
		if client = l.client.Nodes()[old.self.server]; client == nil {
			return nil
		}
	}
	return evict(ctx, client, old.self)
}

// evict ends a connection.
func evict(ctx context.Context, client rueidis.Client, old identity) error {
	if old.id == "" || old.addr == "" {
		return nil
	}
	err := client.Do(ctx, client.B().Arbitrary("CLIENT", "KILL", "ID", old.id, "ADDR", old.addr).Build()).Error()
	if err != nil && !isReply(err) {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}
