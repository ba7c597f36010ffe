package redis

import (
	"context"

	"github.com/redis/rueidis"

	"github.com/seed58c87869/siren/room/cluster/internal/broker"
)

// role is what the messages of a channel are. Immutable.
type role uint8

const (
	roleProbe     role = iota // the adapter's own, which find out whether the broker works
	roleBroadcast             // for the sockets
	roleRequest               // for the nodes
	roleResponse              // answers
)

// channelKind is the kind of a subscription. Immutable.
type channelKind uint8

const (
	kindChannel channelKind = iota
	kindPattern
	kindShard
	kindCount
)

// channel is something to subscribe to. Immutable.
type channel struct {
	kind channelKind
	name string
}

// route is where the messages of a channel go. Immutable.
type route struct {
	space *space
	role  role
}

// subscriptions are those of this node. Safe for concurrent use.
type subscriptions = broker.Subscriptions[channel, route]

// find returns the route of a message. A message does not tell whether its channel is sharded.
func find(s *subscriptions, m *rueidis.PubSubMessage) (route, bool) {
	if m.Pattern != "" {
		return s.Find(channel{kindPattern, m.Pattern})
	}
	return s.Find(channel{kindChannel, m.Channel}, channel{kindShard, m.Channel})
}

// Change implements broker.Subscriber.
func (l *link) Change(ctx context.Context, add, remove []channel) error {
	if l.clustered() {
		var err error
		if add, remove, err = l.changeShards(ctx, add, remove); err != nil {
			return err
		}
	}
	commands := commandsFor(l.sub.B(), add, true)
	commands = append(commands, commandsFor(l.sub.B(), remove, false)...)
	for _, r := range l.sub.DoMulti(ctx, commands...) {
		if err := r.Error(); err != nil {
			return err
		}
	}
	return nil
}

// changeShards is Change for the sharded channels. It returns the others.
func (l *link) changeShards(ctx context.Context, add, remove []channel) (addRest, removeRest []channel, err error) {
	split := func(all []channel) (shards []string, rest []channel) {
		for _, c := range all {
			if c.kind == kindShard {
				shards = append(shards, c.name)
			} else {
				rest = append(rest, c)
			}
		}
		return shards, rest
	}
	on, addRest := split(add)
	off, removeRest := split(remove)
	return addRest, removeRest, l.shards.change(ctx, on, off)
}

// commandsFor returns the commands that subscribe to channels, or end their subscriptions: one for each kind.
func commandsFor(b rueidis.Builder, all []channel, on bool) []rueidis.Completed {
	var names [kindCount][]string
	for _, c := range all {
		names[c.kind] = append(names[c.kind], c.name)
	}
	var out []rueidis.Completed
	if n := names[kindChannel]; len(n) > 0 && on {
		out = append(out, b.Subscribe().Channel(n...).Build())
	} else if len(n) > 0 {
		out = append(out, b.Unsubscribe().Channel(n...).Build())
	}
	if n := names[kindPattern]; len(n) > 0 && on {
		out = append(out, b.Psubscribe().Pattern(n...).Build())
	} else if len(n) > 0 {
		out = append(out, b.Punsubscribe().Pattern(n...).Build())
	}
	if n := names[kindShard]; len(n) > 0 && on {
		out = append(out, b.Ssubscribe().Channel(n...).Build())
	} else if len(n) > 0 {
		out = append(out, b.Sunsubscribe().Channel(n...).Build())
	}
	return out
}
