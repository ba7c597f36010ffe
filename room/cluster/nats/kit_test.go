package nats

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/nats/natstest"
)

// nats-server's package starts some goroutines by being there.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

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

// newTestNode connects a node with the namespace "/" and waits until it is up.
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

// know waits until a node knows that many others with the namespace "/".
func know(t *testing.T, a *Adapter, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d nodes are known", n), func() bool {
		p, err := a.Peers(t.Context(), "/")
		return err == nil && p.Count == n && len(p.Nodes) == n
	})
}

// join makes a node subscribe to a room and waits for it.
func join(t *testing.T, a *Adapter, room string) {
	t.Helper()
	a.RoomCreated("/", room)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := a.RoomReady(ctx, "/", room); err != nil {
		t.Fatal(err)
	}
}

// raw is a client of the broker without the adapter.
func raw(t *testing.T, srv *natstest.Server) *nats.Conn {
	t.Helper()
	c, err := nats.Connect(srv.URL(""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
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

func number(i int) string { return fmt.Sprintf(`["n",%d]`, i) }
