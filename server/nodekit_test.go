package server

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/seed58c87869/siren/room/cluster"
	"github.com/seed58c87869/siren/server/internal/collect"
)

// paper is an adapter that sends nothing: it keeps what its node says, and the test says what other nodes do.
type paper struct {
	peers cluster.Peers

	mu   sync.Mutex
	said []*cluster.Message // guarded by mu
}

func (*paper) Node() string                                           { return "here" }
func (*paper) Subscribe(string, func(m *cluster.Message)) error       { return nil }
func (*paper) Unsubscribe(string)                                     {}
func (p *paper) Peers(context.Context, string) (cluster.Peers, error) { return p.peers, nil }
func (*paper) Close() error                                           { return nil }
func (p *paper) Send(_ string, m *cluster.Message) error              { return p.Publish(m) }
func (p *paper) Publish(m *cluster.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = append(p.said, m)
	return nil
}

// heard takes the messages of that kind which the node has sent since.
func (p *paper) heard(k cluster.Kind) (out []*cluster.Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	rest := p.said[:0]
	for _, m := range p.said {
		if m.Kind == k {
			out = append(out, m)
		} else {
			rest = append(rest, m)
		}
	}
	p.said = rest
	return out
}

// next waits for a message of that kind.
func (p *paper) next(t *testing.T, k cluster.Kind) *cluster.Message {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Microsecond) {
		if all := p.heard(k); len(all) > 0 {
			return all[0]
		}
	}
	t.Fatalf("no message %v", k)
	return nil
}

// newPaperRig returns a rig that is a node of a cluster with nodes b and c.
func newPaperRig(t *testing.T, cfg Config) (*rig, *paper) {
	t.Helper()
	p := &paper{peers: cluster.Peers{Count: 2, Nodes: []string{"b", "c"}}}
	r := newRig(t, cfg, WithAdapter(p))
	return r, p
}

// says is a message of another node to this one.
func (r *rig) says(ns *Namespace, m cluster.Message) {
	m.Namespace = ns.name
	r.srv.node.receive(ns, &m)
}

// questions returns how many questions to other nodes are not over.
func (r *rig) questions() int {
	asked, _ := r.srv.node.questions.Len()
	return asked
}

// foreign returns how many questions of other nodes are not over.
func (r *rig) foreign() int {
	_, foreign := r.srv.node.questions.Len()
	return foreign
}

// eventually polls until cond holds, while the loop runs.
func (r *rig) eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !cond(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatal("not in time: ", what)
		}
		r.loop.run()
	}
}

// fetched is what FetchSockets returned.
type fetched struct {
	sockets []RemoteSocket
	err     error
}

func fetchLater(ctx context.Context, ns *Namespace) <-chan fetched {
	ch := make(chan fetched, 1)
	go func() {
		s, err := ns.FetchSockets(ctx)
		ch <- fetched{s, err}
	}()
	return ch
}

// A node that leaves one namespace goes on answering in the others.
func TestNodeLeavesOneNamespace(t *testing.T) {
	r, p := newPaperRig(t, Config{})
	p.peers = cluster.Peers{Count: 1, Nodes: []string{"b"}}
	x, y := r.srv.Of("/x"), r.srv.Of("/y")
	got := fetchLater(t.Context(), x)
	ask := p.next(t, cluster.FetchSockets)
	r.says(y, cluster.Message{Kind: cluster.NodeLeft, From: "b"})
	r.says(x, cluster.Message{
		Kind: cluster.FetchSocketsResponse, From: "b", Request: ask.Request, Sockets: []cluster.Socket{{ID: "1"}, {ID: "2"}},
	})
	if f := <-got; len(f.sockets) != 2 || f.err != nil {
		t.Error(f)
	}
	// One that leaves the namespace itself is not waited for.
	got = fetchLater(t.Context(), x)
	p.next(t, cluster.FetchSockets)
	r.says(x, cluster.Message{Kind: cluster.NodeLeft, From: "b"})
	if f := <-got; len(f.sockets) != 0 || f.err != nil {
		t.Error(f)
	}
}

// A deadline of the context takes the place of RequestTimeout, on both sides of it.
func TestRequestTimeoutAndContext(t *testing.T) {
	r, p := newPaperRig(t, Config{RequestTimeout: time.Second})
	p.peers = cluster.Peers{Count: 1, Nodes: []string{"b"}}
	ns := r.srv.root
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	got := fetchLater(ctx, ns)
	ask := p.next(t, cluster.FetchSockets)
	r.loop.run()
	r.loop.Advance(time.Minute)
	r.says(ns, cluster.Message{Kind: cluster.FetchSocketsResponse, From: "b", Request: ask.Request})
	if f := <-got; f.err != nil {
		t.Error(f.err)
	}
	got = fetchLater(t.Context(), ns)
	p.next(t, cluster.FetchSockets)
	r.eventually(t, "the time-out is on the wheel", func() bool { return r.loop.Wheel().Len() > 0 })
	r.loop.Advance(time.Second)
	var m *MissingError
	if f := <-got; !errors.Is(f.err, ErrTimeout) || !errors.As(f.err, &m) || m.Nodes != 1 {
		t.Error(f.err)
	}
	if n := r.questions(); n != 0 || r.loop.Wheel().Len() != 0 {
		t.Error(n, "questions pend")
	}
}

// A node that cannot take a question says so, and the node that has asked does not wait for it.
func TestNodeRefuses(t *testing.T) {
	r, p := newPaperRig(t, Config{MaxPendingAcks: 1})
	r.join(t)
	ns := r.srv.root
	// The other side of it: this node refuses what it cannot take.
	event := Raw{JSON: []byte(`["q"]`)}
	r.says(ns, cluster.Message{Kind: cluster.Broadcast, From: "b", Request: "1", Data: event})
	for name, m := range map[string]cluster.Message{
		"too many":   {Kind: cluster.Broadcast, From: "b", Request: "2", Data: event},
		"no event":   {Kind: cluster.Broadcast, From: "b", Request: "2", Data: Raw{JSON: []byte(`[]`)}},
		"no handler": {Kind: cluster.ServerSideEmit, From: "b", Request: "2", Data: event},
	} {
		r.says(ns, m)
		if all := p.heard(cluster.Refused); len(all) != 1 || all[0].Request != "2" {
			t.Errorf("%s: refused %d times", name, len(all))
		}
	}
	r.says(ns, cluster.Message{Kind: cluster.ServerSideEmit, From: "b", Data: event}) // no question
	if len(p.heard(cluster.Refused)) != 0 {
		t.Error("what is no question was refused")
	}
	r.says(ns, cluster.Message{Kind: cluster.NodeLeft, From: "b"})

	got := fetchLater(t.Context(), ns)
	r.eventually(t, "it asks", func() bool { return r.questions() > 0 })
	ask := p.next(t, cluster.FetchSockets)
	r.says(ns, cluster.Message{Kind: cluster.Refused, From: "c", Request: ask.Request})
	r.says(ns, cluster.Message{
		Kind: cluster.FetchSocketsResponse, From: "b", Request: ask.Request, Sockets: []cluster.Socket{{ID: "1"}},
	})
	var m *MissingError
	f := <-got
	if len(f.sockets) != 2 || !errors.Is(f.err, ErrNodeRefused) || !errors.As(f.err, &m) || m.NodeIDs[0] != "c" {
		t.Error(f)
	}
	done := make(chan error, 1)
	if err := ns.EmitAck(t.Context(), "q", func(_ []Reply, err error) { done <- err }); err != nil {
		t.Fatal(err)
	}
	r.loop.run()
	ask = p.next(t, cluster.Broadcast)
	for _, node := range []string{"b", "c"} {
		r.says(ns, cluster.Message{Kind: cluster.Refused, From: node, Request: ask.Request})
	}
	all := r.srv.root.Sockets()
	all[0].client.Message(appendAck(nil, collect.BroadcastIDs+1), false)
	if err := <-done; !errors.Is(err, ErrNodeRefused) || !errors.As(err, &m) || m.Nodes != 2 || m.Clients != 0 {
		t.Error(err)
	}
}

// Who gives up a broadcast's acknowledgements tells the other nodes, which free their places then; so does a node's
// end.
func TestNodesFreeAbandonedAcks(t *testing.T) {
	r, p := newPaperRig(t, Config{MaxPendingAcks: 1})
	_, s := r.join(t)
	ns := r.srv.root
	event := Raw{JSON: []byte(`["q"]`)}
	for i, end := range []cluster.Message{
		{Kind: cluster.Abandoned, From: "b", Request: "1"}, {Kind: cluster.NodeLeft, From: "b"}, {},
	} {
		r.says(ns, cluster.Message{Kind: cluster.Broadcast, From: "b", Request: "1", Data: event})
		r.loop.run()
		for _, other := range []cluster.Message{
			{Kind: cluster.Abandoned, From: "c", Request: "1"}, {Kind: cluster.Abandoned, From: "b", Request: "2"},
			{Kind: cluster.NodeLeft, From: "c"},
		} {
			r.says(ns, other)
		}
		if ns.asks.Len() != 1 || s.pendingAcks() != 1 {
			t.Fatalf("%d: it does not ask", i)
		}
		if end.Kind == 0 {
			r.loop.Advance(time.Minute)
		} else {
			r.says(ns, end)
		}
		r.loop.run()
		if ns.asks.Len() != 0 || s.pendingAcks() != 0 || r.foreign() != 0 {
			t.Errorf("%d: it pends", i)
		}
	}
	p.heard(cluster.Broadcast)
	ctx, cancel := context.WithCancel(t.Context())
	for name, end := range map[string]func(){
		"left early": func() {}, "cancelled": cancel, "timed out": func() { r.loop.Advance(time.Minute) },
	} {
		ctx := ctx
		if name != "cancelled" {
			ctx = t.Context()
		}
		over, next := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(over)
			for range ns.Requests(ctx, "q") {
				close(next)
				return
			}
		}()
		ask := p.next(t, cluster.Broadcast)
		r.loop.run()
		if name == "left early" {
			one := Raw{JSON: []byte(`[1]`)}
			r.says(ns, cluster.Message{Kind: cluster.BroadcastAck, From: "b", Request: ask.Request, Data: one})
			<-next
		}
		for waiting := true; waiting; {
			end() // again, if the question had not begun to wait
			select {
			case <-over:
				waiting = false
			case <-time.After(time.Millisecond):
			}
		}
		r.loop.run()
		abandoned := p.heard(cluster.Abandoned)
		if want := name != "timed out"; (len(abandoned) == 1 && abandoned[0].Request == ask.Request) != want {
			t.Errorf("%s: %d messages", name, len(abandoned))
		}
		if ns.asks.Len() != 0 || s.pendingAcks() != 0 || r.questions() != 0 {
			t.Errorf("%s: it pends", name)
		}
	}
}

// What a loop has no room for is tried again, for a while; other errors are final.
func TestPatiently(t *testing.T) {
	n := new(node)
	tries := 0
	err := n.patiently(func() error {
		if tries++; tries < 4 {
			return ErrQueueFull
		}
		return nil
	})
	if tries != 4 || err != nil {
		t.Error(tries, err)
	}
	tries = 0
	if err := n.patiently(func() error { tries++; return ErrClosed }); tries != 1 || !errors.Is(err, ErrClosed) {
		t.Error(tries, err)
	}
}

// A node whose server closes while its loops deliver another node's broadcast tells how many clients were asked: they
// have the event, so that node must not take them for nobody.
func TestClosingNodeCountsItsClients(t *testing.T) {
	r, p := newPaperRig(t, Config{})
	r.join(t)
	a := newAsk(r.srv.root)
	a.relay = r.srv.node.newRelay(r.srv.root, "b", "1")
	if a.assign(1) != nil || a.Begin() != nil {
		t.Fatal("not begun")
	}
	a.expectLoop(0)
	a.Expected = 1
	a.delivered(0) // while the caller of ask is still posting
	r.srv.waits.End()
	if all := p.heard(cluster.ClientCount); len(all) != 1 || all[0].Count != 1 || all[0].Request != "1" {
		t.Errorf("told %d times", len(all))
	}
	a.delivered(collect.OffLoop)
	if len(p.heard(cluster.ClientCount)) != 0 {
		t.Error("told twice")
	}
}

// The last loop may deliver the event between the end of the wait and its release. The clients are counted then too.
func TestClosingNodeCountsOnce(t *testing.T) {
	r, p := newPaperRig(t, Config{})
	a := newAsk(r.srv.root)
	a.relay = r.srv.node.newRelay(r.srv.root, "b", "1")
	if a.assign(1) != nil || a.Begin() != nil {
		t.Fatal("not begun")
	}
	a.expectLoop(0)
	a.Expected = 1
	a.delivered(0)
	a.Watch(watched{context.Background(), func() { a.delivered(collect.OffLoop) }})
	r.srv.waits.End()
	if all := p.heard(cluster.ClientCount); len(all) != 1 || all[0].Count != 1 {
		t.Errorf("told %d times", len(all))
	}
}

// watched is a context that is told when somebody stops to wait for its end.
type watched struct {
	context.Context
	stopped func()
}

// Done returns a channel that is never closed.
func (watched) Done() <-chan struct{} { return make(chan struct{}) }

// AfterFunc is what context.AfterFunc calls.
func (w watched) AfterFunc(func()) (stop func() bool) {
	return func() bool { w.stopped(); return true }
}
