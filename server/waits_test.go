package server

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/seed58c87869/siren/room/cluster"
)

// seeds are the courses that the tests of waits take: the number in a failure's name runs it again.
const seeds = 40

// ledger counts how often each wait that has begun has ended.
type ledger struct {
	t    *testing.T
	mu   sync.Mutex
	ends map[string]int // guarded by mu
	work sync.WaitGroup // the goroutines that ask
}

// begun notes a wait, and returns the function that notes its end.
func (l *ledger) begun(name string) (ended func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ends[name] = 0
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.ends[name]++
	}
}

// failed takes a wait back that has not begun.
func (l *ledger) failed(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ends[name] != 0 {
		l.t.Errorf("%s: EmitAck failed, and its function was called", name)
	}
	delete(l.ends, name)
}

// len returns the number of waits that have begun.
func (l *ledger) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.ends)
}

// over reports whether all waits have ended.
func (l *ledger) over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.ends {
		if n == 0 {
			return false
		}
	}
	return true
}

// check fails the test unless each wait has ended once.
func (l *ledger) check() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, n := range l.ends {
		if n != 1 {
			l.t.Errorf("%s: ended %d times", name, n)
		}
	}
}

// asker asks at random. Each has its own source of random numbers, and so its own course.
type asker struct {
	*ledger
	rng  *rand.Rand
	name string
	ns   *Namespace
	long time.Duration // a time-out that does not pass by itself
}

// context returns one of several kinds.
func (a *asker) context() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	switch a.rng.IntN(4) {
	case 0: // it has ended
		cancel()
	case 1: // it ends in the middle of something
		timer := time.AfterFunc(time.Duration(a.rng.IntN(2000))*time.Microsecond, cancel)
		return ctx, func() { timer.Stop(); cancel() }
	}
	return ctx, cancel
}

// timeout is short or long.
func (a *asker) timeout() time.Duration {
	if a.rng.IntN(2) == 0 {
		return time.Duration(1+a.rng.IntN(20)) * time.Millisecond
	}
	return a.long
}

// socket returns one of the namespace's; nil when there is none.
func (a *asker) socket() *Socket {
	all := a.ns.Sockets()
	if len(all) == 0 {
		return nil
	}
	return all[a.rng.IntN(len(all))]
}

// ask waits for something, or begins to.
func (a *asker) ask(i int) {
	ctx, cancel := a.context()
	o := a.ns.Timeout(a.timeout())
	kind := a.rng.IntN(7)
	name := fmt.Sprintf("%s, question %d of kind %d", a.name, i, kind)
	ended := a.begun(name)
	switch s := a.socket(); {
	case kind == 0 && s != nil:
		_, _ = s.Timeout(a.timeout()).Request(ctx, "q")
		ended()
	case kind == 1 && s != nil:
		if err := s.Timeout(a.timeout()).EmitAck(ctx, "q", func(Reply, error) { ended(); cancel() }); err != nil {
			a.failed(name)
			break
		}
		return // with a context that goes on
	case kind == 2:
		for range o.Requests(ctx, "q") {
			if a.rng.IntN(4) == 0 {
				break
			}
		}
		ended()
	case kind == 3:
		if err := o.EmitAck(ctx, "q", func([]Reply, error) { ended(); cancel() }); err != nil {
			a.failed(name)
			break
		}
		return
	case kind == 4:
		_, _ = o.FetchSockets(ctx)
		ended()
	case kind == 5:
		_, _ = o.Count(ctx)
		ended()
	default:
		_, _ = a.ns.ServerSideRequest(ctx, "q")
		ended()
	}
	cancel()
}

// begin lets several goroutines ask.
func (l *ledger) begin(server string, seed uint64, ns *Namespace, long time.Duration) {
	for g := range 6 {
		a := &asker{l, rand.New(rand.NewPCG(seed, uint64(g))), fmt.Sprintf("%s, goroutine %d", server, g), ns, long}
		l.work.Go(func() {
			for i := range 30 {
				a.ask(i)
			}
		})
	}
}

// done is closed when the goroutines that ask have come to their end.
func (l *ledger) done() <-chan struct{} {
	ch := make(chan struct{})
	go func() { l.work.Wait(); close(ch) }()
	return ch
}

// checkEmpty fails the test when something of a wait that is over is left.
func checkEmpty(t *testing.T, srv *Server, sockets []*Socket) {
	t.Helper()
	if n := srv.waits.Len(); n != 0 {
		t.Errorf("%d waits are in the lists", n)
	}
	for _, s := range sockets {
		if n := s.pendingAcks(); n != 0 {
			t.Errorf("a socket owes %d acknowledgements", n)
		}
	}
	if n := srv.root.asks.Len(); n != 0 {
		t.Errorf("%d broadcasts have an id", n)
	}
	if n := srv.node; n != nil {
		if asked, foreign := n.questions.Len(); asked+foreign != 0 {
			t.Errorf("%d questions to other nodes, %d of theirs", asked, foreign)
		}
	}
}

// chance is what happens on the loop of a rig, at random.
type chance struct {
	*rig
	rng     *rand.Rand
	p       *paper
	sockets []*Socket
}

// step makes something happen.
func (c *chance) step() {
	ns := c.srv.root
	switch s := c.sockets[c.rng.IntN(len(c.sockets))]; c.rng.IntN(12) {
	case 0:
		if c.rng.IntN(20) == 0 {
			s.Disconnect(c.rng.IntN(2) == 0)
		}
	case 1:
		c.loop.Advance(time.Duration(c.rng.IntN(5)) * time.Millisecond)
	case 2:
		for _, k := range []cluster.Kind{
			cluster.FetchSockets, cluster.CountSockets, cluster.ServerSideEmit, cluster.Broadcast,
		} {
			for _, m := range c.p.heard(k) {
				c.reply(m)
			}
		}
		c.p.heard(cluster.Abandoned)
	case 3:
		id := fmt.Sprint(c.rng.IntN(5))
		for _, k := range []cluster.Kind{cluster.Broadcast, cluster.CountSockets, cluster.FetchSockets, cluster.Abandoned} {
			if c.rng.IntN(3) == 0 {
				c.says(ns, cluster.Message{Kind: k, From: "b", Request: id, Data: Raw{JSON: []byte(`["q"]`)}})
			}
		}
	case 4:
		if c.rng.IntN(10) == 0 {
			c.says(ns, cluster.Message{Kind: cluster.NodeLeft, From: "c"})
		}
	default: // an acknowledgement, once or twice, whether or not it is owed; one client never sends any
		if s == c.sockets[0] {
			return
		}
		id := uint64(s.debtID(c.rng))
		for range 1 + c.rng.IntN(2) {
			s.client.Message(appendAck(nil, id), false)
		}
	}
}

// debtID returns the packet id of something that the socket's client owes, or one that it does not.
func (s *Socket) debtID(rng *rand.Rand) uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.debts.All()
	if len(all) == 0 {
		return uint32(rng.IntN(100))
	}
	return all[rng.IntN(len(all))].Wait.ID
}

// reply answers a question of this node for others: well, twice, partly, or not.
func (c *chance) reply(m *cluster.Message) {
	for _, from := range []string{"b", "c"} {
		for range c.rng.IntN(3) {
			out := cluster.Message{From: from, Request: m.Request, Data: Raw{JSON: []byte(`[1]`)}}
			switch m.Kind {
			case cluster.FetchSockets:
				out.Kind = cluster.FetchSocketsResponse
			case cluster.CountSockets:
				out.Kind = cluster.CountResponse
			case cluster.ServerSideEmit:
				out.Kind = cluster.ServerSideResponse
			default:
				out.Kind, out.Count = cluster.ClientCount, c.rng.IntN(2)
				if c.rng.IntN(2) == 0 {
					c.says(c.srv.root, out)
					out.Kind = cluster.BroadcastAck
				}
			}
			if c.rng.IntN(5) == 0 {
				out.Kind = cluster.Refused
			}
			c.says(c.srv.root, out)
		}
	}
}

// All that is waited for ends once, and leaves nothing behind, in whatever order answers, double answers, time-outs,
// ends of contexts, of sockets, of nodes and of the server come: on a clock that the test moves.
func TestWaitsEndOnce(t *testing.T) {
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			cfg := Config{
				AckTimeout: time.Hour, RequestTimeout: time.Hour, PingInterval: 1000 * time.Hour, MaxPendingAcks: 40,
			}
			r, p := newPaperRig(t, cfg)
			r.fill(t, 5, "room")
			c := &chance{r, rand.New(rand.NewPCG(seed, 99)), p, r.srv.root.Sockets()}
			l := &ledger{t: t, ends: map[string]int{}}
			l.begin("server", seed, r.srv.root, time.Hour)
			done := l.done()
			closeAt, closed := -1, false
			if seed%2 == 0 {
				closeAt = c.rng.IntN(3000)
			}
			for i := 0; ; i++ {
				r.loop.run()
				c.step()
				if i == closeAt {
					r.srv.waits.End()
					closed = true
				}
				select {
				case <-done:
					done = nil
				default:
				}
				if done == nil && l.over() {
					break
				}
				if i > 20_000 { // nobody answers the rest
					r.loop.Advance(time.Hour)
					time.Sleep(10 * time.Microsecond)
				}
			}
			for i := range 5 { // what others have asked ends, too
				r.says(r.srv.root, cluster.Message{Kind: cluster.Abandoned, From: "b", Request: fmt.Sprint(i)})
			}
			r.loop.run()
			waitUntilIdle(t, r.srv)
			l.check()
			r.loop.run()
			checkEmpty(t, r.srv, c.sockets)
			for _, s := range c.sockets {
				s.Disconnect(true)
			}
			r.loop.run()
			r.loop.Advance(time.Minute) // closing handshakes
			r.loop.run()
			if n := r.loop.Wheel().Len(); n != 0 {
				t.Errorf("%d timers are left", n)
			}
			if closed {
				checkClosed(t, r.srv.root)
			}
		})
	}
}

// checkClosed fails the test unless questions fail at once.
func checkClosed(t *testing.T, ns *Namespace) {
	t.Helper()
	ctx := context.Background()
	_, fetch := ns.FetchSockets(ctx)
	_, count := ns.Local().Count(ctx)
	_, side := ns.ServerSideRequest(ctx, "q")
	for what, err := range map[string]error{
		"FetchSockets": fetch, "Count": count, "ServerSideRequest": side,
		"EmitAck": ns.Local().EmitAck(ctx, "q", func([]Reply, error) { t.Error("told of what has failed") }),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s after the end: %v", what, err)
		}
	}
}

// waitUntilIdle waits until no handler runs.
func waitUntilIdle(t *testing.T, srv *Server) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); srv.jobs.Load() > 0; time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d handlers run", srv.jobs.Load())
		}
	}
}

// guest is a client that acknowledges at random: once, twice, or not; and leaves at some time.
func guest(addr string, rng *rand.Rand) {
	conn, _, _, err := ws.Dial(context.Background(), "ws://"+addr+"/socket.io/?EIO=4&transport=websocket")
	if errors.Is(err, ws.StatusError(503)) || errors.Is(err, syscall.ECONNREFUSED) {
		return // the server closes already
	}
	if err != nil {
		return // the server closes
	}
	defer conn.Close()
	send := func(text string) { _ = wsutil.WriteClientText(conn, []byte("4"+text)) }
	send("0")
	for range 50 + rng.IntN(200) {
		data, err := wsutil.ReadServerText(conn)
		if err != nil {
			return
		}
		var id uint64
		if n, _ := fmt.Sscanf(string(data), "42%d[", &id); n == 1 {
			for range rng.IntN(3) {
				send(string(appendAck(nil, id)))
			}
		}
	}
}

// The same with event loops and connections of the system's, and servers that ask each other.
func TestWaitsEndOnceOnLoops(t *testing.T) {
	for seed := range uint64(seeds / 8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bus := cluster.NewBus()
			var servers []*Server
			var sockets []*Socket
			var mu sync.Mutex
			l := &ledger{t: t, ends: map[string]int{}}
			var guests sync.WaitGroup
			for i, name := range []string{"a", "b"} {
				cfg := Config{Loops: 2, AckTimeout: time.Second, RequestTimeout: time.Second, MaxPendingAcks: 40}
				srv, err := New(cfg, WithAdapter(bus.Node(name)))
				if err != nil {
					t.Fatal(err)
				}
				srv.root.OnConnect(func(_ context.Context, s *Socket) error {
					mu.Lock()
					defer mu.Unlock()
					sockets = append(sockets, s)
					return nil
				})
				srv.root.OnServerSide("q", func(_ context.Context, m *NodeMessage) { _ = m.Ack(1) })
				if err := srv.Listen("tcp://127.0.0.1:0"); err != nil {
					t.Fatal(err)
				}
				servers = append(servers, srv)
				for g := range 6 {
					rng := rand.New(rand.NewPCG(seed, uint64(1000*i+g)))
					guests.Go(func() { guest(srv.Addr().String(), rng) })
				}
			}
			for i, srv := range servers {
				l.begin(fmt.Sprint("server ", i), seed+uint64(i)*1000, srv.root, 500*time.Millisecond)
			}
			if seed%2 == 0 { // in the middle of it
				asked := rand.New(rand.NewPCG(seed, 99)).IntN(250)
				waitFor(t, "many have asked", func() bool { return l.len() >= asked })
			} else {
				<-l.done()
			}
			for _, srv := range servers {
				if err := srv.Close(); err != nil {
					t.Error(err)
				}
			}
			<-l.done()
			guests.Wait()
			waitFor(t, "all waits have ended", l.over)
			for _, srv := range servers {
				waitUntilIdle(t, srv)
				checkEmpty(t, srv, nil)
			}
			l.check()
			for _, s := range sockets {
				if n := s.pendingAcks(); n != 0 {
					t.Errorf("a socket owes %d acknowledgements", n)
				}
			}
		})
	}
}

// waitFor polls until cond holds.
func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not in time: ", what)
		}
	}
}
