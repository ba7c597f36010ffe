package session

import (
	"testing"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/httpwire"
	"github.com/seed58c87869/siren/poller/pollertest"
)

// rig is an engine on fake loops with an application that records.
type rig struct {
	t      testing.TB
	loops  []*pollertest.Loop
	engine *Engine
	// clients are those of all sessions, in the order of their opening.
	clients []*recorder
	// onOpen, onMessage and onClosed, when set, run inside of the application's calls.
	onOpen    func(*recorder)
	onMessage func(c *recorder, data string, binary bool)
	onClosed  func(*recorder, Reason)
	onRequest func(*Exchange, *httpwire.Request)
	// bystander is a WebSocket that nothing is to happen to.
	bystander *peer
}

// recorder is the application's end of one session.
type recorder struct {
	rig    *rig
	s      *Session
	got    []string // binary messages as "b:" and their bytes
	closed []Reason
}

func (c *recorder) Message(data []byte, binary bool) {
	m := string(data)
	if binary {
		m = "b:" + m
	}
	c.got = append(c.got, m)
	if c.rig.onMessage != nil {
		c.rig.onMessage(c, string(data), binary)
	}
}

func (c *recorder) Closed(r Reason) {
	c.closed = append(c.closed, r)
	if c.rig.onClosed != nil {
		c.rig.onClosed(c, r)
	}
}

func (r *rig) Open(s *Session) Client {
	c := &recorder{rig: r, s: s}
	r.clients = append(r.clients, c)
	if r.onOpen != nil {
		r.onOpen(c)
	}
	return c
}

func (r *rig) Serves() bool { return true }

func (r *rig) Request(x *Exchange, req *httpwire.Request) {
	if r.onRequest != nil {
		r.onRequest(x, req)
		return
	}
	x.Respond(&httpwire.Response{Status: 404, ContentType: typeText, Body: []byte("not ours: " + string(req.Path))})
}

// newRig makes an engine with n loops.
func newRig(t testing.TB, n int, cfg Config) *rig {
	t.Helper()
	r := &rig{t: t}
	loops := make([]Loop, n)
	for i := range loops {
		l := pollertest.NewLoop(i)
		r.loops = append(r.loops, l)
		loops[i] = l
	}
	borrow := func(c StreamConn, home int) Conn { return c.(*pollertest.Conn).Borrow(r.loops[home]) }
	e, err := New(cfg, r, loops, borrow)
	if err != nil {
		t.Fatal(err)
	}
	// Time is the loops' here: what waits a moment waits for the next turn.
	e.after = func(_ time.Duration, fn func()) { fn() }
	r.engine = e
	return r
}

// echo makes the application send back what it gets.
func (r *rig) echo() *rig {
	r.onMessage = func(c *recorder, data string, binary bool) {
		if binary {
			c.s.Send(eio.NewBinary([]byte(data)), false)
		} else {
			c.s.Send(eio.NewMessage([]byte(data)), false)
		}
	}
	return r
}

// run lets all loops do what is posted.
func (r *rig) run() {
	for ran := 1; ran > 0; {
		ran = 0
		for _, l := range r.loops {
			ran += l.RunUntilIdle()
		}
	}
}

// setQueueBytesMax sets the high mark of all connections; a negative one makes them refuse everything.
func (r *rig) setQueueBytesMax(n int) {
	for _, l := range r.loops {
		l.SetQueueBytesMax(n)
	}
}

// advance moves all clocks, in steps so small that the order between loops is right.
func (r *rig) advance(d time.Duration) { r.leap(d, max(time.Millisecond, d/4096)) }

// leap is advance in steps of that size.
func (r *rig) leap(d, step time.Duration) {
	for ; d > 0; d -= step {
		for _, l := range r.loops {
			l.Advance(min(step, d))
		}
		r.run()
	}
}

// last is the newest session's client.
func (r *rig) last() *recorder {
	r.t.Helper()
	if len(r.clients) == 0 {
		r.t.Fatal("no session was opened")
	}
	return r.clients[len(r.clients)-1]
}

// timers is how many timers wait on all loops.
func (r *rig) timers() (n int) {
	for _, l := range r.loops {
		n += l.Wheel().Len()
	}
	return n
}

// wantEmpty fails when a session or a timer is left.
func (r *rig) wantEmpty() {
	r.t.Helper()
	if n := r.engine.Sessions(); n != 0 {
		r.t.Errorf("%d sessions left", n)
	}
	for i := range r.loops {
		if n := len(r.engine.Shard(i).sessions); n != 0 {
			r.t.Errorf("%d sessions left in shard %d", n, i)
		}
	}
	if n := r.timers(); n != 0 {
		r.t.Errorf("%d timers left", n)
	}
}
