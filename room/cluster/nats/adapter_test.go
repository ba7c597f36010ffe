package nats

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/broker"
	"github.com/seed58c87869/siren/room/cluster/internal/brokertest"
	"github.com/seed58c87869/siren/room/cluster/nats/natstest"
)

// Published messages reach all other nodes in order, answers the node that asked; the nodes are known by name.
func TestAdapter(t *testing.T) {
	const messages = 2000
	srv := natstest.Start(t, natstest.Options{})
	cfg := Config{URL: srv.URL("")}
	a, inA := newTestNode(t, cfg)
	b, inB := newTestNode(t, cfg)
	c, inC := newTestNode(t, cfg)
	for _, room := range []string{"x", "y"} {
		join(t, b, room)
		join(t, c, room)
	}
	for i := range messages {
		rooms := [][]string{nil, {"x"}, {"y", "z"}}[i%3]
		if err := a.Publish(brokertest.Event(a, brokertest.Number(i), rooms...)); err != nil {
			t.Fatal(err)
		}
	}
	for _, in := range []brokertest.Inbox{inB, inC} {
		for i := range messages {
			if m := in.Next(t); m.From != a.Node() || string(m.Data.JSON) != brokertest.Number(i) || len(m.Target.Rooms) != i%3 {
				t.Fatalf("%+v, want %d", m, i)
			}
		}
	}
	know(t, b, 2)
	if err := b.Publish(&cluster.Message{Kind: cluster.CountSockets, Namespace: "/", From: b.Node(), Request: "q"}); err != nil {
		t.Fatal(err)
	}
	for node, in := range map[*Adapter]brokertest.Inbox{a: inA, c: inC} {
		m := in.Next(t)
		if m.Kind != cluster.CountSockets || m.From != b.Node() || m.Request != "q" {
			t.Fatalf("%+v", m)
		}
		if err := node.Send(m.From, &cluster.Message{Kind: cluster.CountResponse, Namespace: "/", Request: "q", Count: 2}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if m := inB.Next(t); m.Kind != cluster.CountResponse || m.Count != 2 || m.Request != "q" || m.From == "" {
			t.Fatalf("%+v", m)
		}
	}
	brokertest.Eventually(t, "everything is counted", func() bool { return a.Stats().Published == messages+1 && a.Stats().Queued == 0 })
	if s := a.Stats(); s.Malformed != 0 || s.DroppedFull+s.DroppedDown+s.DroppedUnknown+s.DroppedInvalid != 0 {
		t.Errorf("%+v", s)
	}
	for _, in := range []brokertest.Inbox{inA, inB, inC} {
		if len(in) > 0 {
			t.Errorf("%d messages too many: %+v", len(in), <-in)
		}
	}
}

// What was published before Close is sent; afterwards the others know that the node is gone, and everything fails.
func TestAdapterClose(t *testing.T) {
	srv := natstest.Start(t, natstest.Options{})
	cfg := Config{URL: srv.URL(""), NodeTimeout: time.Hour, CloseTimeout: brokertest.Patience}
	a, _ := newTestNode(t, cfg)
	b, in := newTestNode(t, cfg)
	know(t, b, 1)
	for i := range 500 {
		_ = a.Publish(brokertest.Event(a, brokertest.Number(i)))
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		if m := in.Next(t); string(m.Data.JSON) != brokertest.Number(i) {
			t.Fatal(m)
		}
	}
	if m := in.Next(t); m.Kind != cluster.NodeLeft || m.From != a.Node() || m.Namespace != "/" {
		t.Fatalf("%+v", m)
	}
	know(t, b, 0)
	_, peers := a.Peers(t.Context(), "/")
	for what, err := range map[string]error{
		"publish": a.Publish(brokertest.Event(a, brokertest.Number(1))), "send": a.Send("x", brokertest.Event(a, brokertest.Number(1))),
		"subscribe": a.Subscribe("/x", nil), "ready": a.Ready(t.Context()), "flush": a.Flush(t.Context()),
	} {
		if !errors.Is(err, cluster.ErrClosed) {
			t.Error(what, err)
		}
	}
	if h := a.Health(); h.State != cluster.Closed || peers == nil || a.Close() != nil {
		t.Error(h, peers)
	}
}

// A namespace comes and goes alone, with characters that mean something in subjects, and with very long names.
func TestAdapterNamespaces(t *testing.T) {
	srv := natstest.Start(t, natstest.Options{})
	a, _ := newTestNode(t, Config{URL: srv.URL("")})
	b, _ := newTestNode(t, Config{URL: srv.URL("")})
	in := make(brokertest.Inbox, 10)
	names := []string{"/a.*.> b", "/ab", "/" + strings.Repeat("n", 10_000)}
	for _, ns := range names {
		if err := b.Subscribe(ns, func(m *cluster.Message) { in <- m }); err != nil {
			t.Fatal(err)
		}
		if err := a.Subscribe(ns, func(*cluster.Message) {}); err != nil {
			t.Fatal(err)
		}
	}
	brokertest.Ready(t, b)
	if err := b.Subscribe("/ab", nil); err == nil {
		t.Error("subscribed twice")
	}
	room := strings.Repeat("r", 10_000) + ". *"
	for _, ns := range names {
		b.RoomCreated(ns, room)
		if err := b.RoomReady(t.Context(), ns, room); err != nil {
			t.Fatal(err)
		}
		m := brokertest.Event(a, `["e"]`, room)
		m.Namespace = ns
		_ = a.Publish(m)
		if got := in.Next(t); got.Namespace != ns || got.Target.Rooms[0] != room {
			t.Fatal(got)
		}
	}
	peers := func(ns string, n int) {
		t.Helper()
		brokertest.Eventually(t, "the namespaces of the other node are known", func() bool {
			p, err := a.Peers(t.Context(), ns)
			return err == nil && p.Count == n
		})
	}
	peers("/ab", 1)
	b.Unsubscribe("/ab")
	peers("/ab", 0)
	peers("/", 1)
	if len(in) > 0 {
		t.Error(<-in)
	}
	if a.Stats().Outages+b.Stats().Outages > 0 {
		t.Error("a connection was lost")
	}
}

// With rooms one by one, a node receives only what is for its rooms, for sockets and for all, each once; by a pattern,
// it receives all.
func TestRooms(t *testing.T) {
	srv := natstest.Start(t, natstest.Options{})
	id := strings.Repeat("s", idLength)
	for mode, want := range map[string][]int{
		"rooms=dynamic": {1, 3, 4, 5}, "rooms=pattern": {0, 1, 2, 3, 4, 5}, "mode=dynamic-private": {1, 3, 4, 5},
	} {
		t.Run(mode, func(t *testing.T) {
			cfg := Config{URL: srv.URL(mode), Prefix: "test-" + strings.Map(func(r rune) rune {
				if r == '=' {
					return '-'
				}
				return r
			}, mode)}
			a, _ := newTestNode(t, cfg)
			b, in := newTestNode(t, cfg)
			for _, room := range []string{"mine", "gone"} {
				join(t, b, room)
			}
			if b.WatchesSockets() {
				b.SocketConnected(t.Context(), "/", id)
			}
			b.RoomDeleted("/", "gone")
			join(t, b, "later") // the deletion was sent before
			for i, rooms := range [][]string{{"theirs"}, {"mine"}, {"gone"}, {id}, nil, {"mine", "theirs"}} {
				_ = a.Publish(brokertest.Event(a, brokertest.Number(i), rooms...))
			}
			for _, i := range want {
				if m := in.Next(t); string(m.Data.JSON) != brokertest.Number(i) {
					t.Fatalf("%s, want %d", m.Data.JSON, i)
				}
			}
			brokertest.Eventually(t, "they are counted", func() bool { return b.Stats().Received == uint64(len(want)) })
			if len(in) > 0 {
				t.Error(len(in), b.Stats())
			}
		})
	}
}

// Messages that are longer than the broker takes arrive as a whole, in order with others; still longer ones are refused.
func TestLongMessages(t *testing.T) {
	srv := natstest.Start(t, natstest.Options{MaxPayload: 4096})
	a, _ := newTestNode(t, Config{URL: srv.URL(""), MaxMessage: 1 << 20})
	b, in := newTestNode(t, Config{URL: srv.URL("")})
	join(t, b, "room")
	for i := range 50 {
		m := brokertest.Event(a, brokertest.Number(i), []string{"room"}[:i%2]...)
		if i%3 > 0 {
			m.Data.Attachments = [][]byte{[]byte(strings.Repeat("x", 5000*i))}
		}
		if err := a.Publish(m); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 50 {
		m := in.Next(t)
		if string(m.Data.JSON) != brokertest.Number(i) || i%3 > 0 && len(m.Data.Attachments[0]) != 5000*i {
			t.Fatalf("%s, want %d", m.Data.JSON, i)
		}
	}
	m := brokertest.Event(a, `["e"]`)
	m.Data.Attachments = [][]byte{make([]byte, 1<<20)}
	if err := a.Publish(m); !errors.Is(err, cluster.ErrTooLong) {
		t.Error(err)
	}
	if s := b.Stats(); s.Received < 50 || s.Malformed > 0 {
		t.Errorf("%+v", s)
	}
}

// A namespace whose server is behind does not hold up another; beyond the bound messages are dropped and counted.
func TestSlowNamespace(t *testing.T) {
	srv := natstest.Start(t, natstest.Options{})
	a, _ := newTestNode(t, Config{URL: srv.URL("")})
	b, in := newTestNode(t, Config{URL: srv.URL(""), InboxMessages: 10})
	blocked, begun := make(chan struct{}), make(chan struct{}, 100)
	_ = b.Subscribe("/slow", func(*cluster.Message) { begun <- struct{}{}; <-blocked })
	brokertest.Ready(t, b)
	slow := &cluster.Message{Kind: cluster.Broadcast, Namespace: "/slow", From: a.Node(), Data: sio.Raw{JSON: []byte(`["e"]`)}}
	_ = a.Publish(slow)
	<-begun
	for range 30 {
		_ = a.Publish(slow)
	}
	_ = a.Publish(brokertest.Event(a, `["fast"]`))
	in.Next(t)
	if s := b.Stats(); s.DroppedBehind != 20 {
		t.Errorf("%+v", s)
	}
	close(blocked)
	brokertest.Eventually(t, "the rest is delivered", func() bool { s := b.Stats(); return s.Received+s.DroppedBehind == 32 })
}

// A program that only publishes reaches the nodes and is none.
func TestPublishOnly(t *testing.T) {
	srv := natstest.Start(t, natstest.Options{})
	b, in := newTestNode(t, Config{URL: srv.URL("")})
	e, err := New(Config{URL: srv.URL(""), PublishOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	brokertest.Ready(t, e)
	if err := e.Publish(brokertest.Event(e, `["e"]`)); err != nil {
		t.Fatal(err)
	}
	if err := e.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := e.Stats(); s.Published != 1 {
		t.Errorf("%+v", s)
	}
	if m := in.Next(t); m.From != "emitter" {
		t.Error(m)
	}
	if err := e.Subscribe("/", nil); err == nil {
		t.Error("subscribed")
	}
	know(t, b, 0)
}

// Wrong configurations are refused, without showing the password.
func TestConfig(t *testing.T) {
	for text, part := range map[string]string{
		"http://x": "scheme", "nats://127.0.0.1?rooms=some": "rooms", "nats://user:secret@127.0.0.1:bad/x": "URL",
		"": "URL", "nats://x?prefix=a.b": "prefix", "nats://x,redis://y": "scheme", "nats://x?%zz": "parameters",
	} {
		_, err := New(Config{URL: text})
		if err == nil || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, cfg := range []Config{{QueueBytes: -1}, {StallAfter: -1}, {HeartbeatEvery: 2 * time.Second}} {
		cfg.URL = "nats://127.0.0.1"
		if _, err := New(cfg); err == nil {
			t.Errorf("%+v", cfg)
		}
	}
	seen := map[string]bool{}
	for range 100 {
		seen[broker.NewID()] = true
	}
	if len(seen) != 100 {
		t.Error("ids repeat")
	}
}

// Ready ends with its context.
func TestReadyEnds(t *testing.T) {
	a, err := New(Config{URL: "nats://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := fmt.Errorf("enough")
	cancel(cause)
	if err := a.Ready(ctx); !errors.Is(err, cause) {
		t.Error(err)
	}
}

// Two names have the same token only if they are the same, and tokens are not too long.
func TestTokens(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"", "/", "a", "A", "a.b", "*", ">", "\x00", "é", strings.Repeat("x", 256), strings.Repeat("x", 257),
		strings.Repeat("x", 258), "~", "-", strings.Repeat("y", 1<<16)} {
		got := token(name)
		if other, ok := seen[got]; ok || strings.ContainsAny(got, ".*> \r\n") || len(got) > 350 || got == nodesToken {
			t.Errorf("%.20q: %q, %.20q", name, got, other)
		}
		seen[got] = name
	}
}
