package servertest_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/servertest"
)

// failing is a test that may fail.
type failing struct {
	testing.TB
	said     []string
	cleanups []func()
}

func (f *failing) Helper()           {}
func (f *failing) Cleanup(fn func()) { f.cleanups = append(f.cleanups, fn) }
func (f *failing) Errorf(format string, args ...any) {
	f.said = append(f.said, fmt.Sprintf(format, args...))
}
func (f *failing) Fatalf(format string, args ...any) { f.Errorf(format, args...); runtime.Goexit() }

// fails runs a test that must fail, with texts in what it says.
func fails(t *testing.T, cfg server.Config, test func(ts *servertest.Server), want ...string) {
	t.Helper()
	f := &failing{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for _, fn := range f.cleanups {
				fn()
			}
		}()
		test(servertest.New(f, cfg))
	}()
	<-done
	all := strings.Join(f.said, "\n")
	if len(want) == 0 && all != "" {
		t.Errorf("it failed: %s", all)
	}
	for _, w := range want {
		if !strings.Contains(all, w) {
			t.Errorf("it says %q, without %q", all, w)
		}
	}
}

// Failures say what came.
func TestFailures(t *testing.T) {
	for name, test := range map[string]struct {
		test func(ts *servertest.Server)
		want []string
	}{
		"fine":      {test: func(ts *servertest.Server) { ts.Client().ExpectNothing() }},
		"no config": {func(*servertest.Server) {}, []string{"Config.Loops = -1"}},
		"another event": {func(ts *servertest.Server) {
			c := ts.Client()
			_, _ = ts.Emit("a", 1, "x")
			_, _ = ts.Emit("b", []byte{7})
			var n int
			c.Expect("b", &n, "y")
		}, []string{"another event came", "want:\n\tb(a int, \"y\")", "got, in this order:\n\ta(1, \"x\")\n\tb([7])"}},
		"another argument": {func(ts *servertest.Server) {
			c := ts.Client()
			_, _ = ts.Emit("a", 1)
			c.Expect("a", 2)
		}, []string{"argument 0 is (1)"}},
		"undecodable argument": {func(ts *servertest.Server) {
			c := ts.Client()
			_, _ = ts.Emit("a", "x")
			c.Expect("a", new(int))
		}, []string{"argument 0: sio: "}},
		"no argument": {func(ts *servertest.Server) {
			c := ts.Client()
			_, _ = ts.Emit("a")
			c.Expect("a", 1)
		}, []string{"there is no argument 0"}},
		"nothing":    {func(ts *servertest.Server) { ts.Client().Expect("a", 1) }, []string{"got nothing, want a(1)", "nothing left to do"}},
		"something":  {func(ts *servertest.Server) { c := ts.Client(); _, _ = ts.Emit("a"); c.ExpectNothing() }, []string{"but got:\n\ta()"}},
		"no reply":   {func(ts *servertest.Server) { ts.Client().EmitAck("a", 1) }, []string{"no acknowledgement of a(1) came"}},
		"refused":    {func(ts *servertest.Server) { ts.Connect("/none", nil).Emit("a") }, []string{"the client was refused: Invalid namespace"}},
		"gone":       {func(ts *servertest.Server) { c := ts.Client(); c.Cut(); c.Emit("a") }, []string{"disconnected: transport close"}},
		"bad value":  {func(ts *servertest.Server) { ts.Client().Emit("a", func() {}) }, []string{"cannot encode"}},
		"bad auth":   {func(ts *servertest.Server) { ts.Connect("/", 5) }, []string{"auth: "}},
		"bad addr":   {func(ts *servertest.Server) { ts.Client(servertest.Address("home")) }, []string{`Address("home")`}},
		"no ack due": {func(ts *servertest.Server) { c := ts.Client(); _, _ = ts.Emit("a"); c.Expect("a").Ack() }, []string{"has not asked"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := server.Config{}
			if name == "no config" {
				cfg.Loops = -1
			}
			fails(t, cfg, test.test, test.want...)
		})
	}
}

// blockHere is a handler that waits for its socket's end, or the test.
func blockHere(release <-chan struct{}) func(context.Context, *server.Socket) error {
	return func(ctx context.Context, _ *server.Socket) error {
		select {
		case <-ctx.Done():
		case <-release:
		}
		return nil
	}
}

// A handler that blocks fails the test that waits for it, which names it.
func TestBlockedHandler(t *testing.T) {
	fails(t, server.Config{}, func(ts *servertest.Server) {
		server.On0(ts.Of("/"), "block", blockHere(nil))
		ts.SetPatience(50 * time.Millisecond)
		ts.Client().Emit("block")
	}, "still at work after 50ms", "blockHere", "testing/synctest")
}

// But not one that waits by hand.
func TestManual(t *testing.T) {
	ts := servertest.New(t, server.Config{})
	release := make(chan struct{})
	server.On0(ts.Of("/"), "block", blockHere(release))
	echo(ts.Of("/"))
	ts.Manual()
	blocked, free := ts.Client(), ts.Client()
	a, b := blocked.Ask("block"), blocked.Ask("echo", 1)
	if r := free.EmitAck("echo", 2); r.String() != "(2)" {
		t.Error(r)
	}
	if _, ok := a.Reply(); ok {
		t.Error("it does not block")
	}
	close(release)
	ts.Settle()
	if r, ok := b.Reply(); !ok || r.String() != "(1)" {
		t.Error(r)
	}
	blocked.Expect("echoed", 1)
}

// In a bubble handlers may block, and their own time is the server's.
func TestBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := servertest.New(t, server.Config{Loops: 2})
		ns := ts.Of("/")
		release := make(chan struct{})
		server.On0(ns, "block", blockHere(release))
		server.On0(ns, "nap", func(_ context.Context, s *server.Socket) error {
			time.Sleep(1500 * time.Microsecond)
			_ = s.Emit("awake", time.Since(zero(t)).String())
			time.Sleep(time.Second)
			return nil
		})
		server.On0(ns, "deadline", func(ctx context.Context, s *server.Socket) error {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			_, err := s.Request(ctx, "never")
			return server.Refuse(err.Error(), nil)
		})
		c, d := ts.Client(), ts.Client(servertest.Upgrade())
		a := c.Ask("block")
		d.Ask("nap")
		ts.Advance(time.Millisecond)
		d.ExpectNothing()
		ts.Advance(time.Millisecond)
		d.Expect("awake", "1.5ms")
		close(release)
		ts.Settle()
		if _, ok := a.Reply(); !ok {
			t.Error("still blocked")
		}
		a = c.Ask("deadline")
		ts.Advance(time.Second)
		if r, ok := a.Reply(); !ok || !strings.Contains(r.String(), "deadline exceeded") {
			t.Error(r, ok)
		}
		// Time that passes without Advance counts too.
		d.AnswerPings(false)
		time.Sleep(2 * time.Minute)
		ts.Settle()
		if !c.Connected() || d.Connected() || ts.Now() != time.Since(zero(t)) {
			t.Error(c.DisconnectReason(), d.DisconnectReason(), ts.Now())
		}
	})
}

// zero is when a bubble begins.
func zero(t *testing.T) time.Time {
	t.Helper()
	return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
}

// A handler that outlives the server is told of.
func TestHandlerOutlives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails(t, server.Config{}, func(ts *servertest.Server) {
			server.On0(ts.Of("/"), "forever", func(context.Context, *server.Socket) error {
				time.Sleep(time.Hour)
				return nil
			})
			ts.Client().Ask("forever")
		}, "1 handlers run on after Close", "TestHandlerOutlives")
		time.Sleep(time.Hour)
	})
}
