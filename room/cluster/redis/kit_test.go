package redis

import (
	"context"
	"testing"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/broker"
	"github.com/seed58c87869/siren/room/cluster/internal/brokertest"
	"github.com/seed58c87869/siren/room/cluster/redis/redistest"
)

// newTestNode connects a node with the namespace "/" and waits until it is up.
func newTestNode(t *testing.T, cfg Config) (*Adapter, brokertest.Inbox) {
	t.Helper()
	a, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a, brokertest.Join(t, a)
}

// cutConnections has the broker end the subscribed connections of nodes, and waits until they have others.
func cutConnections(t *testing.T, srv *redistest.Server, nodes ...*Adapter) {
	t.Helper()
	outages := make([]uint64, len(nodes))
	for i, a := range nodes {
		outages[i] = a.Stats().Outages
	}
	srv.Do("CLIENT", "KILL", "TYPE", "pubsub")
	for i, a := range nodes {
		brokertest.Eventually(t, "the loss is noticed", func() bool { return a.Stats().Outages > outages[i] })
		brokertest.Ready(t, a)
	}
}

// bare is an adapter without connections, for its codec.
func bare(node string) (*Adapter, *space, *[]*cluster.Message) {
	cfg, _, err := Config{URL: "redis://127.0.0.1:1", Node: node}.settle()
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	a := &Adapter{cfg: cfg, status: broker.NewStatus(cfg.Logger, nil), subs: broker.NewSubscriptions[channel, route](), ctx: ctx, spaces: map[string]*space{}}
	a.questions = &questions{a: a, open: map[string]*question{}, running: true}
	a.format = newClassic(a)
	var got []*cluster.Message
	sp := newSpace(a, "/", func(m *cluster.Message) { got = append(got, m) })
	a.spaces["/"] = sp
	return a, sp, &got
}
