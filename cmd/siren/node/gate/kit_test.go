package gate_test

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed58c87869/siren/cmd/siren/node/gate"
	"github.com/seed58c87869/siren/cmd/siren/node/pattern"
	"github.com/seed58c87869/siren/cmd/siren/node/token"
	"github.com/seed58c87869/siren/server"
	"github.com/seed58c87869/siren/server/servertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

const secret = "a secret for tests, of thirty-two"

// node is a server with a Gate, on a clock that tests move.
type node struct {
	*servertest.Server
	t    *testing.T
	gate *gate.Gate
	cfg  gate.Config
	now  atomic.Pointer[time.Time]
	rule atomic.Pointer[gate.Rule]
}

func newNode(t *testing.T, cfg gate.Config, rule gate.Rule, sc server.Config) *node {
	t.Helper()
	n := &node{t: t, cfg: cfg}
	n.now.Store(new(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)))
	n.cfg.Now = func() time.Time { return *n.now.Load() }
	n.cfg.Log = slog.New(slog.DiscardHandler)
	n.rule.Store(&rule)
	var err error
	if n.gate, err = gate.New(n.cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = n.gate.Close(ctx)
	})
	n.Server = servertest.New(t, sc)
	serve := func(on server.Space) {
		n.gate.Serve(on, func(string) *gate.Rule { return n.rule.Load() })
		on.On("e", func(ctx context.Context, m *server.Message) {
			if n.gate.Sends("e", n.rule.Load()) {
				n.gate.Event(ctx, m)
			}
		})
	}
	serve(n.Of("/"))
	serve(n.Of("/other"))
	return n
}

// withTokens makes a node that knows one secret and lets everybody join every room.
func withTokens(t *testing.T) *node {
	return newNode(t, gate.Config{Tokens: token.Config{HMACSecrets: []string{secret}}}, gate.Rule{Rooms: pattern.List{"*"}}, server.Config{})
}

// advance moves all clocks, in steps in which they are not far apart.
func (n *node) advance(d time.Duration) {
	for step := max(time.Second, d/1000); d > 0; d -= step {
		n.now.Store(new(n.now.Load().Add(min(d, step))))
		n.Advance(min(d, step))
	}
}

// said is the only argument of an acknowledgement as JSON.
func said(e servertest.Event) string {
	return strings.TrimSuffix(strings.TrimPrefix(e.String(), "("), ")")
}

// sign makes a token.
func (n *node) sign(g token.Grant) string {
	n.t.Helper()
	if g.Expires == 0 {
		g.Expires = time.Hour
	}
	cfg := token.Config{HMACSecrets: []string{secret}, Now: n.cfg.Now}
	text, err := cfg.Sign(g)
	if err != nil {
		n.t.Fatal(err)
	}
	return text
}

func auth(text string) map[string]string { return map[string]string{"token": text} }

// refusedWith checks the CONNECT_ERROR of a client.
func refusedWith(t *testing.T, c *servertest.Client, message, data string) {
	t.Helper()
	r := c.Refused()
	if r == nil || r.Message != message || string(r.Data.JSON) != data {
		t.Errorf("refused %+v, want %s %s", r, message, data)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not in time: " + what)
		}
	}
}
