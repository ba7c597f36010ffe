package nats

import (
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/room/cluster/internal/brokertest"
	"github.com/seed58c87869/siren/room/cluster/nats/natstest"
)

// Bad messages on all subjects are counted, and do not stop the good ones. The node's own, which somebody sends back,
// are left out.
func TestHostileBroker(t *testing.T) {
	srv := natstest.Start(t, natstest.Options{})
	a, _ := newTestNode(t, Config{URL: srv.URL("")})
	b, in := newTestNode(t, Config{URL: srv.URL(""), MaxMessage: 1 << 16})
	know(t, b, 1)
	join(t, b, "room")
	sp := b.space("/")
	c := raw(t, srv)
	bad := 0
	for _, payload := range []string{
		"", "\x01", "\xc0", "\x01m", "\x01x", "\x02m\x03", "\x01p", "\x01n", "\x01n\x01\x00", "\x01m\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"\x80\x04\x95pickle", `{"type":3}`, strings.Repeat("\x91", 50_000), strings.Repeat("x", 1<<17),
	} {
		for _, subject := range []string{sp.subjects.all, sp.subjects.room + token("room"), sp.subjects.own, b.nodes.all, b.nodes.own} {
			if err := c.Publish(subject, []byte(payload)); err != nil {
				t.Fatal(err)
			}
			bad++
		}
	}
	own, _ := appendMessage(nil, brokertest.Event(b, `["own"]`), b.Node())
	_ = c.Publish(sp.subjects.all, own)
	_ = c.Publish(b.nodes.all, appendNews(nil, &news{verb: verbBye, node: b.Node()}))
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	_ = a.Publish(brokertest.Event(a, `["good"]`))
	if m := in.Next(t); string(m.Data.JSON) != `["good"]` {
		t.Fatalf("%+v", m)
	}
	brokertest.Eventually(t, "all are counted", func() bool { s := b.Stats(); return s.Received == 1 && s.Malformed == uint64(bad) })
	know(t, b, 1)
}

// A flood of introductions of one node, and of very many nodes, neither makes a storm of answers nor fills the memory.
func TestFloodOfNews(t *testing.T) {
	srv := natstest.Start(t, natstest.Options{})
	b, _ := newTestNode(t, Config{URL: srv.URL(""), MaxNodes: 100})
	c := raw(t, srv)
	answers, err := c.SubscribeSync(b.nodes.node + token("x"))
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for range 20_000 {
		_ = c.Publish(b.nodes.all, appendNews(nil, &news{verb: verbHello, node: "x", began: 1, namespaces: []string{"/"}}))
	}
	for i := range 1000 {
		_ = c.Publish(b.nodes.all, appendNews(nil, &news{verb: verbHello, node: brokertest.Number(i), began: 1, namespaces: []string{"/"}}))
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	brokertest.Eventually(t, "all were taken", func() bool { return b.Stats().Malformed == 1000-99 })
	know(t, b, 100)
	if n, _, _ := answers.Pending(); n > 2+int(time.Since(began)/tellEvery) {
		t.Errorf("%d answers", n)
	}
	for i := range 1000 { // they say goodbye
		_ = c.Publish(b.nodes.all, appendNews(nil, &news{verb: verbBye, node: brokertest.Number(i), began: 1}))
	}
	know(t, b, 1)
}

// A node with the same id that was started again is another one: what waited for the first one ends.
func TestSameNodeAgain(t *testing.T) {
	var left []string
	p := newPresence("me", presenceTimes{timeout: time.Hour}, 10, func(ns, node string) { left = append(left, ns+" "+node) }, func() {})
	now := time.Now()
	p.receive(&news{verb: verbHello, node: "x", began: 1, version: 1, namespaces: []string{"/", "/a"}}, now)
	p.receive(&news{verb: verbChange, node: "x", began: 1, version: 2, gone: []string{"/a"}}, now)
	if len(left) != 1 || left[0] != "/a x" {
		t.Fatal(left)
	}
	p.receive(&news{verb: verbHello, node: "x", began: 2, version: 1, namespaces: []string{"/"}}, now)
	if len(left) != 2 || left[1] != "/ x" || len(p.with("/")) != 1 {
		t.Fatal(left, p.with("/"))
	}
	p.receive(&news{verb: verbBye, node: "x", began: 1}, now)
	if len(left) != 2 || len(p.with("/")) != 1 {
		t.Fatal("the last word of the first one counts as one of the second", left)
	}
	p.receive(&news{verb: verbBye, node: "x", began: 2}, now)
	if len(left) != 3 || len(p.with("/")) != 0 {
		t.Fatal(left, p.with("/"))
	}
}

// A change that was missed is asked for, not more often than once in a while.
func TestMissedChange(t *testing.T) {
	p := newPresence("me", presenceTimes{timeout: time.Hour}, 10, func(string, string) {}, func() {})
	now := time.Now()
	hellos := func() (n int) {
		for _, x := range p.letters(false, now) {
			if x.to == "x" && x.verb == verbHello {
				n++
			}
		}
		return n
	}
	p.receive(&news{verb: verbList, node: "x", began: 1, version: 1, namespaces: []string{"/"}}, now)
	for range 3 {
		p.receive(&news{verb: verbChange, node: "x", began: 1, version: 3, namespaces: []string{"/b"}}, now)
	}
	if n := hellos(); n != 1 || len(p.with("/b")) != 0 {
		t.Error(n, p.with("/b"))
	}
	now = now.Add(askEvery)
	p.receive(&news{verb: verbBeat, node: "x", began: 1, version: 3}, now)
	if n := hellos(); n != 1 {
		t.Error(n)
	}
	p.receive(&news{verb: verbList, node: "x", began: 1, version: 3, namespaces: []string{"/", "/b"}}, now)
	p.receive(&news{verb: verbBeat, node: "x", began: 1, version: 3}, now.Add(askEvery))
	if n := hellos(); n != 0 || len(p.with("/b")) != 1 {
		t.Error(n, p.with("/b"))
	}
}

// Nobody who is silent is taken for gone while this node cannot hear anybody.
func TestNobodyIsHeard(t *testing.T) {
	gone := 0
	p := newPresence("me", presenceTimes{timeout: time.Second}, 10, func(string, string) { gone++ }, func() {})
	now := time.Now()
	p.receive(&news{verb: verbList, node: "x", began: 1, namespaces: []string{"/"}}, now)
	p.look(now.Add(10*time.Second), false)
	p.look(now.Add(11*time.Second), true)
	if gone != 0 {
		t.Fatal("a node was given up")
	}
	p.look(now.Add(12*time.Second), true)
	if gone != 1 {
		t.Fatal("a silent node is still there")
	}
}

// In a broker of several servers, what other nodes emit reaches a room from the time on at which it is ready.
func TestBrokerOfSeveralServers(t *testing.T) {
	servers := natstest.StartCluster(t, 3, natstest.Options{})
	a, inA := newTestNode(t, Config{URL: servers[0].URL("")})
	b, _ := newTestNode(t, Config{URL: servers[1].URL("")})
	c, _ := newTestNode(t, Config{URL: servers[2].URL("")})
	for _, n := range []*Adapter{a, b, c} {
		know(t, n, 2)
	}
	for i := range 200 {
		room := brokertest.Number(i)
		join(t, a, room)
		from := []*Adapter{b, c}[i%2]
		if err := from.Publish(brokertest.Event(from, brokertest.Number(i), room)); err != nil {
			t.Fatal(err)
		}
		if m := inA.Next(t); string(m.Data.JSON) != brokertest.Number(i) {
			t.Fatal(m)
		}
	}
	// A node goes on with another server of the broker when its own is killed.
	brokertest.Eventually(t, "the broker has told of its servers", func() bool { return len(a.keeper.Link().conn.DiscoveredServers()) == 2 })
	servers[0].Kill()
	brokertest.Eventually(t, "the node is back", func() bool { return a.Stats().Outages > 0 && a.Health().State == cluster.Up })
	know(t, a, 2)
	_ = c.Publish(brokertest.Event(c, `["e"]`, brokertest.Number(7)))
	for {
		if m := inA.Next(t); m.Kind == cluster.Broadcast && string(m.Data.JSON) == `["e"]` {
			break
		}
	}
}
