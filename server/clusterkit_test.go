package server_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/server"
)

// flaky is an adapter that can be made to fail, or to keep silent.
type flaky struct {
	cluster.Adapter
	failing, silent atomic.Bool
}

var errBroken = errors.New("broken")

func (f *flaky) Publish(m *cluster.Message) error {
	if f.failing.Load() {
		return errBroken
	}
	return f.Adapter.Publish(m)
}

func (f *flaky) Send(node string, m *cluster.Message) error {
	if f.silent.Load() {
		return nil
	}
	return f.Adapter.Send(node, m)
}

// nodes is a cluster of servers a, b, c in one process.
type nodes struct {
	t        *testing.T
	srv      map[string]*server.Server
	adapters map[string]*flaky
}

func newNodes(t *testing.T, cfg server.Config, setup func(name string, srv *server.Server)) *nodes {
	t.Helper()
	bus := cluster.NewBus()
	n := &nodes{t, map[string]*server.Server{}, map[string]*flaky{}}
	cfg.Loops = 2
	for _, name := range []string{"a", "b", "c"} {
		adapter := &flaky{Adapter: bus.Node(name)}
		srv, err := server.New(cfg, server.WithAdapter(adapter))
		if err != nil {
			t.Fatal(err)
		}
		withSync(srv, "/n")
		if setup != nil {
			setup(name, srv)
		}
		if err := srv.Listen("tcp://127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = srv.Close() })
		n.srv[name], n.adapters[name] = srv, adapter
	}
	return n
}

// join connects a client to a node's "/".
func (n *nodes) join(name string) (*client, *server.Socket) {
	n.t.Helper()
	c, id := joined(n.t, n.srv[name], "/")
	return c, n.srv[name].Of("/").Socket(id)
}

// barrier makes sure that what one node published before has been done on the others.
func (n *nodes) barrier(from string) {
	n.t.Helper()
	if _, err := n.srv[from].Of("/").Count(n.t.Context()); err != nil {
		n.t.Error(err)
	}
}
