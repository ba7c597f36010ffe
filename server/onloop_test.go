package server_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/server"
)

// blocking calls everything that waits for an answer.
func blocking(ctx context.Context, s *server.Socket) map[string]error {
	ns := s.Namespace()
	_, request := s.Request(ctx, "q")
	_, call := server.Call[int](context.Background(), s, "q")
	_, fetch := ns.FetchSockets(ctx)
	_, count := ns.To("room").Count(ctx)
	_, side := ns.ServerSideRequest(ctx, "q")
	all := map[string]error{
		"Request": request, "Call": call, "FetchSockets": fetch, "Count": count, "ServerSideRequest": side,
	}
	for _, err := range server.CallAll[int](ctx, ns, "q") {
		all["CallAll"] = err
	}
	return all
}

// What waits for an answer fails on an event loop, which would wait for itself for ever; elsewhere it does not, in the
// same server.
func TestBlockingOnLoops(t *testing.T) {
	results := make(chan map[string]error, 1)
	var opened atomic.Pointer[server.Socket]
	srv, err := server.New(server.Config{
		Loops: 1, OnHeaders: func(h *server.RequestInfo, _ http.Header) {
			if s := opened.Load(); s != nil && h.Query().Get("sid") != "" {
				results <- blocking(context.Background(), s)
			}
		},
	}, server.WithAdapter(cluster.NewBus().Node("a")))
	if err != nil {
		t.Fatal(err)
	}
	withSync(srv)
	srv.Of("/").On("inline", func(ctx context.Context, m *server.Message) {
		results <- blocking(ctx, m.Socket())
	}, server.Inline())
	srv.Of("/").On("own", func(_ context.Context, m *server.Message) {
		m.Socket().On("inline2", func(ctx context.Context, m *server.Message) {
			results <- blocking(ctx, m.Socket())
		}, server.Inline())
	})
	server.On0(srv.Of("/"), "off", func(ctx context.Context, s *server.Socket) error {
		_, err := server.Call[int](ctx, s, "q")
		return err
	})
	if err := srv.Listen("tcp://127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	c, id := joined(t, srv, "/")
	check := func(where string) {
		t.Helper()
		all := receive(t, results)
		if len(all) != 6 {
			t.Errorf("%s: %d results", where, len(all))
		}
		for name, err := range all {
			if !errors.Is(err, server.ErrOnLoop) {
				t.Errorf("%s: %s: %v", where, name, err)
			}
		}
	}
	c.send(`2["inline"]`)
	check("inline handler")
	c.send(`2["own"]`)
	c.sync()
	c.send(`2["inline2"]`)
	check("inline handler of the socket's own")
	opened.Store(srv.Of("/").Socket(id))
	p := dialPolling(t, srv)
	p.post("40")
	check("OnHeaders")
	opened.Store(nil)
	c.send(`21["off"]`)
	c.expect(`20["q"]`)
	c.send(`30[1]`)
	c.expect(`31[]`)
	c.sync()
}
