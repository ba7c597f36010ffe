package pysocketio

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/brokertest"
	"github.com/seed58c87869/siren/room/cluster/redis/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newBridge returns a bridge that is subscribed, and what it receives.
func newBridge(t *testing.T, url string, inner cluster.Adapter) (*Bridge, chan *cluster.Message) {
	t.Helper()
	b, err := New(Config{URL: url}, inner)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	got := make(chan *cluster.Message, 1000)
	if err := b.Subscribe("/", func(m *cluster.Message) { got <- m }); err != nil {
		t.Fatal(err)
	}
	up(t, b)
	return b, got
}

func up(t *testing.T, b *Bridge) {
	t.Helper()
	brokertest.Eventually(t, "it is up", func() bool { h, _ := b.Channel(); return h.State == cluster.Up })
}

func next(t *testing.T, got chan *cluster.Message) *cluster.Message {
	t.Helper()
	select {
	case m := <-got:
		return m
	case <-time.After(brokertest.Patience):
		t.Fatal("nothing came")
	}
	return nil
}

func event(text string) *cluster.Message {
	return &cluster.Message{Kind: cluster.Broadcast, Namespace: "/", Data: sio.Raw{JSON: []byte(text)}}
}

// TestBridge shows what comes from the channel and goes there, beside another adapter.
func TestBridge(t *testing.T) {
	srv := redistest.Start(t)
	bus := cluster.NewBus()
	a, gotA := newBridge(t, srv.URL(""), bus.Node("a"))
	b, gotB := newBridge(t, srv.URL(""), bus.Node("b"))
	python, gotPython := newBridge(t, srv.URL(""), nil) // it takes all messages of the channel, as Python does
	if a.Node() != "a" || python.Node() == "" {
		t.Error(a.Node(), python.Node())
	}
	// Of this cluster's events each node gets one, and Python one.
	if err := a.Publish(event(`["e",1]`)); err != nil {
		t.Fatal(err)
	}
	for _, got := range []chan *cluster.Message{gotB, gotPython} {
		if m := next(t, got); string(m.Data.JSON) != `["e",1]` {
			t.Errorf("%+v", m)
		}
	}
	// What Python publishes comes to each node once.
	srv.Do("PUBLISH", "socketio", `{"method":"emit","event":"py","data":["x"],"namespace":"/","room":null,"skip_sid":null,"host_id":"python","callback":["s","/",7]}`)
	for _, got := range []chan *cluster.Message{gotA, gotB, gotPython} {
		if m := next(t, got); string(m.Data.JSON) != `["py","x"]` || m.Request == "" {
			t.Errorf("%+v", m)
		}
	}
	// An answer goes to the channel, not to the other adapter.
	if err := a.Send("pysocketio:python", &cluster.Message{Kind: cluster.BroadcastAck, Request: `["s","/",7]`, Data: sio.Raw{JSON: []byte("[1]")}}); err != nil {
		t.Error(err)
	}
	brokertest.Eventually(t, "it is published", func() bool { _, s := a.Channel(); return s.Published == 2 })
	for _, text := range []string{"\x80\x04}", `{"method":"x"}`, strings.Repeat("[", 1000)} {
		srv.Do("PUBLISH", "socketio", text)
	}
	brokertest.Eventually(t, "what is malformed is counted", func() bool { _, s := a.Channel(); return s.Malformed == 3 && a.Pickled() == 1 })
	if len(gotA)+len(gotB)+len(gotPython) != 0 {
		t.Error(len(gotA), len(gotB), len(gotPython))
	}
	if p, err := b.Peers(t.Context(), "/"); p.Count != 1 || err != nil {
		t.Error(p, err)
	}
	b.Unsubscribe("/")
	if err := b.Subscribe("/", func(*cluster.Message) {}); err != nil {
		t.Error(err)
	}
	if err := b.Subscribe("/", func(*cluster.Message) {}); err == nil {
		t.Error("it is subscribed already")
	}
	if a.HasLog() || a.WatchesRooms() || a.WatchesSockets() {
		t.Error("the other adapter has none of these")
	}
}

// TestOutage shows that a bridge whose broker is away refuses messages, keeps the other adapter going, and comes back.
func TestOutage(t *testing.T) {
	srv := redistest.Start(t)
	bus := cluster.NewBus()
	a, _ := newBridge(t, srv.URL("channel=c"), bus.Node("a"))
	_, gotB := newBridge(t, srv.URL("channel=c"), bus.Node("b"))
	srv.Kill()
	brokertest.Eventually(t, "the loss is noticed", func() bool { h, _ := a.Channel(); return h.State == cluster.Down })
	if err := a.Publish(event(`["e"]`)); !errors.Is(err, cluster.ErrDown) {
		t.Error(err)
	}
	next(t, gotB)
	srv.Restart()
	up(t, a)
	python, gotPython := newBridge(t, srv.URL("channel=c"), nil)
	if err := a.Publish(event(`["after"]`)); err != nil {
		t.Error(err)
	}
	if m := next(t, gotPython); string(m.Data.JSON) != `["after"]` {
		t.Errorf("%+v", m)
	}
	_ = python.Close()
	if err := python.Publish(event(`["e"]`)); !errors.Is(err, cluster.ErrClosed) {
		t.Error(err)
	}
}

func TestConfig(t *testing.T) {
	for _, c := range []Config{{URL: "\x00"}, {URL: "http://x"}, {URL: "redis://x", MaxMessage: -1}, {URL: "redis://x", RetryMax: -1}} {
		if b, err := New(c, nil); err == nil {
			_ = b.Close()
			t.Errorf("%+v", c)
		}
	}
}
