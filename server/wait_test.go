package server_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/logqueue"
)

// Done and Wait report the end of a server, whatever ends it, and whenever they are called.
func TestWait(t *testing.T) {
	srv := start(t, server.Config{}, nil)
	result := make(chan error, 2)
	go func() { result <- srv.Wait() }()
	select {
	case <-srv.Done():
		t.Fatal("done at the start")
	default:
	}
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	if err := receive(t, result); err != nil {
		t.Error(err)
	}
	<-srv.Done()
	if err := srv.Wait(); err != nil {
		t.Error(err)
	}
	unused, err := server.New(server.Config{})
	if err != nil {
		t.Fatal(err)
	}
	go func() { result <- unused.Wait() }()
	_ = unused.Close()
	if err := receive(t, result); err != nil {
		t.Error(err)
	}
	served, err := server.New(server.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { result <- served.ListenAndServe(ctx, "tcp://127.0.0.1:0") }()
	eventually(t, "it listens", func() bool { return served.Addr() != nil })
	_ = served.Close()
	if err := receive(t, result); err != nil {
		t.Error(err)
	}
}

// quietHandler takes no debug records and counts what it is asked.
type quietHandler struct{ calls *atomic.Int64 }

func (h quietHandler) Enabled(_ context.Context, l slog.Level) bool {
	h.calls.Add(1)
	return l > slog.LevelInfo
}
func (h quietHandler) Handle(context.Context, slog.Record) error { h.calls.Add(1); return nil }
func (h quietHandler) WithAttrs([]slog.Attr) slog.Handler        { return h }
func (h quietHandler) WithGroup(string) slog.Handler             { return h }

// With a logger that takes no debug records no connection, event, join or acknowledgement makes a call of it.
func TestLogsOff(t *testing.T) {
	var calls atomic.Int64
	log := logqueue.New(quietHandler{&calls}, logqueue.Limits{})
	srv := start(t, server.Config{Logger: slog.New(log)}, func(srv *server.Server) {
		withSync(srv)
		server.On1(srv.Of("/"), "join", func(_ context.Context, s *server.Socket, room string) error { return s.Join(room) })
		server.On0(srv.Of("/"), "ask", func(ctx context.Context, s *server.Socket) error {
			return s.EmitAck(ctx, "q", func(server.Reply, error) {})
		})
	})
	log.Flush(patience) // what it says at the start
	before := calls.Load()
	c, _ := joined(t, srv, "/")
	c.send(`21["join","a"]`)
	c.expect(`31[]`)
	c.send(`2["ask"]`)
	c.expect(`20["q"]`)
	c.send(`30[]`)
	if _, err := srv.Of("/").To("a").Emit("x"); err != nil {
		t.Fatal(err)
	}
	c.expect(`2["x"]`)
	c.sync()
	c.send("1")
	log.Flush(patience)
	if n := calls.Load() - before; n != 0 {
		t.Errorf("%d calls of the logger", n)
	}
}
