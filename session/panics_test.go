package session

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/poller/pollertest"
)

// mine is what panics on purpose.
const mine = "on purpose"

// fragile is a connection that panics once, when it is to write or to close, after it was armed.
type fragile struct {
	StreamConn
	armed bool
}

func (f *fragile) check() {
	if f.armed {
		f.armed = false // the end of what has panicked may write
		panic(mine)
	}
}

func (f *fragile) Queue(frame []byte) bool { f.check(); return f.StreamConn.Queue(frame) }
func (f *fragile) Last(frame []byte)       { f.check(); f.StreamConn.Last(frame) }
func (f *fragile) CloseAfterFlush()        { f.check(); f.StreamConn.CloseAfterFlush() }
func (f *fragile) Close()                  { f.check(); f.StreamConn.Close() }

// fragile connects to a loop by a connection that can be armed.
func (r *rig) fragile(loop int) (*peer, *fragile) {
	c := pollertest.NewConn(r.loops[loop], nil)
	f := &fragile{StreamConn: c}
	r.loops[loop].Do(func() { c.SetReceiver(r.engine.Accept(f, loop)) })
	return &peer{rig: r, conn: c}, f
}

// survive runs fn, and then what is posted, recovers what panics on purpose as a loop does, and wants that something
// has.
func (r *rig) survive(fn func()) {
	r.t.Helper()
	panics := 0
	try := func(fn func()) (again bool) {
		defer func() {
			if v := recover(); v == mine {
				panics++
				again = true
			} else if v != nil {
				panic(v)
			}
		}()
		fn()
		return false
	}
	try(fn)
	for try(r.run) {
	}
	if panics == 0 {
		r.t.Error("nothing has panicked")
	}
}

// panicOnEnd makes the application panic when it hears of the session's end.
func (r *rig) panicOnEnd(s *Session) {
	r.onClosed = func(c *recorder, _ Reason) {
		if c.s == s {
			panic(mine)
		}
	}
}

// panickers make a task or a timer panic, and return whether what it was about has ended.
var panickers = map[string]struct {
	config Config
	run    func(r *rig) (ended func() bool)
}{
	"timer of a session: ping": {run: func(r *rig) func() bool {
		p := r.openWS(0, "")
		s := r.last().s
		s.ws.conn = &fragile{s.ws.conn, true}
		r.survive(func() { r.advance(26 * time.Second) })
		return func() bool { return !s.Open() && p.isClosed() }
	}},
	"timer of a session: overdue pong": {run: func(r *rig) func() bool {
		sid := r.poll(0)
		r.panicOnEnd(r.last().s)
		r.advance(26 * time.Second)
		r.bystander.text("3")
		r.survive(func() { r.advance(20 * time.Second) })
		return func() bool { return r.engine.Shard(0).sessions[sid] == nil }
	}},
	"timer of an upgrade": {run: func(r *rig) func() bool {
		r.poll(0)
		s := r.last().s
		r.openWS(0, s.sid)
		s.upgrade().ws.foreign = nil
		s.upgrade().ws.conn = &fragile{s.upgrade().ws.conn, true}
		r.survive(func() { r.advance(11 * time.Second) })
		return func() bool { return !s.Open() && s.upgrade() == nil }
	}},
	"timer of a held GET": {run: func(r *rig) func() bool {
		r.poll(0)
		s := r.last().s
		r.openWS(0, s.sid).text("2probe")
		g, f := r.fragile(0)
		g.write(getRequest(s.sid))
		f.armed = true
		r.survive(func() { r.advance(2 * getGrace) })
		return func() bool { return !s.Open() }
	}},
	"timer of a request": {run: func(r *rig) func() bool {
		p, f := r.fragile(0)
		p.write("POST /other HTTP")
		f.armed = true
		r.survive(func() { r.advance(11 * time.Second) })
		return p.isClosed
	}},
	"timer of a PROXY header": {config: Config{ProxyProtocol: true}, run: func(r *rig) func() bool {
		p, f := r.fragile(0)
		f.armed = true
		r.survive(func() { r.advance(11 * time.Second) })
		return p.isClosed
	}},
	"GET for an overdue session, from another loop": {run: func(r *rig) func() bool {
		r.poll(0)
		s := r.last().s
		r.panicOnEnd(s)
		r.loops[0].Do(func() {
			s.awaitPong = true
			r.loops[0].Wheel().Schedule(&s.timer, r.loops[0].Now())
		})
		var g *peer
		r.survive(func() { g = r.dial(1); g.write(getRequest(s.sid)) })
		return func() bool { return !s.Open() && g.isClosed() }
	}},
	"POST from another loop": {run: func(r *rig) func() bool {
		r.poll(0)
		s, post := r.last().s, r.dial(1)
		r.survive(func() { post.write(postRequest(s.sid, "4boom")) })
		post.want(400, errorBody(eio.BadRequest))
		return func() bool { return !s.Open() && post.isClosed() }
	}},
	"batch of a WebSocket on another loop": {run: func(r *rig) func() bool {
		p := r.openWS(1, r.poll(0)).text("5")
		r.survive(func() { p.text("4boom") })
		return func() bool { return !r.last().s.Open() && p.isClosed() }
	}},
	"end of a WebSocket on another loop": {run: func(r *rig) func() bool {
		p := r.openWS(1, r.poll(0)).text("5")
		r.panicOnEnd(r.last().s)
		r.survive(func() { p.write("\xff\xff") })
		return func() bool {
			return !r.last().s.Open() && p.isClosed() && r.engine.Shard(0).sessions[r.last().s.sid] == nil
		}
	}},
	"answer from another loop": {run: func(r *rig) func() bool {
		r.poll(0)
		p, f := r.fragile(1)
		p.write(getRequest(r.last().s.sid))
		f.armed = true
		r.survive(func() { r.loops[0].Do(func() { r.last().send(message(3), false) }) })
		return p.isClosed
	}},
	"answers at the end of a turn": {run: func(r *rig) func() bool {
		r.poll(0)
		first := r.last()
		p, f := r.fragile(0)
		p.write(getRequest(first.s.sid))
		r.poll(0)
		second, g := r.last(), r.get(0, r.last().s.sid)
		f.armed = true
		r.survive(func() {
			r.loops[0].Do(func() {
				first.send(message(3), false)
				second.send(message(3), false)
			})
			r.run()
		})
		g.want(200, "4xxx")
		return func() bool { return !first.s.Open() && second.s.Open() }
	}},
	"end of a slow consumer": {config: Config{QueueBytes: 10}, run: func(r *rig) func() bool {
		sid := r.poll(0)
		c := r.last()
		r.panicOnEnd(c.s)
		r.loops[0].Do(func() {
			c.send(message(8), false)
			c.send(message(8), false)
		})
		r.survive(r.run)
		return func() bool { return r.engine.Shard(0).sessions[sid] == nil }
	}},
	"handshake that hooks have answered": {config: Config{Allow: func(context.Context, *Handshake) error { return nil }}, run: func(r *rig) func() bool {
		r.onOpen = func(*recorder) { panic(mine) }
		p := r.dial(0)
		p.conn.Feed([]byte(upgradeRequest("")))
		r.survive(func() { r.waitPosted(0) })
		return p.isClosed
	}},
	"session of protocol 3 that begins later": {config: Config{AllowEIO3: true}, run: func(r *rig) func() bool {
		r.onOpen = func(*recorder) { panic(mine) }
		p := r.dial(0)
		r.survive(func() { p.write(strings.Replace(upgradeRequest(""), "EIO=4", "EIO=3", 1)) })
		return func() bool { return p.isClosed() && !r.last().s.Open() }
	}},
}

// A task or timer that panics ends the session, or the connection, that it was about, and no other. The loop hears of
// the panic.
func TestPanicsOfTasksAndTimers(t *testing.T) {
	for name, c := range panickers {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 2, c.config)
			r.onMessage = func(c *recorder, data string, _ bool) {
				if data == "boom" {
					panic(mine)
				}
				c.send(eio.NewMessage([]byte(data)), false)
			}
			if !c.config.ProxyProtocol && c.config.Allow == nil {
				r.bystander = r.openWS(0, "")
			}
			ended := c.run(r)
			if !ended() {
				t.Error("what the panic was about goes on")
			}
			if p := r.bystander; p != nil {
				p.text("4alive")
				if got := p.message(); got == "2" {
					got = p.message()
				} else if got != "4alive" {
					t.Errorf("another session gets %q", got)
				}
			}
		})
	}
}

// The end of the engine ends all sessions, though the application panics at the end of each.
func TestPanicsAtTheEnd(t *testing.T) {
	r := newRig(t, 1, Config{})
	for range 5 {
		r.poll(0)
		r.openWS(0, "")
	}
	r.onClosed = func(*recorder, Reason) { panic(mine) }
	r.survive(func() { r.engine.Close(ReasonServerShutdown) })
	for _, c := range r.clients {
		c.wantClosed(ReasonServerShutdown)
	}
}
