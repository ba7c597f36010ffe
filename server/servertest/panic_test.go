package servertest_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/logqueue"
	"github.com/seed58c87869/siren/server/servertest"
)

// blowUp is a handler that panics.
func blowUp(context.Context, *server.Socket) error { panic("oh no") }

// A handler that panics makes the test fail, with its stack, unless the test has asked for the panic.
func TestPanicsFail(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	queued := slog.New(logqueue.New(slog.DiscardHandler, logqueue.Limits{}))
	for name, test := range map[string]struct {
		logger *slog.Logger
		test   func(ts *servertest.Server)
		want   []string
	}{
		"a handler": {nil, func(ts *servertest.Server) { ts.Client().Emit("boom") },
			[]string{"1 panics of handlers", "handler panicked: ns=/ id=", "event=boom: oh no", "servertest_test.blowUp"}},
		"with a logger that drops all": {quiet, func(ts *servertest.Server) { ts.Client().Emit("boom") },
			[]string{"1 panics of handlers", "servertest_test.blowUp"}},
		"with a logger that has a queue": {queued, func(ts *servertest.Server) { ts.Client().Emit("boom") },
			[]string{"1 panics of handlers"}},
		"a disconnect handler": {nil, func(ts *servertest.Server) {
			ts.Of("/").OnDisconnect(func(*server.Socket, server.Reason) { panic("left") })
			ts.Client()
		}, []string{"1 panics of handlers", ": left"}},
		"after others that were taken": {nil, func(ts *servertest.Server) {
			c := ts.Client()
			c.Emit("boom")
			ts.Panics()
			c.Emit("boom")
		}, []string{"1 panics of handlers"}},
		"all taken": {nil, func(ts *servertest.Server) {
			c := ts.Client()
			c.Emit("boom")
			c.Emit("boom")
			if got := ts.Panics(); len(got) != 2 || !strings.Contains(got[1], "oh no") || len(ts.Panics()) != 0 {
				t.Error(got)
			}
		}, nil},
		"all taken, with a logger that has a queue": {queued, func(ts *servertest.Server) {
			ts.Client().Emit("boom")
			if got := ts.Panics(); len(got) != 1 {
				t.Error(got)
			}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			fails(t, server.Config{Logger: test.logger}, func(ts *servertest.Server) {
				server.On0(ts.Of("/"), "boom", blowUp)
				test.test(ts)
			}, test.want...)
		})
	}
}
