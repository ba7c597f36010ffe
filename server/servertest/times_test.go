package servertest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/servertest"
)

// A client may come back for as long as Recovery says on the clock that the test moves.
func TestRecoveryTimes(t *testing.T) {
	for away, recovered := range map[time.Duration]bool{0: true, 119 * time.Second: true, 121 * time.Second: false} {
		ts := servertest.New(t, server.Config{Recovery: server.Recovery{MaxDisconnection: 2 * time.Minute}})
		c := ts.Client()
		_, _ = ts.Emit("e", 1)
		c.Expect("e", 1)
		id := c.ID()
		c.Cut()
		_, _ = ts.Emit("e", 2)
		other := ts.Client(servertest.NoPongs()) // whose id the other one's is not
		ts.Advance(away)
		if err := ts.Of("/").To(id).SocketsJoin("x"); err != nil {
			t.Error(err)
		}
		again := c.Reconnect()
		if again.Recovered() != recovered || (again.ID() == id) != recovered {
			t.Errorf("after %v: recovered %v", away, again.Recovered())
		}
		other.Cut()
	}
}

// What a namespace keeps for clients that are away is given up on the test's clock, without any event.
func TestRecoverySweeps(t *testing.T) {
	ts := servertest.New(t, server.Config{Recovery: server.Recovery{MaxDisconnection: 2 * time.Minute}})
	c := ts.Client()
	id := c.ID()
	c.Cut()
	socket := ts.Client().Socket()
	if err := socket.Join(id); !errors.Is(err, server.ErrRoomTaken) {
		t.Error(err)
	}
	ts.Advance(3 * time.Minute)
	if err := ts.Client().Socket().Join(id); err != nil {
		t.Errorf("the id of a client that will not come back is taken: %v", err)
	}
}

// silent is an adapter of a cluster whose other node does not answer; with ask it takes its time to tell of it.
type silent struct {
	cluster.Adapter
	ask bool
}

func (s silent) Peers(ctx context.Context, _ string) (cluster.Peers, error) {
	if s.ask {
		<-ctx.Done()
		return cluster.Peers{}, ctx.Err()
	}
	return cluster.Peers{Count: 1, Nodes: []string{"gone"}}, nil
}

// Questions to other nodes end at RequestTimeout on the test's clock, whoever does not answer.
func TestRequestTimeout(t *testing.T) {
	for name, test := range map[string]struct {
		ask  bool
		want error
	}{"a node": {false, server.ErrTimeout}, "the adapter": {true, server.ErrCluster}} {
		t.Run(name, func(t *testing.T) {
			bus := cluster.NewBus()
			ts := servertest.New(t, server.Config{RequestTimeout: time.Hour}, server.WithAdapter(silent{bus.Node("a"), test.ask}))
			results := make(chan error, 1)
			server.On0(ts.Of("/"), "fetch", func(ctx context.Context, s *server.Socket) error {
				_, err := s.Namespace().FetchSockets(context.WithoutCancel(ctx))
				results <- err
				return nil
			})
			ts.Client(servertest.NoPongs()).Emit("fetch")
			ts.Advance(59 * time.Minute)
			if len(results) > 0 {
				t.Error("too early:", <-results)
			}
			ts.Advance(2 * time.Minute)
			if err := <-results; !errors.Is(err, test.want) {
				t.Error(err)
			}
		})
	}
}
