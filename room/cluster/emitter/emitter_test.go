package emitter_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/emitter"
	"github.com/seed58c87869/siren/room/cluster/redis"
	"github.com/seed58c87869/siren/room/cluster/redis/redistest"
	"github.com/seed58c87869/siren/server"
)

const patience = 30 * time.Second

// What an emitter publishes reaches a node in each format; the emitter is no node.
func TestEmitter(t *testing.T) {
	srv := redistest.Start(t)
	for _, query := range []string{"adapter=classic", "adapter=sharded", "adapter=streams"} {
		t.Run(query, func(t *testing.T) {
			node, err := redis.New(redis.Config{URL: srv.URL(query), Prefix: query})
			if err != nil {
				t.Fatal(err)
			}
			defer node.Close()
			got := make(chan *cluster.Message, 100)
			for _, ns := range []string{"/", "/chat"} {
				_ = node.Subscribe(ns, func(m *cluster.Message) { got <- m })
			}
			a, err := redis.New(redis.Config{URL: srv.URL(query), Prefix: query, PublishOnly: true})
			if err != nil {
				t.Fatal(err)
			}
			e := emitter.New(a)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := errors.Join(node.Ready(ctx), a.Ready(ctx)); err != nil {
				t.Fatal(err)
			}
			binary := []byte{1, 2}
			all := e.Of("/")
			err = errors.Join(
				all.To("a").To("b").Except("c").Volatile().Compress(false).Emit("e", 1, binary),
				e.Of("chat").Emit("e"),
				all.To("a").SocketsJoin("x", "y"), all.SocketsLeave("x"), all.SocketsJoin(), all.DisconnectSockets(true),
				all.To("a").ServerSideEmit("sse", "v"), a.Flush(ctx),
			)
			if err != nil {
				t.Fatal(err)
			}
			binary[0] = 9
			seen := map[cluster.Kind]*cluster.Message{}
			for range 6 {
				select {
				case m := <-got:
					if m.Namespace == "/" {
						seen[m.Kind] = m
					}
				case <-time.After(patience):
					t.Fatal("nothing came")
				}
			}
			m := seen[cluster.Broadcast]
			if m == nil || !slices.Equal(m.Target.Rooms, []string{"a", "b"}) || !slices.Equal(m.Target.Except, []string{"c"}) ||
				!m.Target.Volatile || !m.Target.NoCompress || m.Data.Attachments[0][0] != 1 || m.From != "emitter" {
				t.Errorf("%+v", m)
			}
			if m := seen[cluster.SocketsJoin]; m == nil || !slices.Equal(m.Rooms, []string{"x", "y"}) {
				t.Errorf("%+v", m)
			}
			if seen[cluster.SocketsLeave] == nil || !seen[cluster.DisconnectSockets].Close || string(seen[cluster.ServerSideEmit].Data.JSON) != `["sse","v"]` {
				t.Errorf("%v", seen)
			}
			if p, err := node.Peers(ctx, "/"); p.Count != 0 || err != nil {
				t.Error(p, err)
			}
			if err := e.Of("/").Users("u").Emit("e"); !errors.Is(err, cluster.ErrUnsupported) {
				t.Error(err)
			}
			if err := e.Of("/").Emit("e", func() {}); err == nil {
				t.Error("a function was sent")
			}
			if err := errors.Join(e.Close()); err != nil {
				t.Error(err)
			}
			if err := a.Flush(ctx); !errors.Is(err, cluster.ErrClosed) {
				t.Error(err)
			}
		})
	}
}

// Flush reports what the broker did not get.
func TestEmitterWithoutBroker(t *testing.T) {
	a, err := redis.New(redis.Config{URL: "redis://127.0.0.1:1", PublishOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	e := emitter.New(a)
	defer e.Close()
	emitted := e.Of("/").Emit("e") // while the first attempt runs, it is queued
	if err := errors.Join(emitted, a.Flush(t.Context())); !errors.Is(err, cluster.ErrDown) {
		t.Error(err)
	}
}

// An emitter reaches the clients of a server, here by the bus of one process.
func TestEmitterOnABus(t *testing.T) {
	bus := cluster.NewBus()
	srv, err := server.New(server.Config{}, server.WithAdapter(bus.Node("server")))
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	heard := make(chan string, 1)
	srv.Of("/").OnServerSide("hello", func(_ context.Context, m *server.NodeMessage) { heard <- m.Node() })
	e := emitter.New(bus.Node("emitter"))
	defer e.Close()
	if err := e.Of("/").ServerSideEmit("hello"); err != nil {
		t.Fatal(err)
	}
	select {
	case node := <-heard:
		if node != "emitter" {
			t.Error(node)
		}
	case <-time.After(patience):
		t.Error("nothing came")
	}
}
