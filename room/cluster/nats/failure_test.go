package nats

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/seed58c87869/siren/poller/pollertest/netns"
	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/brokertest"
	"github.com/seed58c87869/siren/room/cluster/nats/natstest"
)

// While the broker is killed, messages are refused at once; when it is back, the node is, too, with all subscriptions.
// So it is when the broker starts after the node.
func TestBrokerRestarts(t *testing.T) {
	srv := natstest.Start(t, natstest.Options{})
	srv.Kill()
	states := make(chan cluster.Health, 100)
	a, err := New(Config{URL: srv.URL(""), RetryMax: 200 * time.Millisecond, OnHealth: func(h cluster.Health) { states <- h }})
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
	for range 3 {
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
		if err := a.RoomReady(t.Context(), "/", "r"); err != nil {
			t.Fatal(err)
		}
		b, _ := newTestNode(t, Config{URL: srv.URL("")})
		know(t, b, 1)
		for i, rooms := range [][]string{nil, {"r"}, {"other"}, {"r", "x"}} {
			_ = b.Publish(brokertest.Event(b, brokertest.Number(i), rooms...))
		}
		for _, i := range []int{0, 1, 3} {
			if m := in.Next(t); string(m.Data.JSON) != brokertest.Number(i) {
				t.Fatalf("%s, want %d", m.Data.JSON, i)
			}
		}
		know(t, a, 1)
		_ = b.Close()
		if m := in.Next(t); m.Kind != cluster.NodeLeft {
			t.Fatal(m)
		}
		srv.Kill()
		brokertest.Eventually(t, "down", func() bool { return a.Health().State == cluster.Down })
	}
	if len(in) > 0 {
		t.Errorf("%d messages too many", len(in))
	}
}

// While the broker is frozen, publishing never waits and the queue keeps its bound; afterwards what was queued arrives
// in order and once, and what was refused is counted exactly. Nobody takes the other nodes for gone.
func TestBrokerFrozen(t *testing.T) {
	const queue, messages = 1000, 5000
	srv := natstest.Start(t, natstest.Options{})
	a, _ := newTestNode(t, Config{URL: srv.URL(""), QueueMessages: queue, StallAfter: 300 * time.Millisecond})
	_, in := newTestNode(t, Config{URL: srv.URL("")})
	know(t, a, 1)
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
	know(t, a, 1)
	_ = a.Publish(brokertest.Event(a, `["last"]`))
	if m := in.Next(t); string(m.Data.JSON) != `["last"]` {
		t.Fatalf("%s came twice", m.Data.JSON)
	}
	brokertest.Eventually(t, "all are counted", func() bool { return a.Stats().Published == queue+1 })
	if s := a.Stats(); s.Outages != 0 {
		t.Errorf("%+v", s)
	}
}

// Under a flood of long messages to a frozen broker, memory stays within the bounds of the queue: beside it there are
// the buffers of the connection and one message.
func TestBrokerFrozenMemory(t *testing.T) {
	const bytes = 8 << 20
	srv := natstest.Start(t, natstest.Options{})
	a, _ := newTestNode(t, Config{URL: srv.URL(""), QueueBytes: bytes, DownAfter: time.Hour})
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	srv.Freeze()
	before := heap()
	for range 2000 {
		m := brokertest.Event(a, `["e"]`)
		m.Data.Attachments = [][]byte{make([]byte, 64<<10)}
		_ = a.Publish(m)
	}
	if s := a.Stats(); s.QueuedBytes > bytes {
		t.Errorf("%+v", s)
	}
	if grown := heap() - before; grown > 3*bytes {
		t.Errorf("%d MiB for a queue of %d MiB", grown>>20, bytes>>20)
	}
	srv.Thaw()
	brokertest.Eventually(t, "the queue is empty", func() bool { return a.Stats().Queued == 0 })
}

// A broker that stays frozen counts as down; what waited is given up, and counted.
func TestBrokerFrozenForLong(t *testing.T) {
	srv := natstest.Start(t, natstest.Options{})
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

// A node that ends without a word is missed: what waits for it ends, and it is no peer any longer.
func TestNodeVanishes(t *testing.T) {
	srv := natstest.Start(t, natstest.Options{})
	p := brokertest.NewProxy(t, srv.Addr())
	a, in := newTestNode(t, Config{URL: srv.URL(""), HeartbeatEvery: 50 * time.Millisecond, NodeTimeout: 500 * time.Millisecond})
	b, _ := newTestNode(t, Config{URL: "nats://" + p.Addr().String(), HeartbeatEvery: 50 * time.Millisecond})
	know(t, a, 1)
	_ = p.Close() // b cannot connect again
	p.Freeze()
	if m := in.Next(t); m.Kind != cluster.NodeLeft || m.From != b.Node() {
		t.Fatalf("%+v", m)
	}
	know(t, a, 0)
}

// A connection that is silent, while another one works, is replaced.
func TestHalfOpenConnection(t *testing.T) {
	srv := natstest.Start(t, natstest.Options{})
	p := brokertest.NewProxy(t, srv.Addr())
	a, in := newTestNode(t, Config{URL: "nats://" + p.Addr().String(), StallAfter: 200 * time.Millisecond})
	b, _ := newTestNode(t, Config{URL: srv.URL("")})
	p.Freeze()
	brokertest.Eventually(t, "the connection was replaced", func() bool { return a.Stats().Outages > 0 && a.Health().State == cluster.Up })
	_ = b.Publish(brokertest.Event(b, `["e"]`))
	if m := in.Next(t); string(m.Data.JSON) != `["e"]` {
		t.Fatal(m)
	}
	know(t, b, 1)
}

// What the broker did not confirm before the connection was lost is counted as unknown, and is not sent again.
func TestConnectionCut(t *testing.T) {
	const messages = 20_000
	srv := natstest.Start(t, natstest.Options{})
	p := brokertest.NewProxy(t, srv.Addr())
	a, _ := newTestNode(t, Config{URL: "nats://" + p.Addr().String()})
	_, in := newTestNode(t, Config{URL: srv.URL("")})
	taken := 0
	for i := range messages {
		if a.Publish(brokertest.Event(a, brokertest.Number(i))) == nil {
			taken++
		}
		if i%5000 == 2500 {
			p.Cut()
		}
	}
	brokertest.Eventually(t, "all is accounted for", func() bool {
		s := a.Stats()
		return s.Queued == 0 && s.Published+s.DroppedUnknown+s.DroppedDown >= uint64(messages)
	})
	s := a.Stats()
	if s.Published+s.DroppedUnknown+s.DroppedDown+s.DroppedFull != messages {
		t.Errorf("%+v", s)
	}
	brokertest.Ready(t, a)
	_ = a.Publish(brokertest.Event(a, `["last"]`))
	seen := map[string]bool{}
	for {
		m := in.Next(t)
		text := string(m.Data.JSON)
		if m.Kind != cluster.Broadcast {
			continue
		}
		if text == `["last"]` {
			break
		}
		if seen[text] {
			t.Fatal(text, "came twice")
		}
		seen[text] = true
	}
	if n := uint64(len(seen)); n < s.Published || n > uint64(taken) {
		t.Errorf("%d came of %+v", n, s)
	}
}

// Nothing of the failures depends on luck. SIREN_SOAK=n runs them n times more.
func TestFailuresSoak(t *testing.T) {
	for i := range netns.Soak() - 1 {
		for name, test := range map[string]func(*testing.T){
			"restarts": TestBrokerRestarts, "frozen": TestBrokerFrozen, "frozen for long": TestBrokerFrozenForLong,
			"half open": TestHalfOpenConnection, "vanishes": TestNodeVanishes, "cut": TestConnectionCut,
			"several servers": TestBrokerOfSeveralServers, "hostile": TestHostileBroker,
		} {
			t.Run(fmt.Sprint(name, " ", i), test)
		}
	}
}

// What the client has dropped is still known when its connection has ended.
func TestDropsOfEndedConnection(t *testing.T) {
	srv := natstest.Start(t, natstest.Options{})
	_, o, err := Config{URL: srv.URL("")}.settle()
	if err != nil {
		t.Fatal(err)
	}
	var links [2]*link
	for i := range links {
		if links[i], err = dial(t.Context(), o, func(*link) {}); err != nil {
			t.Fatal(err)
		}
		defer links[i].Fail(nil)
	}
	l, other := links[0], links[1]
	l.came = make(chan *nats.Msg, 1) // which nobody empties
	if err := l.Change(t.Context(), []string{"x"}, nil); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if err := other.conn.Publish("x", nil); err != nil {
			t.Fatal(err)
		}
	}
	brokertest.Eventually(t, "the client has dropped", func() bool { return l.dropped() == 9 })
	l.Fail(nil)
	brokertest.Eventually(t, "the connection has ended", l.conn.IsClosed)
	if n := l.dropped(); n != 9 {
		t.Errorf("%d dropped messages are known, want 9", n)
	}
}
