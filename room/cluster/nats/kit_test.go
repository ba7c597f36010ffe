package nats

import (
	"context"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/seed58c87869/siren/room/cluster/internal/brokertest"
	"github.com/seed58c87869/siren/room/cluster/nats/natstest"
)

// nats-server's package starts some goroutines by being there.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// newTestNode connects a node with the namespace "/" and waits until it is up.
func newTestNode(t *testing.T, cfg Config) (*Adapter, brokertest.Inbox) {
	t.Helper()
	a, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a, brokertest.Join(t, a)
}

// know waits until a node knows that many others with the namespace "/".
func know(t *testing.T, a *Adapter, n int) {
	t.Helper()
	brokertest.Eventually(t, fmt.Sprintf("%d nodes are known", n), func() bool {
		p, err := a.Peers(t.Context(), "/")
		return err == nil && p.Count == n && len(p.Nodes) == n
	})
}

// join makes a node subscribe to a room and waits for it.
func join(t *testing.T, a *Adapter, room string) {
	t.Helper()
	a.RoomCreated("/", room)
	ctx, cancel := context.WithTimeout(t.Context(), brokertest.Patience)
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
