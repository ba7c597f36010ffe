package session

import (
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
)

// drains starts a drain; over reports whether all sessions have ended for the application.
func (r *rig) drains(spread time.Duration) (over func() bool) {
	done := r.engine.Drain(spread, false)
	r.run()
	return func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	}
}

// ended returns the number of clients whose session has ended; all ends must be the drain's.
func (r *rig) ended(clients []*recorder) (n int) {
	r.t.Helper()
	for _, c := range clients {
		if len(c.closed) > 0 {
			c.wantClosed(ReasonDraining)
			n++
		}
	}
	return n
}

// A drain without a spread ends all sessions at once, each behind what is queued for it, and tells each client in the
// way of its transport. Handshakes are refused and end their connection.
func TestDrain(t *testing.T) {
	r := newRig(t, 2, Config{})
	for range 3 {
		r.openWS(0, "") // so that the shards have different numbers of sessions
	}
	sid, absent := r.poll(0), r.poll(1)
	waiting := r.get(1, sid)
	for _, c := range r.clients {
		c.s.Send(eio.NewMessage([]byte("x")), false)
	}
	w := r.openWS(1, "")
	w3 := r.openWS(0, "")
	r.last().s.Send(eio.NewMessage([]byte("y")), false)
	over := r.drains(0)
	if !over() || r.ended(r.clients) != len(r.clients) {
		t.Fatalf("over: %v, %d of %d sessions have ended", over(), r.ended(r.clients), len(r.clients))
	}
	w.wantFrames("close:1005")
	w3.wantFrames("t:4y", "close:1005")
	waiting.want(200, "4x")
	r.get(0, sid).want(200, "1")
	r.get(0, absent).want(200, "4x")
	for _, handshake := range []string{
		request("GET", base+"polling", ""), upgradeRequest(""),
	} {
		if a := r.dial(1).write(handshake).want(503, "Server shutting down"); !a.Close {
			t.Error("the connection of a refused client stays")
		}
	}
	r.get(1, absent).want(200, "1")
	r.advance(76 * time.Second)
	r.wantEmpty()
	s := r.engine.Stats()
	if n := s.Closed[ReasonDraining]; n != uint64(len(r.clients)) || s.Draining != 2 || s.Unfetched != 0 {
		t.Errorf("%+v", s)
	}
}

// A session ends behind packets that were posted when its end was on the way: whoever posted them has counted it. A
// loop for which always something is posted ends its sessions all the same.
func TestDrainEndsBehindWhatIsPosted(t *testing.T) {
	for _, tt := range []struct {
		name  string
		posts int
		want  []string
	}{
		{"some tasks", 3, []string{"t:40", "t:41", "t:42", "close:1005"}},
		{"tasks for ever", 1000, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, 1, Config{})
			w := r.openWS(0, "")
			c := r.last()
			sent := 0
			var post func()
			post = func() {
				if sent == tt.posts || len(c.closed) > 0 {
					return
				}
				if tt.want == nil {
					r.loops[0].Advance(drainBehindMax / 10)
				} else {
					c.s.Send(eio.NewMessage([]byte{'0' + byte(sent)}), false)
				}
				sent++
				r.loops[0].PostFunc(post)
			}
			r.loops[0].PostFunc(post)
			over := r.drains(0)
			if !over() {
				t.Fatal("the drain is not over")
			}
			if tt.want == nil {
				if sent == tt.posts {
					t.Error("the session did not end before all tasks had run")
				}
				return
			}
			w.wantFrames(tt.want...)
		})
	}
}

// Refuse refuses handshakes and leaves sessions as they are, which may use new connections.
func TestRefuse(t *testing.T) {
	r := newRig(t, 2, Config{}).echo()
	sid := r.poll(0)
	r.engine.Refuse()
	r.dial(0).write(request("GET", base+"polling", "")).want(503, "Server shutting down")
	r.post(1, sid, "4a").want(200, "ok")
	r.get(1, sid).want(200, "4a")
	w := r.openWS(1, sid)
	w.text("2probe").wantFrames("t:3probe")
	w.text("5").text("4b").wantFrames("t:4b")
}

// The turns of the sessions come evenly over the spread, those of idle ones first, in random order within each group.
func TestDrainSpreads(t *testing.T) {
	r := newRig(t, 1, Config{QueueBytes: 1 << 20})
	const each = 100
	orders := map[string][]*recorder{}
	var order []*recorder
	r.onClosed = func(c *recorder, _ Reason) { order = append(order, c) }
	for i := range 2 * each {
		if i%4 < 2 {
			r.poll(0)
		} else {
			r.openWS(0, "").conn.Stall(true)
		}
		group := "idle"
		if i%2 == 0 {
			group = "busy"
			r.last().s.Send(eio.NewMessage([]byte("x")), false)
		}
		orders[group] = append(orders[group], r.last())
	}
	r.run()
	over := r.drains(10 * time.Second)
	for tenth := 1; tenth <= 10; tenth++ {
		if over() {
			t.Fatal("over too early")
		}
		r.advance(time.Second)
		// The first turn comes at once, the steps are a little late.
		if got, want := len(order), 2*each*tenth/10; got < want-2 || got > want+1 {
			t.Errorf("after %d s %d sessions have ended, want %d", tenth, got, want)
		}
		if idle := r.ended(orders["idle"]); idle < min(len(order), each) {
			t.Errorf("after %d s only %d of %d sessions were idle ones", tenth, idle, len(order))
		}
	}
	r.advance(100 * time.Millisecond)
	if !over() || len(order) != 2*each {
		t.Fatalf("%d sessions have ended, over: %v", len(order), over())
	}
	for i, group := range []string{"idle", "busy"} {
		inOrder := 0
		for j, c := range orders[group] {
			if order[i*each+j] == c {
				inOrder++
			}
		}
		if inOrder > each/4 {
			t.Errorf("%d of %d %s sessions have ended in the order of their opening", inOrder, each, group)
		}
	}
}

// busyClient is a recorder with work of its own.
type busyClient struct {
	*recorder
	busy bool
}

func (c *busyClient) Settled() bool { return !c.busy }

// A session whose turn has come waits for what its client has under way, and is Quiet meanwhile, also on another
// transport. What the client still sends arrives.
func TestDrainWaitsForClients(t *testing.T) {
	r := newRig(t, 2, Config{})
	sid := r.poll(0)
	s := r.last().s
	c := &busyClient{r.last(), true}
	s.client = c
	r.openWS(1, "")
	over := r.drains(0)
	r.advance(2 * drainTransportMax)
	if n := r.ended(r.clients); n != 1 || over() || !s.Quiet() {
		t.Fatalf("%d sessions have ended, over: %v, quiet: %v", n, over(), s.Quiet())
	}
	w := r.openWS(1, sid)
	w.text("2probe").wantFrames("t:3probe")
	w.text("5")
	if !s.Quiet() || s.Transport() != WebSocket {
		t.Errorf("quiet: %v, on %v", s.Quiet(), s.Transport())
	}
	// The answer of a handler is posted before the handler is done.
	r.loops[0].PostFunc(func() {
		c.busy = false
		r.loops[0].PostFunc(func() { s.Send(eio.NewMessage([]byte("answer")), false) })
	})
	r.advance(2 * drainStep)
	w.wantFrames("t:4answer", "close:1005")
	if n := r.ended(r.clients); n != 2 || !over() {
		t.Errorf("%d sessions have ended, over: %v", n, over())
	}
}

// An upgrade and a POST that have begun may finish, within some seconds.
func TestDrainWaitsForRequests(t *testing.T) {
	for _, finish := range []bool{true, false} {
		r := newRig(t, 2, Config{})
		upgrading, posting := r.poll(0), r.poll(0)
		w := r.openWS(1, upgrading).text("2probe")
		w.wantFrames("t:3probe")
		p := r.dial(1).write(strings.Replace(postRequest(posting, ""), "Content-Length: 0", "Content-Length: 4", 1))
		over := r.drains(0)
		r.advance(time.Second)
		if n := r.ended(r.clients); n != 0 || over() {
			t.Fatalf("%d sessions have ended", n)
		}
		if finish {
			w.text("5")
			p.write("4abc").answerTo("POST")
			r.advance(2 * drainStep)
		} else {
			r.advance(drainTransportMax)
		}
		if n := r.ended(r.clients); n != 2 || !over() {
			t.Fatalf("finished %v: %d sessions have ended, over: %v", finish, n, over())
		}
		if finish {
			w.wantFrames("close:1005")
			r.get(1, posting).want(200, "1")
		}
	}
}

// Close during a drain ends the rest at once, and the drain with it.
func TestCloseDuringDrain(t *testing.T) {
	r := newRig(t, 2, Config{})
	for i := range 20 {
		r.openWS(i%2, "")
	}
	stubborn := &busyClient{r.last(), true}
	r.last().s.client = stubborn
	over := r.drains(10 * time.Second)
	r.advance(5 * time.Second)
	drained := 0
	for _, c := range r.clients {
		drained += len(c.closed)
	}
	r.engine.Close(ReasonServerShutdown)
	r.run()
	s := r.engine.Stats()
	if s.Closed[ReasonDraining] != uint64(drained) || s.Closed[ReasonServerShutdown] != uint64(20-drained) || drained < 5 {
		t.Errorf("%d drained: %v", drained, s.Closed)
	}
	r.advance(76 * time.Second)
	if !over() {
		t.Error("the drain is not over")
	}
	r.wantEmpty()
}

// A polling client that stays away loses what is queued for it, which is counted; it is no loss when nothing was.
func TestDrainCountsUnfetched(t *testing.T) {
	r := newRig(t, 1, Config{CloseTimeout: 5 * time.Second})
	for i := range 3 {
		r.poll(0)
		r.last().s.sendControl(eio.PingFrame)
		for range i {
			r.last().s.Send(eio.NewMessage([]byte("x")), false)
		}
	}
	if over := r.drains(0); !over() {
		t.Error("not over")
	}
	r.advance(6 * time.Second)
	r.wantEmpty()
	if s := r.engine.Stats(); s.Unfetched != 2 || s.UnfetchedPackets != 3 {
		t.Errorf("%d sessions, %d packets", s.Unfetched, s.UnfetchedPackets)
	}
}

// With admit, clients are let in during the drain and end like the others. The close packet ends their connection, so
// that they come back on another one.
func TestDrainAdmits(t *testing.T) {
	r := newRig(t, 2, Config{})
	stubborn := func() *busyClient {
		c := &busyClient{r.last(), true}
		r.last().s.client = c
		return c
	}
	r.openWS(0, "")
	first := stubborn()
	done := r.engine.Drain(0, true)
	r.run()
	sid := r.poll(0)
	second := stubborn()
	r.advance(5 * drainStep)
	if len(first.closed)+len(second.closed) > 0 || r.engine.Stats().Draining > 0 {
		t.Fatal("ended too early, or refused")
	}
	first.busy, second.busy = false, false
	r.advance(5 * drainStep)
	if n := r.ended(r.clients); n != 2 {
		t.Errorf("%d sessions have ended", n)
	}
	select {
	case <-done:
	default:
		t.Error("not over")
	}
	if a := r.get(1, sid).want(200, "1"); !a.Close {
		t.Error("the connection stays")
	}
}
