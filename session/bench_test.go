package session

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/poller/pollertest"
)

// nullConn takes everything and keeps nothing.
type nullConn struct{ recv Receiver }

func (*nullConn) Queue([]byte) bool          { return true }
func (*nullConn) QueuedBytes() int           { return 0 }
func (*nullConn) QueuedFrames() int          { return 0 }
func (*nullConn) Expendable()                {}
func (*nullConn) Last([]byte)                {}
func (*nullConn) CloseAfterFlush()           {}
func (*nullConn) Close()                     {}
func (*nullConn) RemoteAddr() netip.AddrPort { return netip.AddrPort{} }
func (c *nullConn) SetReceiver(r Receiver)   { c.recv = r }
func (*nullConn) Resume()                    {}
func (*nullConn) Hold()                      {}
func (*nullConn) OnDrained(func())           {}

// bench is an engine with one loop and connections that cost nothing.
type bench struct {
	engine *Engine
	loop   *pollertest.Loop
}

func newBench(tb testing.TB, cfg Config) *bench {
	loop := pollertest.NewLoop(0)
	e, err := New(cfg, mute{}, []Loop{loop}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return &bench{e, loop}
}

func (b *bench) dial() *nullConn {
	c := &nullConn{}
	c.recv = b.engine.Accept(c, 0)
	return c
}

// feed gives a copy of the text, which the receiver may change.
func (c *nullConn) feed(buf []byte, text string) { c.recv.Receive(append(buf[:0], text...)) }

func (b *bench) session() *Session {
	for _, s := range b.engine.shards[0].sessions {
		return s
	}
	return nil
}

func BenchmarkHandshakeWebSocket(b *testing.B) {
	b.ReportAllocs()
	e := newBench(b, Config{})
	text, buf := upgradeRequest("", browserFields...), make([]byte, 0, 2048)
	for b.Loop() {
		c := e.dial()
		c.feed(buf, text)
		c.recv.Closed(nil)
	}
}

func BenchmarkHandshakePolling(b *testing.B) {
	b.ReportAllocs()
	e := newBench(b, Config{})
	text, buf := request("GET", base+"polling", "", browserFields...), make([]byte, 0, 2048)
	for b.Loop() {
		c := e.dial()
		c.feed(buf, text)
		e.session().abort(ReasonForcedClose)
		c.recv.Closed(nil)
	}
}

func BenchmarkMessageWebSocket(b *testing.B) {
	b.ReportAllocs()
	e := newBench(b, Config{})
	buf := make([]byte, 0, 2048)
	c := e.dial()
	c.feed(buf, upgradeRequest(""))
	text := textFrame(`42["message","` + strings.Repeat("x", 100) + `"]`)
	for b.Loop() {
		c.feed(buf, text)
	}
}

// One packet each way: a POST with its "ok", and a GET with a payload.
func BenchmarkRoundTripPolling(b *testing.B) {
	b.ReportAllocs()
	e := newBench(b, Config{})
	buf := make([]byte, 0, 2048)
	c := e.dial()
	c.feed(buf, request("GET", base+"polling", ""))
	s := e.session()
	post, get := postRequest(s.sid, `42["message",1]`), getRequest(s.sid)
	f := eio.NewMessage([]byte(`2["message",1]`))
	for b.Loop() {
		c.feed(buf, post)
		s.Send(f, false)
		c.feed(buf, get)
	}
}

func BenchmarkSendWebSocket(b *testing.B) {
	b.ReportAllocs()
	e := newBench(b, Config{})
	e.dial().feed(make([]byte, 0, 1024), upgradeRequest(""))
	s, f := e.session(), eio.NewMessage([]byte(`2["tick",1]`))
	for b.Loop() {
		s.Send(f, false)
	}
}

// A ping and its pong, of 1,000 sessions.
func BenchmarkHeartbeatRound(b *testing.B) {
	b.ReportAllocs()
	const sessions = 1000
	e := newBench(b, Config{})
	buf := make([]byte, 0, 1024)
	var conns []*nullConn
	for range sessions {
		c := e.dial()
		c.feed(buf, upgradeRequest(""))
		conns = append(conns, c)
	}
	pong := textFrame("3")
	for b.Loop() {
		e.loop.Advance(e.engine.cfg.PingInterval + ms)
		for _, c := range conns {
			c.feed(buf, pong)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/sessions, "ns/session")
	if e.engine.Sessions() != sessions {
		b.Fatal("sessions were lost")
	}
}

// The paths that must not allocate.
func TestNoAllocations(t *testing.T) {
	e := newBench(t, Config{})
	buf := make([]byte, 0, 2048)
	ws := e.dial()
	ws.feed(buf, upgradeRequest(""))
	s, f := e.session(), eio.NewMessage([]byte(`2["tick",1]`))
	message, binary, pong := textFrame(`42["x",1]`), frame(2, "bin"), textFrame("3")
	for name, fn := range map[string]func(){
		"text in":       func() { ws.feed(buf, message) },
		"binary in":     func() { ws.feed(buf, binary) },
		"pong in":       func() { ws.feed(buf, pong) },
		"send":          func() { s.Send(f, false) },
		"volatile send": func() { s.Send(f, true) },
		"find":          func() { e.engine.shards[0].find(s.sid) },
	} {
		if n := testing.AllocsPerRun(100, fn); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	// A polling request costs its answer, and nothing for looking its session up.
	e = newBench(t, Config{})
	c := e.dial()
	c.feed(buf, request("GET", base+"polling", ""))
	s = e.session()
	get, post := getRequest(s.sid), postRequest(s.sid, "4x")
	if n := testing.AllocsPerRun(100, func() { c.feed(buf, post) }); n > 1 {
		t.Errorf("POST: %v allocations, want the answer's", n)
	}
	if n := testing.AllocsPerRun(100, func() { s.Send(f, false); c.feed(buf, get) }); n > 1 {
		t.Errorf("GET: %v allocations, want the answer's", n)
	}
}
