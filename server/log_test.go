package server_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/servertest"
)

// hookHandler is a handler that calls a function before it writes a record.
type hookHandler struct {
	slog.Handler
	hook func(r slog.Record)
}

func (h hookHandler) Handle(ctx context.Context, r slog.Record) error {
	h.hook(r)
	return h.Handler.Handle(ctx, r)
}
func (h hookHandler) WithAttrs(a []slog.Attr) slog.Handler {
	return hookHandler{h.Handler.WithAttrs(a), h.hook}
}
func (h hookHandler) WithGroup(n string) slog.Handler {
	return hookHandler{h.Handler.WithGroup(n), h.hook}
}

func debugText(out *logBuffer) slog.Handler {
	return slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})
}

// A log that blocks stops neither clients nor Close. What it misses is counted, and told when it is back.
func TestBlockedLog(t *testing.T) {
	out, block := &logBuffer{}, make(chan struct{})
	handler := hookHandler{debugText(out), func(slog.Record) { <-block }}
	srv := start(t, server.Config{Logger: slog.New(handler), LogQueue: 100}, func(srv *server.Server) { withSync(srv) })
	for range 50 {
		c, _ := joined(t, srv, "/")
		c.sync()
		c.close()
	}
	eventually(t, "records that are left out", func() bool { return srv.Stats().LogsDropped > 100 })
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
	if text := out.String(); text != "" {
		t.Errorf("the handler has let through\n%s", text)
	}
	close(block)
	// An error is taken while debug records fill the queue, and the line is behind what waited.
	line := fmt.Sprintf(`msg="log records were left out: the log was behind" count=%d`, srv.Stats().LogsDropped)
	eventually(t, line, func() bool { return strings.Contains(out.String(), line) })
	if text := out.String(); strings.Count(text, "level=DEBUG") < 70 || strings.Count(text, "left out") != 1 {
		t.Errorf("the log has\n%s", text)
	}
}

// A handler of the log may call the server, whichever goroutine has logged.
func TestLogHandlerCallsBack(t *testing.T) {
	out := &logBuffer{}
	var srv *server.Server
	handler := hookHandler{debugText(out), func(r slog.Record) {
		srv.Stats()
		srv.Of("/logged")
		_ = srv.Addr()
		_, _ = srv.Of("/").Emit("log", r.Message)
	}}
	srv, err := server.New(server.Config{Loops: 1, Logger: slog.New(handler)})
	if err != nil {
		t.Fatal(err)
	}
	withSync(srv)
	done := make(chan error, 1)
	go func() {
		srv.Of("a,b") // which no client can join
		done <- srv.Listen("127.0.0.1:0")
	}()
	if err := receive(t, done); err != nil {
		t.Fatal(err)
	}
	c, _ := joined(t, srv, "/")
	c.send("2[\"unheard\"]")
	for !strings.Contains(c.next().text, "log") {
	}
	c.close()
	go func() { done <- srv.Close() }()
	if err := receive(t, done); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"msg=listening", `msg="no client can join a namespace of this name"`, "msg=closed"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
}

// Warnings that clients cause are thinned out.
func TestThrottledLog(t *testing.T) {
	out := &logBuffer{}
	srv := start(t, server.Config{Logger: slog.New(slog.NewTextHandler(out, nil)), LogBurst: 2}, func(srv *server.Server) {
		server.On0(srv.Of("/"), "panic", func(context.Context, *server.Socket) error { panic("oh no") })
	})
	c, _ := joined(t, srv, "/")
	for range 10 {
		c.send(`21["panic"]`)
		c.expect(`31[{"error":"internal error"}]`)
	}
	if n := srv.Stats().LogsThrottled; n != 8 {
		t.Errorf("%d records throttled", n)
	}
	_ = srv.Close()
	if text := out.String(); strings.Count(text, `msg="handler panicked"`) != 2 || strings.Count(text, "level=ERROR") != 3 ||
		!strings.Contains(text, `level=ERROR msg="more of these log records were left out" message="handler panicked" count=8`) {
		t.Errorf("the log has\n%s", text)
	}
}

// The test kit waits for the log: what a client causes is in it when the client's call returns.
func TestKitWaitsForLog(t *testing.T) {
	out := &logBuffer{}
	handler := hookHandler{debugText(out), func(slog.Record) { time.Sleep(time.Millisecond) }}
	ts := servertest.New(t, server.Config{Logger: slog.New(handler)})
	for range 3 {
		c := ts.Connect("/", nil)
		if want := "msg=connected sio.ns=/ sio.id=" + c.ID(); !strings.Contains(out.String(), want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
}
