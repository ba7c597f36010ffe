package session

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/seed58c87869/siren/codec/eio"
)

// asked writes a handshake that hooks have a say in, and waits until they have.
func (p *peer) asked(loop int, text string) *peer {
	p.rig.t.Helper()
	p.conn.Feed([]byte(text))
	p.rig.waitPosted(loop)
	return p
}

// tunedRig gives sessions whose request has a header field X-Tune what change says.
func tunedRig(t *testing.T, loops int, cfg Config, change func(t *Tuning)) *rig {
	cfg.Tune = func(h *Handshake, t *Tuning) {
		if h.Header("X-Tune") != "" {
			change(t)
		}
	}
	return newRig(t, loops, cfg)
}

const tuneField = "X-Tune: yes"

// A session's own heartbeat is in its open packet and applies to it; other sessions use Config's.
func TestTuneHeartbeat(t *testing.T) {
	r := tunedRig(t, 1, Config{}, func(t *Tuning) { t.PingInterval, t.PingTimeout, t.MaxPayload = 300*ms, 200*ms, 5000 })
	plain := r.dial(0).asked(0, request("GET", base+"polling", ""))
	o := parseOpen(t, plain.answer().body)
	if o.PingInterval != 25_000 || o.PingTimeout != 20_000 || o.MaxPayload != 1_000_000 {
		t.Errorf("plain: %+v", o)
	}
	if r.last().s.tuned.Load() != nil {
		t.Error("a session without settings of its own keeps some")
	}
	p := r.dial(0).asked(0, upgradeRequest("", tuneField))
	p.answer()
	o = parseOpen(t, p.message())
	if o.PingInterval != 300 || o.PingTimeout != 200 || o.MaxPayload != 5000 {
		t.Errorf("tuned: %+v", o)
	}
	c := r.last()
	if got := c.s.Tuning(); got.PingInterval != 300*ms || got.MaxPayload != 5000 || got.QueueBytes != 4<<20 {
		t.Errorf("in force: %+v", got)
	}
	// The wheel is as exact as the Config's times ask for.
	r.advance(401 * ms)
	p.wantFrames("t:2")
	p.text("3")
	r.advance(401 * ms)
	p.wantFrames("t:2")
	r.advance(301 * ms)
	c.wantClosed(ReasonPingTimeout)
	if len(r.clients[0].closed) != 0 {
		t.Error("the other session ended too")
	}
}

// A session's own MaxPayload bounds input on both transports and from either loop, and the payloads it is sent.
func TestTuneMaxPayload(t *testing.T) {
	small := func(t *Tuning) { t.MaxPayload = 100 }
	fits, long := "4"+strings.Repeat("x", 99), "4"+strings.Repeat("x", 100)
	t.Run("websocket", func(t *testing.T) {
		r := tunedRig(t, 1, Config{}, small)
		p := r.dial(0).asked(0, upgradeRequest("", tuneField))
		p.answer()
		p.message()
		p.text(fits)
		r.last().wantGot(fits[1:])
		p.text(long)
		p.wantFrames("close:1009")
		r.last().wantClosed(ReasonTransportError)
	})
	both(t, func(t *testing.T, loop int) {
		r := tunedRig(t, 2, Config{}, small)
		p := r.dial(0).asked(0, request("GET", base+"polling", "", tuneField))
		sid := parseOpen(t, p.answer().body).SID
		r.post(loop, sid, fits).want(200, "ok")
		r.post(loop, sid, long).want(413, "")
		r.post(loop, sid, fits).want(200, "ok")
		c := r.last()
		for range 3 {
			c.s.Send(eio.NewMessage([]byte(fits[:59])), false)
		}
		r.get(loop, sid).want(200, "4"+fits[:59])
		w := r.dial(loop).write(upgradeRequest(sid))
		w.answer()
		w.text("2probe").text("5")
		w.text(long)
		c.wantClosed(ReasonTransportError)
		w.wantFrames("t:3probe", "t:4"+fits[:59], "t:4"+fits[:59], "close:1009")
	})
}

// Invalid settings are ignored and logged.
func TestTuneInvalid(t *testing.T) {
	for want, change := range map[string]func(t *Tuning){
		"PingInterval": func(t *Tuning) { t.PingInterval = 0 }, "PingTimeout": func(t *Tuning) { t.PingTimeout = -1 },
		"MaxPayload": func(t *Tuning) { t.MaxPayload = 1_000_001 }, "QueueBytes": func(t *Tuning) { t.QueueBytes = 1 << 40 },
		"VolatileBytes": func(t *Tuning) { t.VolatileBytes = -1 }, "OnFull": func(t *Tuning) { t.OnFull = 9 },
	} {
		var log strings.Builder
		r := tunedRig(t, 1, Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}, change)
		p := r.dial(0).asked(0, request("GET", base+"polling", "", tuneField))
		if o := parseOpen(t, p.answer().body); o.PingInterval != 25_000 || o.MaxPayload != 1_000_000 {
			t.Errorf("%s: %+v", want, o)
		}
		if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "Tuning."+want) && want != "PingTimeout" {
			t.Errorf("%s: log %q", want, log.String())
		}
	}
}

// Changing the heartbeat of a live session: the next ping comes sooner but never later than the client was told.
func TestRetuneHeartbeat(t *testing.T) {
	r := newRig(t, 1, Config{PingInterval: 1000 * ms, PingTimeout: 500 * ms})
	p := r.openWS(0, "")
	s := r.last().s
	set := func(interval, timeout time.Duration) error {
		err := s.Retune(func(t *Tuning) { t.PingInterval, t.PingTimeout = interval, timeout })
		r.run()
		return err
	}
	if err := set(1001*ms, 500*ms); !errors.Is(err, errAnnouncedInterval) {
		t.Errorf("longer than announced: %v", err)
	}
	if err := set(0, 500*ms); err == nil {
		t.Error("no interval")
	}
	if err := s.Retune(func(t *Tuning) { t.MaxPayload = 10 }); !errors.Is(err, errAnnouncedPayload) {
		t.Errorf("MaxPayload: %v", err)
	}
	if s.tuned.Load() != nil {
		t.Error("a refused change has left something")
	}
	r.advance(800 * ms)
	for range 20 { // however often it is set
		if err := set(1000*ms, 2000*ms); err != nil {
			t.Fatal(err)
		}
	}
	r.advance(210 * ms)
	p.wantFrames("t:2")
	r.advance(1900 * ms) // the timeout of this ping is the new one
	r.last().wantClosed()
	p.text("3")
	if err := set(100*ms, 100*ms); err != nil {
		t.Fatal(err)
	}
	r.advance(115 * ms)
	p.wantFrames("t:2")
	if err := set(1000*ms, 100*ms); err != nil { // back, while a pong is due
		t.Fatal(err)
	}
	p.text("3")
	r.advance(900 * ms)
	p.wantNothing()
	r.advance(115 * ms)
	p.wantFrames("t:2")
	r.advance(115 * ms)
	r.last().wantClosed(ReasonPingTimeout)
}

// The queue limit of one session.
func TestRetuneQueue(t *testing.T) {
	r := newRig(t, 1, Config{})
	sid := r.poll(0)
	s := r.last().s
	if err := s.Retune(func(t *Tuning) { t.QueueBytes, t.OnFull = 50, DropNewest }); err != nil {
		t.Fatal(err)
	}
	r.run()
	long := eio.NewMessage([]byte(strings.Repeat("x", 40)))
	if got := s.Send(long, false); got != Queued {
		t.Errorf("first: %v", got)
	}
	if got := s.Send(long, false); got != DroppedFull {
		t.Errorf("second: %v", got)
	}
	r.get(0, sid).want(200, "4"+strings.Repeat("x", 40))
	if !s.Open() {
		t.Error("closed")
	}
	s.Close(ReasonForcedClose)
	if s.Open() {
		t.Error("open still")
	}
}

// Changes at the same time are all made.
func TestRetuneAtOnce(t *testing.T) {
	r := newRig(t, 1, Config{})
	r.poll(0)
	s := r.last().s
	done := make(chan error)
	for range 8 {
		go func() {
			var err error
			for range 50 {
				err = errors.Join(err, s.Retune(func(t *Tuning) { t.VolatileBytes++ }))
			}
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if got := s.Tuning().VolatileBytes; got != 16<<10+400 {
		t.Errorf("%d", got)
	}
	r.run()
}

// Settings and hooks must not make sessions larger: the next size of the allocator is a tenth more.
func TestSessionSize(t *testing.T) {
	if size := unsafe.Sizeof(Session{}); size > 144 {
		t.Errorf("a Session has %d bytes", size)
	}
}

// In protocol 3 the client pings, as often as it was told: a shorter interval of the server's changes nothing.
func TestRetuneProtocol3(t *testing.T) {
	r := newRig(t, 1, Config{AllowEIO3: true, PingInterval: 1000 * ms, PingTimeout: 500 * ms})
	p := r.dial(0).write(request("GET", strings.Replace(base, "EIO=4", "EIO=3", 1)+"polling", ""))
	if a := p.answer(); a == nil || a.StatusCode != 200 {
		t.Fatal(a)
	}
	c := r.last()
	if err := c.s.Retune(func(t *Tuning) { t.PingInterval, t.PingTimeout = 10*ms, 700*ms }); err != nil {
		t.Fatal(err)
	}
	r.advance(1400 * ms)
	c.wantClosed()
	c.s.heartbeat(eio.Packet{Type: eio.Ping})
	r.advance(1650 * ms)
	c.wantClosed()
	r.advance(100 * ms)
	c.wantClosed(ReasonPingTimeout)
}
