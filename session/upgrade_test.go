package session

import (
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/poller/stream"
)

// The upgrade from polling to WebSocket loses nothing, including packets queued between the probe and the upgrade
// packet.
func TestUpgrade(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, Config{}).echo()
		sid := r.poll(0)
		g := r.get(1, sid)
		w := r.openWS(loop, sid)
		g.wantNothing() // the noop comes with the probe, not before
		w.text("2probe").wantFrames("t:3probe")
		g.want(200, "6")
		for range 3 { // again and again
			g = r.get(loop, sid)
			g.wantNothing() // "5" may be on its way
			r.advance(2 * getGrace)
			g.want(200, "6")
		}
		r.post(loop, sid, "4a\x1ebAQI=").want(200, "ok")
		r.post(1-loop, sid, "4b").want(200, "ok")
		if r.last().s.Transport() != Polling {
			t.Error("too early")
		}
		g = r.get(0, sid)
		w.text("5").wantFrames("t:4a", "b:\x01\x02", "t:4b")
		if r.last().s.Transport() != WebSocket {
			t.Error("not upgraded")
		}
		g.want(400, errorBody(eio.BadRequest)) // it overtook the "5" at best
		w.text("4c").wantFrames("t:4c")
		// Polling after the upgrade.
		r.get(loop, sid).want(400, errorBody(eio.BadRequest))
		r.post(loop, sid, "4x").want(400, errorBody(eio.BadRequest))
		w.text("4d").wantFrames("t:4d")
		r.last().wantGot("a", "b:\x01\x02", "b", "c", "d")
		if s := r.engine.Stats(); s.Upgraded != 1 || s.UpgradeFailed != 0 || s.Open != 1 || s.Opened != 1 {
			t.Errorf("%+v", s)
		}
		w.cut()
		r.last().wantClosed(ReasonTransportClose)
	})
}

// However an upgrade ends, the timer of a GET that waits for its end goes with it.
func TestUpgradeEndsWithoutTimers(t *testing.T) {
	for name, end := range map[string]func(r *rig, w *peer){
		"completed":            func(_ *rig, w *peer) { w.text("5") },
		"failed":               func(_ *rig, w *peer) { w.text("4x") },
		"cut":                  func(_ *rig, w *peer) { w.cut() },
		"closed by the server": func(r *rig, _ *peer) { r.loops[0].Do(func() { r.last().s.abort(ReasonForcedClose) }) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1, Config{})
			sid := r.poll(0)
			g := r.get(0, sid) // goes home with the probe
			w := r.openWS(0, sid).text("2probe")
			g.want(200, "6")
			g.write(getRequest(sid))
			g.wantNothing()
			u := r.last().s.upgrade()
			if !u.held.Scheduled() || !u.timer.Scheduled() {
				t.Fatal("the GET is not held, or the upgrade has no limit")
			}
			end(r, w)
			if r.last().s.upgrade() != nil || u.held.Scheduled() || u.timer.Scheduled() {
				t.Errorf("the upgrade goes on, or its timers wait: %v, %v", u.held.Scheduled(), u.timer.Scheduled())
			}
		})
	}
}

// The client sends frames right after its request: half a frame, or the whole upgrade.
func TestUpgradeInOneSegment(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		for cut := range len(textFrame("2probe")) + 1 {
			r := newRig(t, 2, Config{}).echo()
			sid := r.poll(0)
			f := textFrame("2probe")
			w := r.dial(loop).write(upgradeRequest(sid) + f[:cut])
			if a := w.answer(); a.StatusCode != 101 {
				t.Fatal(a)
			}
			w.write(f[cut:]).wantFrames("t:3probe")
			w.text("5").text("4x").wantFrames("t:4x")
		}
		r := newRig(t, 2, Config{}).echo()
		w := r.dial(loop).write(upgradeRequest(r.poll(0)) + textFrame("2probe") + textFrame("5") + textFrame("4x"))
		w.answer()
		w.wantFrames("t:3probe", "t:4x")
	})
}

// A failed upgrade closes the WebSocket only. Polling continues, and another upgrade works.
func TestUpgradeFails(t *testing.T) {
	for name, fail := range map[string]func(r *rig, w *peer){
		"message":       func(_ *rig, w *peer) { w.text("4x") },
		"binary":        func(_ *rig, w *peer) { w.write(frame(ws.OpBinary, "x")) },
		"other ping":    func(_ *rig, w *peer) { w.text("2") },
		"close packet":  func(_ *rig, w *peer) { w.text("1") },
		"no packet":     func(_ *rig, w *peer) { w.text("xyz") },
		"close frame":   func(_ *rig, w *peer) { w.write(frame(ws.OpClose, "")) },
		"violation":     func(_ *rig, w *peer) { w.write("\x81\x01x") },
		"cut":           func(_ *rig, w *peer) { w.cut() },
		"cut and more":  func(_ *rig, w *peer) { w.conn.Feed([]byte(textFrame("2probe"))); w.cut() },
		"time":          func(r *rig, _ *peer) { r.advance(502 * ms) },
		"probe, nought": func(r *rig, w *peer) { w.text("2probe").text("2probe"); r.advance(502 * ms) },
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, loop int) {
				r := newRig(t, 2, Config{UpgradeTimeout: 500 * ms}).echo()
				sid := r.poll(0)
				if strings.HasPrefix(name, "cut") || name == "time" {
					r.openWS(loop, sid).cut() // one more that failed
				}
				w := r.openWS(loop, sid)
				g := r.get(loop, sid)
				fail(r, w)
				if !w.isClosed() {
					t.Error("the WebSocket stays")
				}
				if a := g.answer(); a != nil { // probed
					g = r.get(loop, sid)
				}
				r.post(loop, sid, "4alive").want(200, "ok")
				g.want(200, "4alive")
				r.last().wantClosed()
				w = r.openWS(loop, sid).text("2probe").text("5").text("4y")
				w.wantFrames("t:3probe", "t:4y")
				if s := r.engine.Stats(); s.Upgraded != 1 || s.UpgradeFailed == 0 {
					t.Errorf("%+v", s)
				}
				w.cut()
				r.advance(76 * time.Second)
				r.wantEmpty()
			})
		})
	}
}

// What waits in the queue when a probed upgrade fails goes out by polling.
func TestUpgradeFailsWithQueue(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, Config{}).echo()
		sid := r.poll(0)
		w := r.openWS(loop, sid).text("2probe")
		r.post(loop, sid, "4a").want(200, "ok")
		w.cut()
		r.get(loop, sid).want(200, "4a")
	})
}

// A WebSocket is refused where upgrades are off, closed where one probes already, and where the session closes.
func TestUpgradeNotTaken(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, Config{NoUpgrades: true})
		sid := r.poll(0)
		r.openWS(loop, sid).wantFrames("close:1005")
		r.post(loop, sid, "4x").want(200, "ok")

		r = newRig(t, 2, Config{})
		sid = r.poll(0)
		first := r.openWS(loop, sid)
		second := r.openWS(1, sid)
		second.wantFrames("close:1005")
		first.text("2probe").text("5").text("4x").wantFrames("t:3probe")
		r.last().wantGot("x")

		sid = r.poll(0)
		r.loops[0].Do(func() { r.last().s.Close(ReasonForcedClose) })
		r.openWS(loop, sid).wantFrames("close:1005")
		r.get(loop, sid).want(200, "1")
	})
}

// Close while a WebSocket probes. Before the probe is answered the WebSocket goes, and the client fetches what is left
// by polling; after it the client polls no more, and gets it on the WebSocket.
func TestCloseWhileUpgrading(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		for _, probed := range []bool{false, true} {
			r := newRig(t, 2, Config{})
			sid := r.poll(0)
			w := r.openWS(loop, sid)
			if probed {
				w.text("2probe").wantFrames("t:3probe")
			}
			r.loops[0].Do(func() {
				r.last().s.Send(eio.NewMessage([]byte("bye")), false)
				r.last().s.Close(ReasonForcedServerClose)
			})
			r.run()
			r.last().wantClosed(ReasonForcedServerClose)
			if probed {
				w.text("5").wantFrames("t:4bye", "close:1005")
			} else {
				w.wantFrames("close:1005")
				r.get(loop, sid).want(200, "4bye")
				r.get(1-loop, sid).want(200, "1")
			}
			r.get(loop, sid).want(400, errorBody(eio.SessionIDUnknown))
			r.advance(76 * time.Second)
			r.wantEmpty()
		}
	})
}

// A client that closes while its probe was answered may never send "5": the session ends with the upgrade's time.
func TestCloseWhileUpgradingForgotten(t *testing.T) {
	r := newRig(t, 2, Config{UpgradeTimeout: time.Second, CloseTimeout: 2 * time.Second})
	sid := r.poll(0)
	w := r.openWS(1, sid).text("2probe")
	w.wantFrames("t:3probe")
	r.loops[0].Do(func() { r.last().s.Close(ReasonForcedServerClose) })
	r.run()
	r.advance(1100 * time.Millisecond)
	w.wantFrames("close:1005")
	r.advance(76 * time.Second)
	r.wantEmpty()
}

// A close packet may overtake the GET that was sent before it.
func TestCloseOvertakesGet(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, Config{})
		sid := r.poll(0)
		post := r.post(loop, sid, "1")
		r.last().wantClosed(ReasonTransportClose)
		post.wantNothing()
		r.get(1-loop, sid).want(200, "6")
		post.want(200, "ok")
		r.get(loop, sid).want(400, errorBody(eio.SessionIDUnknown))

		sid = r.poll(0)
		post = r.post(loop, sid, "1")
		r.advance(2 * leaveGrace)
		post.want(200, "ok")
		r.get(loop, sid).want(400, errorBody(eio.SessionIDUnknown))
		r.advance(76 * time.Second)
		r.wantEmpty()
	})
}

// The session may be gone, and the connection too, while the two loops talk about an upgrade.
func TestUpgradeRaces(t *testing.T) {
	begin := func(t *testing.T) (*rig, *peer) {
		r := newRig(t, 2, Config{})
		sid := r.poll(0)
		w := r.dial(1)
		w.conn.Feed([]byte(upgradeRequest(sid) + textFrame("2probe")))
		return r, w
	}
	t.Run("connection gone before the home is asked", func(t *testing.T) {
		r, w := begin(t)
		w.conn.PeerClose(nil)
		r.run()
		r.last().wantClosed()
		if r.last().s.upgrade() != nil {
			t.Error("an upgrade is left")
		}
	})
	t.Run("connection gone before the answer", func(t *testing.T) {
		r, w := begin(t)
		r.loops[0].RunUntilIdle()
		w.conn.PeerClose(nil)
		r.run()
		if r.last().s.upgrade() != nil {
			t.Error("an upgrade is left")
		}
	})
	t.Run("session gone before the home is asked", func(t *testing.T) {
		r, w := begin(t)
		r.loops[0].Do(func() { r.last().s.abort(ReasonForcedClose) })
		r.run()
		w.want(400, errorBody(eio.SessionIDUnknown))
	})
	t.Run("session gone before the answer", func(t *testing.T) {
		r, w := begin(t)
		r.loops[0].RunUntilIdle()
		r.loops[0].Do(func() { r.last().s.abort(ReasonForcedClose) })
		r.run()
		w.answer()
		w.wantFrames("close:1005")
		if !w.isClosed() {
			t.Error("the WebSocket stays")
		}
	})
	t.Run("session gone before the probe", func(t *testing.T) {
		r, w := begin(t)
		r.loops[0].RunUntilIdle()
		r.loops[1].RunUntilIdle()
		r.loops[0].Do(func() { r.last().s.abort(ReasonForcedClose) })
		r.run()
		w.answer()
		w.wantFrames("close:1005")
	})
	t.Run("time-out before the answer", func(t *testing.T) {
		r, w := begin(t)
		r.loops[0].RunUntilIdle()
		r.loops[0].Do(func() { r.last().s.upgrade().Expire(0) })
		r.run()
		w.answer()
		w.wantFrames("close:1005")
		r.last().wantClosed()
	})
}

// An upgrade that is completed while a POST is still being read: the POST is refused, the session goes on.
func TestUpgradeUnderPost(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, Config{})
		sid := r.poll(0)
		text := postRequest(sid, "4lost")
		p := r.dial(loop).write(text[:len(text)-1])
		w := r.openWS(loop, sid).text("2probe").text("5")
		w.wantFrames("t:3probe")
		p.want(400, errorBody(eio.BadRequest))
		p.write("t").wantNothing()
		w.text("4x")
		r.last().wantGot("x")
		r.last().wantClosed()

		// A POST that ends between the probe and "5" is handled as ever.
		sid = r.poll(0)
		text = postRequest(sid, "4kept")
		p = r.dial(loop).write(text[:len(text)-1])
		w = r.openWS(loop, sid).text("2probe")
		p.write("t").want(200, "ok")
		w.text("5")
		r.last().wantGot("kept")
	})
}

// A packet may have its header fetched by polling and its attachments sent on the WebSocket.
func TestUpgradeInAPacket(t *testing.T) {
	r := newRig(t, 1, Config{MaxPayload: 10})
	sid := r.poll(0)
	r.loops[0].Do(func() {
		r.last().s.Send(eio.Link(eio.NewMessage([]byte("head")), eio.NewBinary([]byte("aaaaaa")), eio.NewBinary([]byte("bb"))), false)
	})
	r.get(0, sid).want(200, "4head")
	r.openWS(0, sid).text("2probe").text("5").wantFrames("t:3probe", "b:aaaaaa", "b:bb")
}

// The ping that comes due in an upgrade is not lost, and its pong counts on either transport.
func TestHeartbeatInUpgrade(t *testing.T) {
	both(t, func(t *testing.T, loop int) {
		r := newRig(t, 2, fast)
		sid := r.poll(0)
		r.advance(250 * ms)
		w := r.openWS(loop, sid).text("2probe")
		r.advance(100 * ms)
		w.text("5").wantFrames("t:3probe", "t:2")
		w.text("3")
		r.advance(301 * ms)
		w.wantFrames("t:2")
		r.last().wantClosed()
	})
}

// A queue that is within the limits on polling is within those of the WebSocket that takes it over, whatever the size
// of its packets.
func TestUpgradeTakesAFullQueueOver(t *testing.T) {
	for _, size := range []int{1, 100, 10_000} {
		both(t, func(t *testing.T, loop int) {
			r := newRig(t, 2, Config{})
			r.setQueueBytesMax(r.engine.cfg.QueueBytes + r.engine.cfg.QueueFrames*stream.FrameOverhead + 64<<10)
			w := r.openWS(loop, r.poll(0)).text("2probe")
			w.wantFrames("t:3probe")
			w.conn.Stall(true)
			f, sent := message(size), 0
			for bytes := 0; bytes+f.Size() <= r.engine.cfg.QueueBytes && sent < r.engine.cfg.QueueFrames; bytes += f.Size() {
				if st := r.last().send(f, false); st != Queued {
					t.Fatalf("packet %d: %v", sent, st)
				}
				sent++
			}
			w.text("5")
			w.conn.Stall(false)
			for i := range sent {
				if got := w.message(); len(got) != size+1 {
					t.Fatalf("message %d of %d: %d bytes", i, sent, len(got))
				}
			}
			r.last().wantClosed()
		})
	}
}
