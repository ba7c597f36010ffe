package redis

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/broker"
	"github.com/seed58c87869/siren/room/cluster/redis/redistest"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// inbox keeps what a node receives.
type inbox chan *cluster.Message

func (in inbox) next(t *testing.T) *cluster.Message {
	t.Helper()
	select {
	case m := <-in:
		return m
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	return nil
}

// newNode connects a node with the namespace "/" and waits until it is up.
func newTestNode(t *testing.T, cfg Config) (*Adapter, inbox) {
	t.Helper()
	a, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	in := make(inbox, 1<<17)
	if err := a.Subscribe("/", func(m *cluster.Message) { in <- m }); err != nil {
		t.Fatal(err)
	}
	ready(t, a)
	return a, in
}

func ready(t *testing.T, a *Adapter) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := a.Ready(ctx); err != nil {
		t.Fatal(err, a.Health())
	}
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
		eventually(t, "the loss is noticed", func() bool { return a.Stats().Outages > outages[i] })
		ready(t, a)
	}
}

// event is a broadcast to rooms, or to all.
func event(a *Adapter, text string, rooms ...string) *cluster.Message {
	return &cluster.Message{
		Kind: cluster.Broadcast, Namespace: "/", From: a.Node(), Target: cluster.Target{Rooms: rooms},
		Data: sio.Raw{JSON: []byte(text)},
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	buf := make([]byte, 1<<16)
	t.Fatalf("%s: not in time\n%s", what, buf[:runtime.Stack(buf, true)])
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

func number(i int) string { return fmt.Sprintf(`["n",%d]`, i) }
