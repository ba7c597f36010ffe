package forward

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/server/engineio"
	"github.com/seed58c87869/siren/session/sessiontest"
)

// freezer passes the connections to a node on. While it is frozen, nothing passes, as with a process that is stopped:
// the kernel accepts, and nobody answers.
type freezer struct {
	ln     net.Listener
	target atomic.Pointer[string]
	mu     sync.Mutex
	thawed *sync.Cond
	frozen bool // guarded by mu
	conns  sync.WaitGroup
}

func newFreezer(t *testing.T) *freezer {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &freezer{ln: ln}
	f.thawed = sync.NewCond(&f.mu)
	f.conns.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			f.conns.Go(func() { f.join(c) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		f.freeze(false)
		f.conns.Wait()
	})
	return f
}

func (f *freezer) freeze(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.frozen = on
	f.thawed.Broadcast()
}

func (f *freezer) wait() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.frozen {
		f.thawed.Wait()
	}
}

func (f *freezer) join(c net.Conn) {
	defer c.Close()
	f.wait()
	d, err := net.Dial("tcp", *f.target.Load())
	if err != nil {
		return
	}
	defer d.Close()
	var both sync.WaitGroup
	pass := func(from, to net.Conn) {
		buf := make([]byte, 32<<10)
		for {
			n, err := from.Read(buf)
			f.wait()
			if n > 0 {
				if _, err := to.Write(buf[:n]); err != nil {
					break
				}
			}
			if err != nil {
				break
			}
		}
		_, _ = from.Close(), to.Close()
	}
	both.Go(func() { pass(c, d) })
	both.Go(func() { pass(d, c) })
	both.Wait()
}

// Requests for a node that does not answer get 503, those under way too, and all is well when it answers again.
func TestFrozenOwner(t *testing.T) {
	f := newFreezer(t)
	owner := start(t, func(c *Config, _ *engineio.Config) { c.Advertise = f.ln.Addr().String() })
	address := owner.Addr().String()
	f.target.Store(&address)
	other := start(t, func(c *Config, _ *engineio.Config) {
		c.Peers = []string{f.ln.Addr().String()}
		c.PingInterval, c.PingTimeout = 10*time.Millisecond, 500*time.Millisecond
	})
	waitFor(t, "the node to be up", func() bool { return other.up() == 1 })
	b := newBrowser(t)
	sid := b.open(owner)
	b.do(other, "POST", "&sid="+sid, "4a").want(t, 200, "ok")
	b.do(other, "GET", "&sid="+sid, "").want(t, 200, "4a")
	waiting := make(chan answer, 1)
	go func() {
		a, err := b.try(other, "GET", "&sid="+sid, "")
		if err != nil {
			t.Error(err)
		}
		waiting <- a
	}()
	waitFor(t, "the GET to be under way", func() bool { n, _ := other.under(); return n == 1 })
	f.freeze(true)
	if a := <-waiting; a.StatusCode != 503 || a.Header.Get("Retry-After") == "" {
		t.Error(a.Status, a.text)
	}
	for _, method := range []string{"GET", "POST"} {
		if a := b.do(other, method, "&sid="+sid, "4b"); a.StatusCode != 503 {
			t.Error(method, a.Status, a.text)
		}
	}
	if n, _ := other.under(); n != 0 {
		t.Errorf("%d under way", n)
	}
	f.freeze(false)
	waitFor(t, "the node to be up again", func() bool { return other.up() == 1 })
	sid = b.open(owner)
	b.do(other, "POST", "&sid="+sid, "4c").want(t, 200, "ok")
	b.do(other, "GET", "&sid="+sid, "").want(t, 200, "4c")
	if s := other.Stats(); s.Losses == 0 || s.Failed["stalled"] < 3 {
		t.Errorf("%+v", s)
	}
}

// queued returns the number of bytes that wait in the queues of a node's connections.
func (n *node) queued() (sum int) {
	for _, l := range n.serving.Load().lanes {
		told := make(chan int, 1)
		l.loop.PostFunc(func() { told <- l.loop.Queued() })
		sum += <-told
	}
	return sum
}

// While a client takes nothing, the node between it and its session keeps no more than the window.
func TestSlowClient(t *testing.T) {
	const size, window = 15 << 20, 128 << 10
	const most = window + 3*64<<10 // what one read brings comes on top, on each of two loops, and the head
	nodes := startAll(t, 2, func(f *Config, s *engineio.Config) {
		f.WindowBytes = window
		s.Session.MaxPayload, s.Session.QueueBytes = 16<<20, 64<<20
	})
	message := strings.Repeat("0123456789abcdef", size/16)
	held := func(t *testing.T, passed func() uint64) {
		t.Helper()
		waitFor(t, "the client's buffers to be full", func() bool {
			return nodes[1].queued() > window/2 && passed() > 0
		})
		turns := 100
		// Meanwhile the loops serve another client, so they have had time for more of the message.
		b := newBrowser(t)
		for other := b.open(nodes[0]); turns > 0; turns-- {
			b.do(nodes[1], "POST", "&sid="+other, "4a").want(t, 200, "ok")
			b.do(nodes[1], "GET", "&sid="+other, "").want(t, 200, "4a")
			if n := nodes[1].queued(); n > most {
				t.Fatalf("%d bytes wait at the node in between", n)
			}
		}
		if n := passed(); n > size-1<<20 {
			t.Fatalf("%d bytes have passed, although the client takes nothing", n)
		}
	}
	t.Run("polling", func(t *testing.T) {
		b := newBrowser(t)
		sid := b.open(nodes[0])
		b.do(nodes[1], "POST", "&sid="+sid, "4"+message).want(t, 200, "ok")
		c := nodes[1].dial(t).(*net.TCPConn)
		_ = c.SetReadBuffer(64 << 10)
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", target(sid, "polling"))
		held(t, func() uint64 { return nodes[1].Stats().AnswerBytes })
		_ = c.SetDeadline(time.Now().Add(patience))
		all, err := io.ReadAll(c)
		if err != nil || !bytes.HasSuffix(all, []byte("4"+message)) || !bytes.Contains(all[:1000], []byte("Connection: close\r\n")) {
			t.Fatalf("%d bytes, %v", len(all), err)
		}
	})
	t.Run("websocket", func(t *testing.T) {
		b := newBrowser(t)
		sid := b.open(nodes[0])
		c := nodes[1].dial(t).(*net.TCPConn)
		_ = c.SetReadBuffer(64 << 10)
		w, err := sessiontest.OpenWebSocket(c, target(sid, "websocket"))
		if err != nil {
			t.Fatal(err)
		}
		_ = w.Send("2probe")
		if m, err := w.Next(); err != nil || m.Text != "3probe" {
			t.Fatal(m, err)
		}
		_ = w.Send("5", "4"+message)
		held(t, func() uint64 { return nodes[1].Stats().DownBytes })
		if m, err := w.Next(); err != nil || m.Bytes != size+1 {
			t.Fatal(m, err)
		}
	})
}

// The nodes' listener closes connections of those who do not know the secret, and of nodes that send what they must
// not.
func TestHostileNodes(t *testing.T) {
	n := start(t, func(f *Config, _ *engineio.Config) { f.GreetTimeout, f.MaxGreetings = 2*time.Second, 8 })
	k := testKeys()
	dial := func() net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", n.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(patience))
		return c
	}
	closed := func(what string, c net.Conn) {
		t.Helper()
		if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Errorf("%s: the connection stays open", what)
		}
	}
	greeting := func(k *keys, at time.Time) []byte {
		return (&hello{kind: kindLink, time: at, from: 1, to: n.own}).append(nil, k)
	}
	for reason, first := range map[string][]byte{
		"malformed": bytes.Repeat([]byte("GET / HTTP/1.1\r\n"), 8)[:helloSize],
		"proof":     greeting(newKeys([]byte("another secret of 16 bytes")), time.Now()),
		"time":      greeting(k, time.Now().Add(-time.Hour)),
		"replayed":  append(greeting(k, time.Now()), make([]byte, macSize)...),
		"timeout":   []byte("SIREN"),
	} {
		c := dial()
		if _, err := c.Write(first); err != nil {
			t.Fatal(err)
		}
		closed(reason, c)
		waitFor(t, reason, func() bool { return n.Stats().Refused[reason] == 1 })
	}
	link := func() net.Conn {
		t.Helper()
		c := dial()
		if _, err := greet(c, k, hello{kind: kindLink, time: time.Now(), to: n.own}); err != nil {
			t.Fatal(err)
		}
		return c
	}
	get := "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\n\r\n"
	prefix := func(size int) string { return string(appendPrefix(nil, netip.AddrPort{}, false, size)) }
	for what, data := range map[string]string{
		"no prefix": get, "nothing": prefix(0), "too long": prefix(1<<31 - 1), "no request": prefix(8) + "\x00\x01\x02\x03\r\n\r\n",
		"two at once": prefix(len(get)) + get[:len(get)-4] + "\r\n\r\n" + prefix(len(get))[:1] + "garbage garbage",
	} {
		c := link()
		if _, err := c.Write([]byte(data)); err != nil {
			t.Fatal(err)
		}
		closed(what, c)
	}
	if s := n.Stats(); s.Malformed < 3 {
		t.Errorf("%+v", s)
	}
	// Silent connections are bounded in number and time, and do not keep a node out for long.
	for range 20 {
		dial()
	}
	waitFor(t, "the bound", func() bool { return n.Stats().Refused["full"] > 0 })
	waitFor(t, "a greeting", func() bool {
		c, err := net.Dial("tcp", n.Addr().String())
		if err != nil {
			return false
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(patience))
		_, err = greet(c, k, hello{kind: kindWatch, time: time.Now()})
		return err == nil
	})
}

// A thousand polling clients over three nodes, with each request at another one: every message arrives, once.
func TestManyPollingClients(t *testing.T) {
	const clients, rounds = 1000, 3
	nodes := startAll(t, 3, nil)
	b := newBrowser(t)
	var all sync.WaitGroup
	places := make(chan struct{}, 100)
	var failed atomic.Int64
	for i := range clients {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			if err := chat(b, nodes, i, rounds); err != nil && failed.Add(1) < 5 {
				t.Error(i, err)
			}
		})
	}
	all.Wait()
	var sent, received uint64
	for i, n := range nodes {
		s := n.Stats()
		sent, received = sent+s.Sent, received+s.Received
		waitFor(t, "the requests to end", func() bool { n, _ := nodes[i].under(); return n == 0 })
		for reason, n := range s.Failed {
			if n > 0 {
				t.Errorf("node %d: %d failed: %s", i, n, reason)
			}
		}
		if s.Dials > s.Sent/4 {
			t.Errorf("node %d: %d connections for %d requests", i, s.Dials, s.Sent)
		}
	}
	if sent == 0 || sent != received {
		t.Errorf("%d sent, %d received", sent, received)
	}
}

// chat opens a session and exchanges messages with it, at one node after the other.
func chat(b *browser, nodes []*node, i, rounds int) error {
	a, err := b.try(nodes[i%3], "GET", "", "")
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(a.text, `"sid":"`)
	sid, _, _ := strings.Cut(rest, `"`)
	for r := range rounds {
		text := fmt.Sprintf("4message %d of %d", r, i)
		if a, err = b.try(nodes[(i+r+1)%3], "POST", "&sid="+sid, text); err != nil || a.text != "ok" {
			return fmt.Errorf("POST: %v %q", err, a.text)
		}
		if a, err = b.try(nodes[(i+r+2)%3], "GET", "&sid="+sid, ""); err != nil || a.text != text {
			return fmt.Errorf("GET: %v %q", err, a.text)
		}
	}
	a, err = b.try(nodes[(i+1)%3], "POST", "&sid="+sid, "1")
	if err == nil && a.text != "ok" {
		err = fmt.Errorf("close: %q", a.text)
	}
	return err
}

// Requests above the limit get 503, and those below it go on.
func TestMaxForwards(t *testing.T) {
	nodes := startAll(t, 2, func(f *Config, _ *engineio.Config) { f.MaxForwards, f.MaxWebSockets = 1, 1 })
	b := newBrowser(t)
	sids := []string{b.open(nodes[0]), b.open(nodes[0])}
	first := nodes[0].next(t)
	waiting := make(chan answer, 1)
	go func() {
		a, _ := b.try(nodes[1], "GET", "&sid="+first.ID(), "")
		waiting <- a
	}()
	waitFor(t, "the GET to be under way", func() bool { n, _ := nodes[1].under(); return n == 1 })
	for _, sid := range sids {
		if a := b.do(nodes[1], "POST", "&sid="+sid, "4a"); a.StatusCode != 503 {
			t.Error(a.Status)
		}
	}
	if err := first.SendText("b"); err != nil {
		t.Fatal(err)
	}
	(<-waiting).want(t, 200, "4b")
	b.do(nodes[1], "POST", "&sid="+sids[1], "4a").want(t, 200, "ok")
	if n := nodes[1].Stats().Failed["full"]; n != 2 {
		t.Errorf("%d were too many", n)
	}
	if _, err := sessiontest.OpenWebSocket(nodes[1].dial(t), target(sids[0], "websocket")); err != nil {
		t.Fatal(err)
	}
	if _, err := sessiontest.OpenWebSocket(nodes[1].dial(t), target(sids[1], "websocket")); err == nil {
		t.Error("a second WebSocket")
	}
}

// Nodes find each other over the adapter of their cluster, and by who connects to them.
func TestDiscovery(t *testing.T) {
	bus := cluster.NewBus()
	var nodes []*node
	for i := range 3 {
		nodes = append(nodes, start(t, func(f *Config, _ *engineio.Config) {
			a := bus.Node(fmt.Sprint(i))
			t.Cleanup(func() { _ = a.Close() })
			f.Discovery, f.AnnounceInterval = Over(a), 20*time.Millisecond
		}))
	}
	for _, n := range nodes {
		waitFor(t, "all nodes to be up", func() bool { return n.up() == 2 })
		n.Settle(t.Context())
	}
	b := newBrowser(t)
	sid := b.open(nodes[2])
	for _, n := range nodes {
		b.do(n, "POST", "&sid="+sid, "4a").want(t, 200, "ok")
		b.do(n, "GET", "&sid="+sid, "").want(t, 200, "4a")
	}
	_ = nodes[2].srv.Close()
	_ = nodes[2].Node.Close()
	for _, n := range nodes[:2] {
		waitFor(t, "the node to be forgotten", func() bool { return len(n.Peers()) == 1 })
	}
}

// A node that is lost counts once, whatever becomes of it.
func TestLosses(t *testing.T) {
	n, err := New(Config{Listen: "127.0.0.1:0", Secret: testSecret})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	p := newPeer(n, "127.0.0.1:1", true)
	for _, s := range []State{Up, Stalled, Up, Stalled, Down, Up, Down} {
		p.become(s)
	}
	if got := n.Stats().Losses; got != 3 {
		t.Errorf("%d losses, want 3", got)
	}
}

// The connections that are kept are bounded, whatever loops the ids of requests name.
func TestLinksToManyLoops(t *testing.T) {
	const most = 3
	nodes := startAll(t, 2, func(c *Config, _ *engineio.Config) { c.MaxForwards, c.IdleTimeout = most, time.Hour })
	b := newBrowser(t)
	sid := b.open(nodes[0])
	var raw [sidRaw]byte
	if _, err := base64.RawURLEncoding.Decode(raw[:], []byte(sid)); err != nil {
		t.Fatal(err)
	}
	links := func() (n int64) {
		nodes[1].mu.Lock()
		defer nodes[1].mu.Unlock()
		for _, p := range nodes[1].peers {
			n += p.links.Load()
		}
		return n
	}
	for loop := range 20 {
		raw[sidRandom] = byte(loop + 100)
		b.do(nodes[1], "GET", "&sid="+base64.RawURLEncoding.EncodeToString(raw[:]), "").want(t, 400, unknown)
	}
	waitFor(t, "the links to be few", func() bool { return links() <= most })
	b.do(nodes[1], "POST", "&sid="+sid, "4a").want(t, 200, "ok")
	b.do(nodes[1], "GET", "&sid="+sid, "").want(t, 200, "4a")
}
