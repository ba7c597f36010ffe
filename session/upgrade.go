package session

import (
	"bytes"
	"time"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/httpwire"
	"github.com/seed58c87869/siren/poller/wheel"
)

// upgrade is a WebSocket that may become a polling session's transport (Engine.IO protocol 4, section "Upgrade").
// Loop-owned (home loop).
type upgrade struct {
	session *Session
	// ws is nil until the WebSocket is open.
	ws    *wsConn
	timer wheel.Timer
	// held ends the wait of a GET that came after the probe.
	held heldGet
	// probed means that the probe was answered. The queue then waits for the WebSocket.
	probed bool
	// base64 means that the WebSocket accepts no binary messages (protocol 3).
	base64 bool
}

// upgrade returns the upgrade in progress, or nil.
func (s *Session) upgrade() *upgrade {
	if s.poll == nil {
		return nil
	}
	return s.poll.upgrade
}

// heldGet is the timer of a GET that came after the probe.
type heldGet struct {
	wheel.Timer
	u *upgrade
}

// getGrace is how long a GET that came after the probe waits for packet "5" before it is answered with a noop. The
// reference checks for such a GET ten times a second.
const getGrace = 10 * time.Millisecond

func (u *upgrade) holdGet() {
	loop := u.session.shard.loop
	u.held.u = u
	u.held.Init(&u.held)
	loop.Wheel().Schedule(&u.held.Timer, wheel.Deadline(loop.Now(), getGrace))
}

// Expire answers the GET with a noop.
func (g *heldGet) Expire(int64) {
	if s := g.u.session; s.upgrade() == g.u {
		defer s.EndOnPanic()
		s.servePoll()
	}
}

// stop cancels the upgrade's timers.
func (u *upgrade) stop() {
	w := u.session.shard.loop.Wheel()
	w.Cancel(&u.timer)
	w.Cancel(&u.held.Timer)
}

// Expire ends an upgrade that takes too long. The session continues polling.
func (u *upgrade) Expire(int64) {
	if u.session.upgrade() == u {
		defer u.session.EndOnPanic()
		u.session.failUpgrade()
	}
}

// verdict is the decision of a session's home about a WebSocket for the session.
type verdict uint8

const (
	// verdictUnknown: there is no such session.
	verdictUnknown verdict = iota
	// verdictInvalid: the request is not a valid opening handshake.
	verdictInvalid
	// verdictBusy: the session accepts no WebSocket now. This one is opened and closed, and the session continues.
	verdictBusy
	verdictProbe
)

// requestUpgrade asks the session's home whether a WebSocket may probe, and answers the request accordingly.
func requestUpgrade(x *Exchange, r *httpwire.Request, t *target) {
	h := x.conn
	home, sid, valid := t.home, string(t.sid), t.valid
	base64 := wantsBase64(r)
	o := new(wsOffer)
	*o = t.offer
	o.key = bytes.Clone(o.key)
	if h.shard.engine.cfg.SelectProtocol != nil && len(o.protocols) > 0 {
		o.first = x.firstRequest(r)
	}
	x.atHome(home, func() {
		u, v := home.admitUpgrade(sid, valid)
		if u != nil {
			u.base64 = base64
		}
		home.on(h.shard, func() {
			defer closeOnPanic(h.conn)
			finishUpgrade(x, home, u, v, o)
		})
	})
}

// admitUpgrade begins an upgrade if the session accepts one.
func (sh *Shard) admitUpgrade(sid string, valid bool) (*upgrade, verdict) {
	s := sh.find(sid)
	switch {
	case s == nil:
		return nil, verdictUnknown
	case !valid:
		return nil, verdictInvalid
	case s.state != stateOpen || s.poll == nil || s.upgrade() != nil || sh.engine.cfg.NoUpgrades:
		return nil, verdictBusy
	}
	u := &upgrade{session: s}
	u.timer.Init(u)
	sh.loop.Wheel().Schedule(&u.timer, wheel.Deadline(sh.loop.Now(), sh.engine.cfg.UpgradeTimeout))
	s.poll.upgrade = u
	return u, verdictProbe
}

// finishUpgrade handles the home's decision on the connection's loop.
func finishUpgrade(x *Exchange, home *Shard, u *upgrade, v verdict, o *wsOffer) {
	h := x.conn
	switch {
	case h.gone:
		if u != nil {
			h.shard.on(home, func() { u.Expire(0) })
		}
		return
	case v == verdictUnknown:
		x.answer(refusalFor(eio.SessionIDUnknown, "", nil))
		return
	case v == verdictInvalid:
		x.answer(badUpgrade)
		return
	}
	var local *Session
	if u != nil && home == h.shard {
		local = u.session
	}
	w := newWSConn(x, home, local, o, nil)
	if u == nil {
		h.shard.stats.upgradeRefused.Add(1)
		w.deaf = true
		w.conn.Last(wsCloseNormal)
		return
	}
	h.shard.on(home, func() {
		if s := u.session; s.upgrade() == u {
			u.ws, w.session = w, s
		} else {
			w.close(wsCloseNormal)
		}
	})
	h.conn.Resume()
}

// receiveProbe handles a packet of the probing WebSocket.
func (s *Session) receiveProbe(p eio.Packet) {
	switch {
	case p.Type == eio.Ping && string(p.Data) == "probe":
		s.upgrade().probed = true
		s.upgrade().ws.out().Queue(eio.PongProbe.WebSocket())
		// A waiting GET is answered at once, so that the client can continue.
		s.servePoll()
	case p.Type == eio.Upgrade:
		s.completeUpgrade()
	default:
		s.failUpgrade()
	}
}

// completeUpgrade makes the WebSocket the session's transport and sends the queued packets on it, in order.
func (s *Session) completeUpgrade() {
	u, p := s.upgrade(), s.poll
	s.poll.upgrade = nil
	u.stop()
	// The client has not waited for the end of these requests: they came after the probe, or were not finished before
	// "5".
	for _, late := range []*requestRef{&p.get, &p.post} {
		if a := *late; a.x != nil {
			*late = requestRef{}
			a.refuse(s.shard, eio.BadRequest, "")
		}
	}
	s.setTransport(WebSocket)
	s.dialect = s.dialect.carriedBy(u)
	if s.shard.engine.debug.Load() {
		s.debugLog("upgraded")
	}
	s.uncountQueue()
	s.shard.traffic.Queued -= p.bytes
	s.ws, s.poll = u.ws, nil
	s.noteDeflate()
	s.shard.stats.upgraded.Add(1)
	for _, f := range p.queue {
		s.shard.traffic.Sent -= packetsOf(f) // it was counted when it was queued for polling
		if s.queueWebSocket(s.ws.out(), f) != Queued {
			return
		}
	}
	if s.state == stateClosing {
		s.release(nil)
	}
}

// failUpgrade closes the probing WebSocket. Polling continues, and another upgrade is possible.
func (s *Session) failUpgrade() {
	s.shard.stats.upgradeFailed.Add(1)
	if s.shard.engine.debug.Load() {
		s.debugLog("upgrade failed")
	}
	s.dropUpgrade()
	s.servePoll()
}

// dropUpgrade forgets an upgrade in progress.
func (s *Session) dropUpgrade() {
	u := s.upgrade()
	if u == nil {
		return
	}
	s.poll.upgrade = nil
	u.stop()
	if u.ws != nil {
		u.ws.close(wsCloseNormal)
	}
}
