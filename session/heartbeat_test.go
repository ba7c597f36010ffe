package session

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/poller/pollertest"
)

const ms = time.Millisecond

// The server pings on both transports, and only a pong keeps a session alive.
func TestHeartbeat(t *testing.T) {
	wsPeers(t, fast, func(t *testing.T, r *rig, p *peer) {
		for range 3 {
			r.advance(302 * ms)
			p.wantFrames("t:2")
			r.advance(150 * ms)
			p.text("3")
		}
		r.last().wantClosed()
		p.text("3").text("3").text("6").text("0") // not asked for, harmless
		r.advance(302 * ms)
		p.wantFrames("t:2")
		p.text("4x").write(frame(0xA, "")) // neither a message nor a WebSocket pong counts
		r.advance(202 * ms)
		r.last().wantClosed(ReasonPingTimeout)
		p.wantFrames("close:1005")
	})
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, fast)
		sid := r.poll(0)
		for range 3 {
			p := r.get(loop, sid)
			r.advance(302 * ms)
			p.want(200, "2")
			r.post(loop, sid, "3").want(200, "ok")
		}
		g := r.get(loop, sid)
		r.advance(302 * ms)
		g.want(200, "2")
		g = r.get(loop, sid)
		r.post(loop, sid, "4x").want(200, "ok")
		r.advance(202 * ms)
		g.want(200, "1")
		r.last().wantClosed(ReasonPingTimeout)
		r.advance(76 * time.Second)
		r.wantEmpty()
	})
}

// A session times out pingInterval and pingTimeout after the handshake (500 ms here) and not earlier, on both
// transports, even if a polling client sends no further request.
func TestPingTimeoutIsExact(t *testing.T) {
	for _, transport := range []string{"polling", "websocket"} {
		for at := range 3 { // the handshake at other places of the wheel
			r := newRig(t, 1, fast)
			l := r.loops[0]
			l.Advance(time.Duration(at) * 333 * time.Microsecond)
			sid := ""
			if transport == "polling" {
				sid = r.poll(0)
			} else {
				r.openWS(0, "")
			}
			start := l.Now()
			l.Advance(500*ms - 1)
			r.last().wantClosed()
			l.Advance(pollertest.Resolution + 1)
			r.last().wantClosed(ReasonPingTimeout)
			if over := time.Duration(l.Now() - start); over > 502*ms {
				t.Errorf("over after %v", over)
			}
			if sid != "" {
				r.get(0, sid).want(400, errorBody(eio.SessionIDUnknown))
			}
		}
	}
}

// The wheel may be late by its resolution; a request in that gap finds the session gone.
func TestOverdueBeforeTheWheel(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		for _, c := range []string{"GET", "POST", "upgrade"} {
			r := newRig(t, 2, fast)
			r.advance(ms / 2)
			sid := r.poll(0)
			r.advance(499 * ms)
			s := r.last().s
			if !s.awaitPong || s.overdue() {
				t.Fatal("no ping is out")
			}
			// Time goes on, and the wheel is not looked at: the deadline is moved instead.
			r.loops[0].Wheel().Schedule(&s.timer, r.loops[0].Now()+int64(ms))
			r.loops[0].Advance(0)
			r.loops[0].Wheel().Schedule(&s.timer, r.loops[0].Now()-1)
			want := map[string]string{"GET": getRequest(sid), "POST": postRequest(sid, "3"), "upgrade": upgradeRequest(sid)}[c]
			r.dial(loop).write(want).want(400, errorBody(eio.SessionIDUnknown))
			r.last().wantClosed(ReasonPingTimeout)
		}
	})
}

// A loop that comes late to the ping does not take the time from the client.
func TestLatePing(t *testing.T) {
	r := newRig(t, 1, fast)
	p := r.openWS(0, "")
	s := r.last().s
	l := r.loops[0]
	due := s.timer.When()
	l.Do(func() { (*timeUp)(s).Expire(due + int64(150*ms)) })
	if got := time.Duration(s.timer.When() - due); got != 250*ms {
		t.Errorf("the pong is due %v after the ping was", got)
	}
	p.wantFrames("t:2")
}

// One timer for each session, whatever it does.
func TestOneTimer(t *testing.T) {
	r := newRig(t, 1, Config{})
	var peers []*peer
	for range 10 {
		peers = append(peers, r.openWS(0, ""))
	}
	if n := r.timers(); n != 10 {
		t.Errorf("%d timers of 10 WebSocket sessions", n)
	}
	for range 10 {
		peers = append(peers, r.get(0, r.poll(0)))
	}
	if n := r.timers(); n != 20 {
		t.Errorf("%d timers of 20 sessions, ten with a waiting GET", n)
	}
	for _, p := range peers {
		p.cut()
	}
	r.wantEmpty()
}

func TestResolution(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		want time.Duration
	}{
		{Config{}, 100 * ms}, {fast, 2 * ms}, {Config{PingTimeout: 3 * ms}, ms}, {Config{PingTimeout: 1}, ms},
	} {
		if got := c.cfg.Resolution(); got != c.want {
			t.Errorf("%+v: %v", c.cfg.PingTimeout, got)
		}
	}
}

func TestConfig(t *testing.T) {
	for name, c := range map[string]Config{
		"path": {Path: "/"}, "time": {PingTimeout: 5}, "negative": {MaxPayload: -1}, "policy": {OnFull: 9},
		"transport": {Transports: []Transport{7}}, "cookie": {Cookie: Cookie{Name: "a b"}}, "same site": {Cookie: Cookie{SameSite: "x"}},
		"origin": {CORS: CORS{Origins: []string{"a b"}}}, "star": {CORS: CORS{Origins: []string{"*", "x"}}},
		"method": {CORS: CORS{Methods: []string{"a,b"}}}, "enforce": {CORS: CORS{Enforce: true}},
	} {
		if Check(c) == nil {
			t.Errorf("%s: no error", name)
		}
	}
	loop := pollertest.NewLoop(0)
	app := &rig{t: t}
	for i, f := range []func() (*Engine, error){
		func() (*Engine, error) { return New(Config{}, nil, []Loop{loop}, nil) },
		func() (*Engine, error) { return New(Config{}, app, nil, nil) },
		func() (*Engine, error) { return New(Config{}, app, []Loop{loop, pollertest.NewLoop(1)}, nil) },
		func() (*Engine, error) { return New(Config{}, app, []Loop{pollertest.NewLoop(1)}, nil) },
		func() (*Engine, error) { return New(Config{MaxPayload: -1}, app, []Loop{loop}, nil) },
	} {
		if _, err := f(); err == nil {
			t.Errorf("case %d: no error", i)
		}
	}
	if e, err := New(Config{}, app, []Loop{loop}, nil); err != nil || e.Config().MaxPayload != DefaultMaxPayload {
		t.Error(err)
	}
	for r := range ReasonCount + 2 {
		if (r.String() == "unknown") != (r == 0 || r >= ReasonCount) || r.Error() != r.String() {
			t.Error(fmt.Sprint(uint8(r), r))
		}
	}
}

// Reasons that are only counted have a label of their own and the text of a plain one, which is what a text stands for.
func TestReasonsThatAreOnlyCounted(t *testing.T) {
	labels := map[string]bool{}
	for r := Reason(1); r < ReasonCount; r++ {
		if labels[r.Label()] {
			t.Errorf("two reasons are counted as %q", r.Label())
		}
		labels[r.Label()] = true
		if r.Plain().Plain() != r.Plain() || r.Plain().String() != r.String() || (r.Plain() == r) != (r.Label() == r.String()) {
			t.Errorf("%q, %q: plain %q", r.Label(), r, r.Plain())
		}
		var read Reason
		if err := read.UnmarshalText([]byte(r.String())); err != nil || read != r.Plain() {
			t.Error(r.Label(), read, err)
		}
	}
}

func TestMaxSessions(t *testing.T) {
	var log strings.Builder
	r := newRig(t, 2, Config{MaxSessions: 3, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	r.poll(0)
	r.poll(1)
	w := r.openWS(0, "")
	for loop := range 2 {
		for _, in := range []string{request("GET", base+"polling", ""), upgradeRequest("")} {
			if p := r.dial(loop).write(in); !p.want(503, "Too many sessions").Close || !p.isClosed() {
				t.Error("the connection stays")
			}
		}
	}
	w.cut()
	r.poll(1)
	if n := r.engine.Stats().TurnedAway; n != 4 {
		t.Errorf("%d counted", n)
	}
	if text := log.String(); strings.Count(text, "level=WARN") != 1 || !strings.Contains(text, "setting=MaxSessions limit=3") {
		t.Errorf("the log says\n%s", text)
	}
}
