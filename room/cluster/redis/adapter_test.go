package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/broker"
	"github.com/seed58c87869/siren/room/cluster/internal/brokertest"
	"github.com/seed58c87869/siren/room/cluster/redis/redistest"
)

// The client of a Redis Cluster ends a second after it was closed: a goroutine of it waits to look at the slots again.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).LazyDo.func1"))
}

// Published messages reach all other nodes in order, answers the node that asked; each node is subscribed to the
// counted channel once.
func TestAdapter(t *testing.T) {
	const messages = 2000
	srv := redistest.Start(t)
	cfg := Config{URL: srv.URL("")}
	a, inA := newTestNode(t, cfg)
	b, inB := newTestNode(t, cfg)
	c, inC := newTestNode(t, cfg)
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
	p, err := b.Peers(t.Context(), "/")
	if p.Count != 2 || p.Nodes != nil || err != nil {
		t.Fatal(p, err)
	}
	if err := b.Publish(&cluster.Message{Kind: cluster.CountSockets, Namespace: "/", From: b.Node(), Request: "q"}); err != nil {
		t.Fatal(err)
	}
	for node, in := range map[*Adapter]brokertest.Inbox{a: inA, c: inC} {
		m := in.Next(t)
		if m.Kind != cluster.FetchSockets || m.From != b.Node() || m.Request != "q" {
			t.Fatalf("%+v", m)
		}
		if err := node.Send(m.From, &cluster.Message{
			Kind: cluster.FetchSocketsResponse, Namespace: "/", Request: "q", Sockets: []cluster.Socket{{ID: "1"}, {ID: "2"}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if m := inB.Next(t); m.Kind != cluster.CountResponse || m.Count != 2 || m.Request != "q" {
			t.Fatalf("%+v", m)
		}
	}
	if n := srv.Subscribers("socket.io-request#/#"); n != 3 {
		t.Errorf("%d subscriptions of 3 nodes", n)
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

// What was published before Close is sent; afterwards the node is gone, and everything fails.
func TestAdapterClose(t *testing.T) {
	srv := redistest.Start(t)
	cfg := Config{URL: srv.URL("")}
	a, _ := newTestNode(t, cfg)
	_, in := newTestNode(t, cfg)
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
	brokertest.Eventually(t, "the node is gone", func() bool { return srv.Subscribers("socket.io-request#/#") == 1 })
	_, peers := a.Peers(t.Context(), "/")
	for what, err := range map[string]error{
		"publish": a.Publish(brokertest.Event(a, brokertest.Number(1))), "send": a.Send("x", brokertest.Event(a, brokertest.Number(1))),
		"subscribe": a.Subscribe("/x", nil), "ready": a.Ready(t.Context()),
	} {
		if !errors.Is(err, cluster.ErrClosed) {
			t.Error(what, err)
		}
	}
	if h := a.Health(); h.State != cluster.Closed || peers == nil || a.Close() != nil {
		t.Error(h, peers)
	}
}

// A namespace comes and goes alone, with characters that mean something in patterns.
func TestAdapterNamespaces(t *testing.T) {
	srv := redistest.Start(t)
	a, _ := newTestNode(t, Config{URL: srv.URL("")})
	b, _ := newTestNode(t, Config{URL: srv.URL("")})
	in := make(chan *cluster.Message, 10)
	for _, ns := range []string{`/a*[x]?\`, "/ab"} {
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
	for _, ns := range []string{"/ab", `/a*[x]?\`} {
		m := brokertest.Event(a, `["e"]`, "r")
		m.Namespace = ns
		_ = a.Publish(m)
		if got := brokertest.Inbox(in).Next(t); got.Namespace != ns {
			t.Fatal(got)
		}
	}
	b.Unsubscribe("/ab")
	brokertest.Eventually(t, "the namespace is gone", func() bool { return srv.Subscribers("socket.io-request#/ab#") == 1 })
	if len(in) > 0 {
		t.Error(<-in)
	}
}

// With rooms one by one, a node receives only what is for its rooms, for sockets and for all, each once.
func TestRoomsOneByOne(t *testing.T) {
	srv := redistest.Start(t)
	a, _ := newTestNode(t, Config{URL: srv.URL("rooms=dynamic")})
	b, in := newTestNode(t, Config{URL: srv.URL("rooms=dynamic")})
	id := strings.Repeat("s", idLength)
	if !b.WatchesRooms() {
		t.Fatal("rooms are not watched")
	}
	for _, room := range []string{"mine", id, "gone"} {
		b.RoomCreated("/", room)
		if err := b.RoomReady(t.Context(), "/", room); err != nil {
			t.Fatal(err)
		}
	}
	b.RoomDeleted("/", "gone")
	brokertest.Eventually(t, "the room is gone", func() bool { return srv.Subscribers("socket.io#/#gone#") == 0 })
	for i, rooms := range [][]string{{"theirs"}, {"mine"}, {"gone"}, {id}, nil, {"mine", "theirs"}} {
		_ = a.Publish(brokertest.Event(a, brokertest.Number(i), rooms...))
	}
	for _, i := range []int{1, 3, 4, 5} {
		if m := in.Next(t); string(m.Data.JSON) != brokertest.Number(i) {
			t.Fatalf("%s, want %d", m.Data.JSON, i)
		}
	}
	brokertest.Eventually(t, "they are counted", func() bool { return b.Stats().Received == 4 })
	if len(in) > 0 {
		t.Error(len(in), b.Stats())
	}
}

// A message with users as targets has no place in the format.
func TestUsersAreRefused(t *testing.T) {
	a, _, _ := bare("me")
	m := brokertest.Event(a, `["e"]`)
	m.Target.Users = []string{"u"}
	if err := a.Publish(m); !errors.Is(err, cluster.ErrUnsupported) {
		t.Error(err)
	}
	if err := a.Publish(&cluster.Message{Kind: cluster.Refused, Namespace: "/"}); err != nil {
		t.Error(err)
	}
}

// A node that is gone is not waited for: the question ends when all that are left have answered.
func TestQuestionEndsEarly(t *testing.T) {
	srv := redistest.Start(t)
	a, in := newTestNode(t, Config{URL: srv.URL("")})
	b, inB := newTestNode(t, Config{URL: srv.URL("")})
	c, _ := newTestNode(t, Config{URL: srv.URL("")})
	if p, err := a.Peers(t.Context(), "/"); p.Count != 2 || err != nil {
		t.Fatal(p, err)
	}
	_ = a.Publish(&cluster.Message{Kind: cluster.FetchSockets, Namespace: "/", From: a.Node(), Request: "q"})
	m := inB.Next(t)
	_ = b.Send(m.From, &cluster.Message{Kind: cluster.FetchSocketsResponse, Namespace: "/", Request: "q"})
	if m := in.Next(t); m.Kind != cluster.FetchSocketsResponse {
		t.Fatal(m)
	}
	_ = c.Close()
	if m := in.Next(t); m.Kind != cluster.Refused || m.Request != "q" || m.From != "" {
		t.Fatalf("%+v", m)
	}
	if len(a.questions.open) > 0 {
		t.Error(a.questions.open)
	}
}

// Bad messages from the broker are counted, and do not stop the good ones.
func TestHostileBroker(t *testing.T) {
	srv := redistest.Start(t)
	a, _ := newTestNode(t, Config{URL: srv.URL("")})
	b, in := newTestNode(t, Config{URL: srv.URL(""), MaxMessage: 1 << 16})
	bad := 0
	for _, payload := range []string{"", "\xc0", "{bad", "null", "\xdd\xff\xff\xff\xff", strings.Repeat("\x91", 50_000), strings.Repeat("x", 1<<17)} {
		for _, ch := range []string{"socket.io#/#", "socket.io#/#room#", "socket.io-request#/#", "socket.io-response#/#"} {
			srv.Do("PUBLISH", ch, payload)
			bad++
		}
	}
	_ = a.Publish(brokertest.Event(a, `["good"]`))
	if m := in.Next(t); string(m.Data.JSON) != `["good"]` {
		t.Fatal(m)
	}
	brokertest.Eventually(t, "the good one is counted", func() bool { return b.Stats().Received == 1 })
	if s := b.Stats(); s.Malformed != uint64(bad) {
		t.Errorf("%+v of %d bad ones", s, bad)
	}
}

// A namespace whose server is behind does not hold up another; beyond the bound messages are dropped and counted.
func TestSlowNamespace(t *testing.T) {
	srv := redistest.Start(t)
	a, _ := newTestNode(t, Config{URL: srv.URL("")})
	b, in := newTestNode(t, Config{URL: srv.URL(""), InboxMessages: 10})
	blocked, begun := make(chan struct{}), make(chan struct{}, 100)
	_ = b.Subscribe("/slow", func(*cluster.Message) { begun <- struct{}{}; <-blocked })
	brokertest.Ready(t, b)
	for range 30 {
		_ = a.Publish(&cluster.Message{Kind: cluster.Broadcast, Namespace: "/slow", From: a.Node(), Data: sio.Raw{JSON: []byte(`["e"]`)}})
	}
	_ = a.Publish(brokertest.Event(a, `["fast"]`))
	in.Next(t)
	<-begun
	if s := b.Stats(); s.DroppedBehind < 19 || s.DroppedBehind > 20 {
		t.Errorf("%+v", s)
	}
	close(blocked)
	brokertest.Eventually(t, "the rest is delivered", func() bool { s := b.Stats(); return s.Received+s.DroppedBehind == 31 })
}

// A connection that is silent, while another one works, is replaced; the broker ends the old one, so that the node is
// counted once.
func TestHalfOpenConnection(t *testing.T) {
	srv := redistest.Start(t)
	p := brokertest.NewProxy(t, srv.Addr())
	a, in := newTestNode(t, Config{URL: "redis://" + p.Addr().String(), StallAfter: 200 * time.Millisecond})
	b, _ := newTestNode(t, Config{URL: srv.URL("")})
	p.Freeze()
	brokertest.Eventually(t, "the connection was replaced", func() bool { return a.Stats().Outages > 0 && a.Health().State == cluster.Up })
	_ = b.Publish(brokertest.Event(b, `["e"]`))
	if m := in.Next(t); string(m.Data.JSON) != `["e"]` {
		t.Fatal(m)
	}
	brokertest.Eventually(t, "counted once", func() bool { return srv.Subscribers("socket.io-request#/#") == 2 })
	if peers, err := b.Peers(t.Context(), "/"); peers.Count != 1 || err != nil {
		t.Error(peers, err)
	}
}

// While the broker is killed, messages are refused at once; when it is back, the node is, too, with all subscriptions.
// So it is when single connections are ended, and when the broker starts after the node.
func TestBrokerRestarts(t *testing.T) {
	srv := redistest.Start(t)
	srv.Kill()
	states := make(chan cluster.Health, 100)
	a, err := New(Config{URL: srv.URL("rooms=dynamic"), RetryMax: 200 * time.Millisecond, OnHealth: func(h cluster.Health) { states <- h }})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	in := make(brokertest.Inbox, 1<<16)
	if err := a.Subscribe("/", func(m *cluster.Message) { in <- m }); err != nil {
		t.Fatal(err)
	}
	a.RoomCreated("/", "r")
	if h := <-states; h.State != cluster.Down || h.Err == nil {
		t.Fatal(h)
	}
	for round := range 3 {
		if err := a.Publish(brokertest.Event(a, `["e"]`)); !errors.Is(err, cluster.ErrDown) {
			t.Fatal(err)
		}
		if _, err := a.Peers(t.Context(), "/"); !errors.Is(err, cluster.ErrDown) {
			t.Fatal(err)
		}
		if err := a.RoomReady(t.Context(), "/", "r"); !errors.Is(err, cluster.ErrDown) {
			t.Fatal(err)
		}
		srv.Restart()
		brokertest.Ready(t, a)
		b, _ := newTestNode(t, Config{URL: srv.URL("")})
		if err := a.RoomReady(t.Context(), "/", "r"); err != nil {
			t.Fatal(err)
		}
		_ = b.Publish(brokertest.Event(b, brokertest.Number(round), "r"))
		if m := in.Next(t); string(m.Data.JSON) != brokertest.Number(round) {
			t.Fatal(string(m.Data.JSON))
		}
		cutConnections(t, srv, a, b)
		brokertest.Eventually(t, "counted once", func() bool { return srv.Subscribers("socket.io-request#/#") == 2 })
		_ = b.Publish(brokertest.Event(b, brokertest.Number(round+10), "r"))
		if m := in.Next(t); string(m.Data.JSON) != brokertest.Number(round+10) {
			t.Fatal(string(m.Data.JSON))
		}
		_ = b.Close()
		srv.Kill()
		brokertest.Eventually(t, "down", func() bool { return a.Health().State == cluster.Down })
	}
	if len(in) > 0 {
		t.Errorf("%d messages too many", len(in))
	}
}

// While the broker is frozen, publishing never waits and the queue keeps its bound; afterwards what was queued arrives
// in order and once, and what was refused is counted exactly.
func TestBrokerFrozen(t *testing.T) {
	const queue, messages = 1000, 5000
	srv := redistest.Start(t)
	a, _ := newTestNode(t, Config{URL: srv.URL(""), QueueMessages: queue, StallAfter: 300 * time.Millisecond})
	_, in := newTestNode(t, Config{URL: srv.URL("")})
	srv.Freeze()
	refused := 0
	for i := range messages {
		switch err := a.Publish(brokertest.Event(a, brokertest.Number(i))); {
		case errors.Is(err, cluster.ErrFull):
			refused++
		case err != nil:
			t.Fatal(err)
		}
	}
	if s := a.Stats(); s.Queued > queue || s.DroppedFull != uint64(refused) || refused != messages-queue {
		t.Errorf("%+v, %d refused", s, refused)
	}
	brokertest.Eventually(t, "stalled", func() bool { return a.Health().State == cluster.Stalled })
	if _, err := a.Peers(t.Context(), "/"); !errors.Is(err, cluster.ErrDown) {
		t.Error(err)
	}
	srv.Thaw()
	for i := range queue {
		if m := in.Next(t); string(m.Data.JSON) != brokertest.Number(i) {
			t.Fatalf("%s, want %d", m.Data.JSON, i)
		}
	}
	brokertest.Eventually(t, "up", func() bool { return a.Health().State == cluster.Up })
	_ = a.Publish(brokertest.Event(a, `["last"]`))
	if m := in.Next(t); string(m.Data.JSON) != `["last"]` {
		t.Fatalf("%s came twice", m.Data.JSON)
	}
	brokertest.Eventually(t, "all are counted", func() bool { return a.Stats().Published == queue+1 })
	if s := a.Stats(); s.Outages != 0 {
		t.Errorf("%+v", s)
	}
}

// A broker that stays frozen counts as down; what waited is given up, and counted.
func TestBrokerFrozenForLong(t *testing.T) {
	srv := redistest.Start(t)
	a, _ := newTestNode(t, Config{
		URL: srv.URL(""), StallAfter: 100 * time.Millisecond, DownAfter: 300 * time.Millisecond, ConnectTimeout: 200 * time.Millisecond,
	})
	srv.Freeze()
	for i := range 2000 {
		_ = a.Publish(brokertest.Event(a, brokertest.Number(i)))
	}
	brokertest.Eventually(t, "down", func() bool { return a.Health().State == cluster.Down })
	brokertest.Eventually(t, "all is accounted for", func() bool {
		s := a.Stats()
		return s.Queued == 0 && s.DroppedDown+s.DroppedUnknown == 2000
	})
	srv.Thaw()
	brokertest.Ready(t, a)
}

// Wrong configurations are refused, without showing the password.
func TestConfig(t *testing.T) {
	for text, part := range map[string]string{
		"http://x":                            "scheme",
		"redis://127.0.0.1?adapter=unknown":   "adapter",
		"redis://127.0.0.1?rooms=some":        "rooms",
		"redis://user:secret@127.0.0.1:bad/x": "URL",
	} {
		_, err := New(Config{URL: text})
		if err == nil || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := New(Config{URL: "redis://127.0.0.1", QueueBytes: -1}); err == nil {
		t.Error("a negative limit")
	}
	if _, err := New(Config{URL: "redis://127.0.0.1", StallAfter: -1}); err == nil {
		t.Error("a negative time")
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
	a, err := New(Config{URL: "redis://127.0.0.1:1"})
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
