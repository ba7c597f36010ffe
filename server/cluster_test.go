package server_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed58c87869/siren/server"
)

// Broadcasts reach all nodes, with every operator, in order; Local ones stay.
func TestClusterBroadcast(t *testing.T) {
	n := newNodes(t, server.Config{}, nil)
	clients, all := map[string]*client{}, map[string]*server.Socket{}
	for _, name := range []string{"a", "b", "c"} {
		clients[name], all[name] = n.join(name)
		clients[name+"2"], all[name+"2"] = n.join(name)
		_ = all[name].Join("x")
	}
	a := n.srv["a"].Of("/")
	prepared, _ := server.Prepare("op", -1)
	for i, test := range []struct {
		emit func(i int) (int, error)
		want string
	}{
		{func(i int) (int, error) { return a.Emit("op", i) }, "a a2 b b2 c c2"},
		{func(i int) (int, error) { return n.srv["b"].Emit("op", i) }, "a a2 b b2 c c2"},
		{func(i int) (int, error) { return a.To("x").Emit("op", i) }, "a b c"},
		{func(i int) (int, error) { return a.Except("x").Volatile().Emit("op", i) }, "a2 b2 c2"},
		{func(i int) (int, error) { return a.To(all["c2"].ID(), all["b"].ID()).Emit("op", i) }, "b c2"},
		{func(i int) (int, error) { return all["a"].To("x").Emit("op", i) }, "b c"},
		{func(i int) (int, error) { return all["b2"].Except("x").Emit("op", i) }, "a2 c2"},
		{func(i int) (int, error) { return a.Local().Emit("op", i) }, "a a2"},
		{func(i int) (int, error) { return a.To("nowhere").Emit("op", i) }, ""},
		{func(i int) (int, error) { return n.srv["a"].Of("/n").Emit("op", i) }, ""},
		{func(int) (int, error) { return a.To("x").EmitPrepared(prepared) }, "a b c"},
	} {
		if _, err := test.emit(i); err != nil {
			t.Error(err)
		}
		for _, from := range []string{"a", "b"} {
			n.barrier(from)
		}
		var got []string
		for _, name := range []string{"a", "a2", "b", "b2", "c", "c2"} {
			want := fmt.Sprintf(`2["op",%d]`, i)
			if i == 10 {
				want = `2["op",-1]`
			}
			if clients[name].got(want) {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("case %d: %q, want %q", i, got, test.want)
		}
	}
	for i := range 200 {
		_, _ = a.Emit("many", i, []byte{byte(i)})
	}
	for name, c := range clients {
		for i := range 200 {
			c.expect(fmt.Sprintf(`51-["many",%d,{"_placeholder":true,"num":0}]`, i), fmt.Sprintf("binary %02x", i))
		}
		c.sync()
		_ = name
	}
}

// What the arguments hold may be changed as soon as Emit has returned, for other nodes too.
func TestClusterOwnsItsData(t *testing.T) {
	n := newNodes(t, server.Config{}, nil)
	c, _ := n.join("b")
	data := []byte{1}
	for i := range 100 {
		data[0] = byte(i)
		_, _ = n.srv["a"].Of("/").Emit("e", data)
		data[0] = 0xff
	}
	for i := range 100 {
		c.expect(`51-["e",{"_placeholder":true,"num":0}]`, fmt.Sprintf("binary %02x", i))
	}
}

// Acknowledgements of all nodes; partial ones at the time-out, with the clients and the nodes that are missing.
func TestClusterAcks(t *testing.T) {
	n := newNodes(t, server.Config{RequestTimeout: patience}, nil)
	var clients []*client
	for _, name := range []string{"a", "a", "b", "c"} {
		c, s := n.join(name)
		_ = s.Join("x")
		clients = append(clients, c)
	}
	other, _ := n.join("b")
	a := n.srv["a"].Of("/")
	answer := func(which ...int) {
		for i, c := range clients {
			if id := ackID(t, c.next().text); slices.Contains(which, i) {
				c.send(fmt.Sprintf("3%s[%d]", id, i))
			}
		}
	}
	got := later(func() answers { return callAll(t.Context(), a.To("x").Timeout(patience), "q") })
	answer(0, 1, 2, 3)
	if g := receive(t, got); !slices.Equal(g.values, []int{0, 1, 2, 3}) || g.errs != nil {
		t.Error(g)
	}
	// Nobody on this node, and nobody at all.
	for _, to := range []string{"nowhere", "here"} {
		if g := callAll(t.Context(), a.To(to), "q"); g.values != nil || g.errs != nil {
			t.Error(g)
		}
	}
	// One client of this node and one of another do not answer.
	got = later(func() answers { return callAll(t.Context(), a.To("x").Timeout(3*time.Second), "q") })
	answer(0, 2)
	g := receive(t, got)
	if !slices.Equal(g.values, []int{0, 2}) || len(g.errs) != 1 {
		t.Fatal(g)
	}
	if m := missing(t, g.errs[0]); m.Clients != 2 || m.Nodes != 0 || !errors.Is(m, server.ErrTimeout) {
		t.Error(m)
	}
	// A node does not say anything.
	n.adapters["c"].silent.Store(true)
	got = later(func() answers { return callAll(t.Context(), a.To("x").Timeout(3*time.Second), "q") })
	answer(0, 1, 2, 3)
	g = receive(t, got)
	if !slices.Equal(g.values, []int{0, 1, 2}) || len(g.errs) != 1 {
		t.Fatal(g)
	}
	if m := missing(t, g.errs[0]); m.Clients != 0 || m.Nodes != 1 || !slices.Equal(m.NodeIDs, []string{"c"}) {
		t.Error(m)
	}
	// A node leaves before its client has answered.
	n.adapters["c"].silent.Store(false)
	results := make(chan error, 1)
	if err := a.To("x").EmitAck(t.Context(), "q", func(r []server.Reply, err error) {
		if len(r) != 3 {
			t.Error(r)
		}
		results <- err
	}); err != nil {
		t.Error(err)
	}
	answer(0, 1, 2)
	_ = n.srv["c"].Close()
	if m := missing(t, receive(t, results)); m.Clients+m.Nodes != 1 || !errors.Is(m, server.ErrClosed) {
		t.Error(m)
	}
	// The broker does not work: this node's clients are asked.
	n.adapters["a"].failing.Store(true)
	clients = clients[:2]
	got = later(func() answers { return callAll(t.Context(), a.To("x"), "q") })
	answer(0, 1)
	if g := receive(t, got); !slices.Equal(g.values, []int{0, 1}) || len(g.errs) != 1 || !errors.Is(g.errs[0], server.ErrCluster) {
		t.Error(g)
	}
	other.sync()
}

// Fetching, counting, moving and disconnecting the sockets of all nodes.
func TestClusterSockets(t *testing.T) {
	key := server.NewKey[string]("name", server.Shared())
	n := newNodes(t, server.Config{}, nil)
	all, clients := map[string]*server.Socket{}, map[string]*client{}
	for _, name := range []string{"a", "b", "c"} {
		clients[name], all[name] = n.join(name)
		key.Set(all[name], name)
	}
	a := n.srv["a"].Of("/")
	if err := a.To(all["b"].ID(), all["c"].ID()).SocketsJoin("x", "y"); err != nil {
		t.Error(err)
	}
	_, _ = a.To("x").Emit("x")
	for _, name := range []string{"b", "c"} {
		clients[name].expect(`2["x"]`)
	}
	fetched, err := a.To("x").FetchSockets(t.Context())
	if err != nil || len(fetched) != 2 {
		t.Fatal(fetched, err)
	}
	for _, r := range fetched {
		s := all[r.Node()]
		if s == nil || r.Local() != nil || r.ID() != s.ID() || !slices.Equal(r.Rooms(), s.Rooms()) || r.Handshake().URL == "" {
			t.Errorf("%+v", r)
		}
		if v, ok, err := key.From(r); v != r.Node() || !ok || err != nil {
			t.Error(v, ok, err)
		}
		if r.Node() == "c" {
			if err := errors.Join(r.Emit("you", 1), r.Leave("x"), r.Join("z")); err != nil {
				t.Error(err)
			}
		}
	}
	_, _ = a.To("x").Emit("b")
	_, _ = a.To("z").Emit("c")
	clients["b"].expect(`2["b"]`)
	clients["c"].expect(`2["you",1]`, `2["c"]`)
	for room, want := range map[string]int{"x": 1, "y": 2, "z": 1, "nowhere": 0} {
		if got, err := a.To(room).Count(t.Context()); got != want || err != nil {
			t.Error(room, got, err)
		}
		if got, err := a.To(room).Local().Count(t.Context()); got != 0 || err != nil {
			t.Error(room, got, err)
		}
	}
	if err := all["a"].Broadcast().DisconnectSockets(true); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"b", "c"} {
		clients[name].expect(`1`)
		clients[name].expectClosed()
	}
	clients["a"].sync()
}

// A node that does not answer is named at the time-out, what the others have is returned; one that leaves is not
// waited for.
func TestClusterMissing(t *testing.T) {
	n := newNodes(t, server.Config{RequestTimeout: 3 * time.Second}, nil)
	for _, name := range []string{"a", "b", "c"} {
		n.join(name)
	}
	a := n.srv["a"].Of("/")
	n.adapters["c"].silent.Store(true)
	fetched, err := a.FetchSockets(t.Context())
	if m := missing(t, err); len(fetched) != 2 || m.Nodes != 1 || !slices.Equal(m.NodeIDs, []string{"c"}) || !errors.Is(err, server.ErrTimeout) {
		t.Error(fetched, err)
	}
	if !strings.Contains(err.Error(), "1 nodes (c)") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("cause")
	counted := later(func() error {
		_, err := a.Count(ctx)
		return err
	})
	cancel(cause)
	if err := receive(t, counted); !errors.Is(err, cause) {
		t.Error(err)
	}
	counted = later(func() error {
		n, err := a.Timeout(patience).Count(t.Context())
		if n != 2 {
			t.Error(n)
		}
		return err
	})
	_ = n.srv["c"].Close()
	if err := receive(t, counted); err != nil {
		t.Error(err)
	}
	n.adapters["a"].failing.Store(true)
	fetched, err = a.FetchSockets(t.Context())
	if len(fetched) != 1 || !errors.Is(err, server.ErrCluster) || !errors.Is(err, errBroken) {
		t.Error(fetched, err)
	}
}

// When the adapter fails, the error says that this node's sockets were served, and it is counted.
func TestClusterFailure(t *testing.T) {
	n := newNodes(t, server.Config{}, nil)
	c, s := n.join("a")
	b, _ := n.join("b")
	n.adapters["a"].failing.Store(true)
	ns := n.srv["a"].Of("/")
	if n, err := ns.Emit("e"); n != 1 || !errors.Is(err, server.ErrCluster) || !errors.Is(err, errBroken) {
		t.Error(n, err)
	}
	for _, err := range []error{ns.SocketsJoin("r"), ns.To().SocketsLeave("q"), ns.ServerSideEmit("e"), s.Broadcast().DisconnectSockets(true)} {
		if !errors.Is(err, server.ErrCluster) {
			t.Error(err)
		}
	}
	c.expect(`2["e"]`)
	c.sync()
	b.sync()
	if !s.InRoom("r") || n.srv["a"].Stats().ClusterFailures != 5 {
		t.Error(s.Rooms(), n.srv["a"].Stats().ClusterFailures)
	}
}

// Events between servers, with and without answers.
func TestServerSideEvents(t *testing.T) {
	var mu sync.Mutex
	heard := map[string][]int{}
	n := newNodes(t, server.Config{RequestTimeout: 3 * time.Second}, func(name string, srv *server.Server) {
		ns := srv.Of("/")
		ns.OnServerSide("count", func(_ context.Context, m *server.NodeMessage) {
			var i int
			if err := m.Decode(&i); err != nil || m.Node() != "a" || m.WantsAck() || m.Len() != 1 || m.Event() != "count" {
				t.Error(err, m.Node())
			}
			mu.Lock()
			heard[name] = append(heard[name], i)
			mu.Unlock()
		})
		ns.OnServerSide("ask", func(ctx context.Context, m *server.NodeMessage) {
			// It may ask the cluster itself.
			if _, err := ns.Count(ctx); err != nil {
				t.Error(err)
			}
			for range 2 {
				if err := m.Ack(map[string]any{"name": name, "arg": m.Arg(0), "bin": []byte{7}}, "more"); err != nil {
					t.Error(err)
				}
			}
		})
		ns.OnServerSide("partly", func(_ context.Context, m *server.NodeMessage) {
			if name == "b" {
				_ = m.Ack("b")
			}
		})
		ns.OnServerSide("gone", func(context.Context, *server.NodeMessage) { t.Error("removed") }).Remove()
		second := ns.OnServerSide("partly", func(context.Context, *server.NodeMessage) { t.Error("removed") })
		ns.OnServerSide("partly", func(_ context.Context, m *server.NodeMessage) {
			if name == "b" == m.WantsAck() {
				t.Error("the handlers of an event run in the order in which they were added")
			}
		})
		second.Remove()
		ns.OnServerSide("panic", func(context.Context, *server.NodeMessage) { panic("x") })
	})
	a := n.srv["a"].Of("/")
	for i := range 50 {
		if err := a.ServerSideEmit("count", i); err != nil {
			t.Error(err)
		}
	}
	_ = a.ServerSideEmit("gone")
	_ = a.ServerSideEmit("panic")
	type answer struct {
		Name string `json:"name"`
		Arg  int    `json:"arg"`
		Bin  []byte `json:"bin"`
	}
	got, err := server.ServerSideCall[answer](t.Context(), a, "ask", 5)
	if len(got) != 2 || err != nil || got[0].Name+got[1].Name != "bc" && got[0].Name+got[1].Name != "cb" || got[0].Arg != 5 || !slices.Equal(got[1].Bin, []byte{7}) {
		t.Error(got, err)
	}
	mu.Lock()
	for _, name := range []string{"b", "c"} {
		if len(heard[name]) != 50 || !slices.IsSorted(heard[name]) {
			t.Error(name, heard[name])
		}
	}
	if len(heard["a"]) != 0 {
		t.Error("it heard itself")
	}
	mu.Unlock()
	replies, err := server.ServerSideCall[string](t.Context(), a, "partly")
	if m := missing(t, err); !slices.Equal(replies, []string{"b"}) || !slices.Equal(m.NodeIDs, []string{"c"}) {
		t.Error(replies, err)
	}
	for _, event := range []string{"connect", "connection", "new_namespace"} {
		if err := a.ServerSideEmit(event); !errors.Is(err, server.ErrReserved) {
			t.Error(err)
		}
	}
	if err := a.ServerSideEmit("x", func() {}); !errors.Is(err, server.ErrEncode) {
		t.Error(err)
	}
	alone, err := server.New(server.Config{}, server.WithAdapter(nil))
	if err != nil {
		t.Fatal(err)
	}
	if r, err := alone.Of("/").ServerSideRequest(t.Context(), "x"); r != nil || err != nil {
		t.Error(r, err)
	}
	eventually(t, "panics are counted", func() bool { return n.srv["b"].Stats().Panics == 1 })
}

// A node that goes down ends what waits on it, and fails from then on.
func TestClusterClose(t *testing.T) {
	n := newNodes(t, server.Config{RequestTimeout: patience, AckTimeout: patience}, nil)
	n.join("b")
	n.adapters["b"].silent.Store(true)
	a := n.srv["a"].Of("/")
	fetch := later(func() error { _, err := a.FetchSockets(t.Context()); return err })
	ask := later(func() error {
		for _, err := range server.CallAll[int](t.Context(), a, "q") {
			return err
		}
		return nil
	})
	time.Sleep(10 * time.Millisecond) // whether they wait already or not, they end
	_ = n.srv["a"].Close()
	for _, ch := range []<-chan error{fetch, ask} {
		if err := receive(t, ch); !errors.Is(err, server.ErrClosed) && !errors.Is(err, server.ErrCluster) {
			t.Error(err)
		}
	}
	if err := a.ServerSideEmit("x"); !errors.Is(err, server.ErrClosed) {
		t.Error(err)
	}
}

// Handlers of events from other nodes may ask those nodes, which may ask back: a handler that waits for other nodes
// lets the next one run. Otherwise they run one at a time, in order.
func TestServerSideNested(t *testing.T) {
	var together atomic.Bool
	n := newNodes(t, server.Config{RequestTimeout: patience}, func(_ string, srv *server.Server) {
		var running atomic.Int32
		ns := srv.Of("/")
		ns.OnServerSide("nest", func(ctx context.Context, m *server.NodeMessage) {
			if running.Add(1) > 1 {
				together.Store(true)
			}
			var left int
			_ = m.Decode(&left)
			sum := 1
			if left > 0 {
				running.Add(-1)
				ctx, cancel := context.WithCancel(ctx) // a context of its own
				defer cancel()
				var both sync.WaitGroup
				sums := make(chan []int, 2)
				for range 2 {
					both.Go(func() {
						got, err := server.ServerSideCall[int](ctx, ns, "nest", left-1)
						if err != nil {
							t.Error(err)
						}
						sums <- got
					})
				}
				both.Wait()
				if running.Add(1) > 1 {
					together.Store(true)
				}
				for range 2 {
					for _, v := range <-sums {
						sum += v
					}
				}
			}
			running.Add(-1)
			_ = m.Ack(sum)
		})
		ns.OnServerSide("exit", func(ctx context.Context, m *server.NodeMessage) {
			_, _ = ns.ServerSideRequest(ctx, "unknown") // refused by all
			runtime.Goexit()
		})
	})
	a := n.srv["a"].Of("/")
	_ = a.ServerSideEmit("exit")
	got, err := server.ServerSideCall[int](t.Context(), a, "nest", 3)
	// Each of two nodes counts itself and, twice, two others: 1 + 4(1 + 4(1 + 4)).
	if want := []int{85, 85}; !slices.Equal(got, want) || err != nil {
		t.Error(got, err)
	}
	if together.Load() {
		t.Error("handlers of one node ran at the same time")
	}
	for name, srv := range n.srv {
		eventually(t, "handlers of "+name+" have ended", func() bool { return srv.Stats().Handlers == 0 })
	}
}
