package nats

import (
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/seed58c87869/siren/poller/pollertest/netns"
	"github.com/seed58c87869/siren/room/cluster"
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
	in := make(inbox, 1<<16)
	if err := a.Subscribe("/", func(m *cluster.Message) { in <- m }); err != nil {
		t.Fatal(err)
	}
	a.RoomCreated("/", "r")
	if h := <-states; h.State != cluster.Down || h.Err == nil {
		t.Fatal(h)
	}
	for range 3 {
		if err := a.Publish(event(a, `["e"]`)); !errors.Is(err, cluster.ErrDown) {
			t.Fatal(err)
		}
		if _, err := a.Peers(t.Context(), "/"); !errors.Is(err, cluster.ErrDown) {
			t.Fatal(err)
		}
		if err := a.RoomReady(t.Context(), "/", "r"); !errors.Is(err, cluster.ErrDown) {
			t.Fatal(err)
		}
		srv.Restart()
		ready(t, a)
		if err := a.RoomReady(t.Context(), "/", "r"); err != nil {
			t.Fatal(err)
		}
		b, _ := newTestNode(t, Config{URL: srv.URL("")})
		know(t, b, 1)
		for i, rooms := range [][]string{nil, {"r"}, {"other"}, {"r", "x"}} {
			_ = b.Publish(event(b, number(i), rooms...))
		}
		for _, i := range []int{0, 1, 3} {
			if m := in.next(t); string(m.Data.JSON) != number(i) {
				t.Fatalf("%s, want %d", m.Data.JSON, i)
			}
		}
		know(t, a, 1)
		_ = b.Close()
		if m := in.next(t); m.Kind != cluster.NodeLeft {
			t.Fatal(m)
		}
		srv.Kill()
		eventually(t, "down", func() bool { return a.Health().State == cluster.Down })
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
		switch err := a.Publish(event(a, number(i))); {
		case errors.Is(err, cluster.ErrFull):
			refused++
		case err != nil:
			t.Fatal(err)
		}
	}
	if s := a.Stats(); s.Queued > queue || s.DroppedFull != uint64(refused) || refused != messages-queue {
		t.Errorf("%+v, %d refused", s, refused)
	}
	eventually(t, "stalled", func() bool { return a.Health().State == cluster.Stalled })
	if _, err := a.Peers(t.Context(), "/"); !errors.Is(err, cluster.ErrDown) {
		t.Error(err)
	}
	srv.Thaw()
	for i := range queue {
		if m := in.next(t); string(m.Data.JSON) != number(i) {
			t.Fatalf("%s, want %d", m.Data.JSON, i)
		}
	}
	eventually(t, "up", func() bool { return a.Health().State == cluster.Up })
	know(t, a, 1)
	_ = a.Publish(event(a, `["last"]`))
	if m := in.next(t); string(m.Data.JSON) != `["last"]` {
		t.Fatalf("%s came twice", m.Data.JSON)
	}
	eventually(t, "all are counted", func() bool { return a.Stats().Published == queue+1 })
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
		m := event(a, `["e"]`)
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
	eventually(t, "the queue is empty", func() bool { return a.Stats().Queued == 0 })
}

// A broker that stays frozen counts as down; what waited is given up, and counted.
func TestBrokerFrozenForLong(t *testing.T) {
	srv := natstest.Start(t, natstest.Options{})
	a, _ := newTestNode(t, Config{
		URL: srv.URL(""), StallAfter: 100 * time.Millisecond, DownAfter: 300 * time.Millisecond, ConnectTimeout: 200 * time.Millisecond,
	})
	srv.Freeze()
	for i := range 2000 {
		_ = a.Publish(event(a, number(i)))
	}
	eventually(t, "down", func() bool { return a.Health().State == cluster.Down })
	eventually(t, "all is accounted for", func() bool {
		s := a.Stats()
		return s.Queued == 0 && s.DroppedDown+s.DroppedUnknown == 2000
	})
	srv.Thaw()
	ready(t, a)
}

// A node that ends without a word is missed: what waits for it ends, and it is no peer any longer.
func TestNodeVanishes(t *testing.T) {
	srv := natstest.Start(t, natstest.Options{})
	p := newProxy(t, srv.Addr())
	a, in := newTestNode(t, Config{URL: srv.URL(""), HeartbeatEvery: 50 * time.Millisecond, NodeTimeout: 500 * time.Millisecond})
	b, _ := newTestNode(t, Config{URL: "nats://" + p.Addr().String(), HeartbeatEvery: 50 * time.Millisecond})
	know(t, a, 1)
	_ = p.Close() // b cannot connect again
	p.freeze()
	if m := in.next(t); m.Kind != cluster.NodeLeft || m.From != b.Node() {
		t.Fatalf("%+v", m)
	}
	know(t, a, 0)
}

// A connection that is silent, while another one works, is replaced.
func TestHalfOpenConnection(t *testing.T) {
	srv := natstest.Start(t, natstest.Options{})
	p := newProxy(t, srv.Addr())
	a, in := newTestNode(t, Config{URL: "nats://" + p.Addr().String(), StallAfter: 200 * time.Millisecond})
	b, _ := newTestNode(t, Config{URL: srv.URL("")})
	p.freeze()
	eventually(t, "the connection was replaced", func() bool { return a.Stats().Outages > 0 && a.Health().State == cluster.Up })
	_ = b.Publish(event(b, `["e"]`))
	if m := in.next(t); string(m.Data.JSON) != `["e"]` {
		t.Fatal(m)
	}
	know(t, b, 1)
}

// What the broker did not confirm before the connection was lost is counted as unknown, and is not sent again.
func TestConnectionCut(t *testing.T) {
	const messages = 20_000
	srv := natstest.Start(t, natstest.Options{})
	p := newProxy(t, srv.Addr())
	a, _ := newTestNode(t, Config{URL: "nats://" + p.Addr().String()})
	_, in := newTestNode(t, Config{URL: srv.URL("")})
	taken := 0
	for i := range messages {
		if a.Publish(event(a, number(i))) == nil {
			taken++
		}
		if i%5000 == 2500 {
			p.cut()
		}
	}
	eventually(t, "all is accounted for", func() bool {
		s := a.Stats()
		return s.Queued == 0 && s.Published+s.DroppedUnknown+s.DroppedDown >= uint64(messages)
	})
	s := a.Stats()
	if s.Published+s.DroppedUnknown+s.DroppedDown+s.DroppedFull != messages {
		t.Errorf("%+v", s)
	}
	ready(t, a)
	_ = a.Publish(event(a, `["last"]`))
	seen := map[string]bool{}
	for {
		m := in.next(t)
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

// proxy forwards connections to a server. What is frozen is neither forwarded nor closed.
type proxy struct {
	net.Listener
	to string

	mu     sync.Mutex // guards what follows
	frozen map[net.Conn]bool
	conns  []net.Conn
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: l, to: to, frozen: map[net.Conn]bool{}}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial("tcp", to)
			if err != nil {
				_ = c.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, c, s)
			p.mu.Unlock()
			all.Go(func() { p.copy(s, c, c) })
			all.Go(func() { p.copy(c, s, c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.cut()
		all.Wait()
	})
	return p
}

// copy forwards from one connection to another, until either ends or the client's is frozen.
func (p *proxy) copy(to, from, client net.Conn) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		p.mu.Lock()
		frozen := p.frozen[client]
		p.mu.Unlock()
		if frozen {
			_, _ = io.Copy(io.Discard, from)
			return
		}
		if n > 0 {
			_, _ = to.Write(b[:n])
		}
		if err != nil {
			_ = to.Close()
			return
		}
	}
}

// freeze makes all present connections silent.
func (p *proxy) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := 0; i < len(p.conns); i += 2 {
		p.frozen[p.conns[i]] = true
	}
}

// cut ends all present connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
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
	eventually(t, "the client has dropped", func() bool { return l.dropped() == 9 })
	l.Fail(nil)
	eventually(t, "the connection has ended", l.conn.IsClosed)
	if n := l.dropped(); n != 9 {
		t.Errorf("%d dropped messages are known, want 9", n)
	}
}
