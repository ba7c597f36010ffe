package session

import (
	"bytes"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/httpwire"
	"github.com/seed58c87869/siren/session/limit"
)

// opening is a handshake whose session has not opened yet.
type opening struct {
	// offer has the first request and, for a WebSocket, the offer of its opening handshake.
	offer     wsOffer
	transport Transport
	supported bool
	dialect   dialect
	jsonp     jsonp
	// tuned and sid are chosen by hooks; nil and empty without.
	tuned *tuning
	sid   string
	// from is the address that the handshake is counted for, until the session is.
	from limit.Address
}

// badUpgrade answers an opening handshake that breaks RFC 6455. It names the version that the server speaks (section
// 4.4).
var badUpgrade = reply{
	status: eio.BadRequest.Status(), contentType: typeJSON, name: "Sec-WebSocket-Version", value: wsVersion,
	body: eio.AppendError(nil, eio.BadRequest, ""), fault: &fault{code: eio.BadRequest}, early: true,
}

// routeHandshake handles a request without a sid.
func routeHandshake(x *Exchange, r *httpwire.Request, t *target) {
	sh := x.conn.shard
	e := sh.engine
	o := opening{transport: t.transport, offer: t.offer}
	o.offer.first = x.firstRequest(r)
	if o.negotiate(r, e.cfg.AllowEIO3); o.jsonp != 0 && !e.cors.Load().scripts(r.Get("Origin")) {
		x.answer(refusalFor(eio.Forbidden, "Origin not allowed", nil))
		return
	}
	if e.refusing.Load() {
		o.open(x)
		return
	}
	from, over := x.admitHandshake(r)
	if over != nil {
		x.answer(*over)
		return
	}
	if o.from = from; !e.hasHooks {
		o.open(x)
		return
	}
	o.offer.key = bytes.Clone(o.offer.key)
	callHooks(x, o)
}

// unavailable refuses a handshake that another server may accept.
func unavailable(why string) reply {
	return reply{status: 503, contentType: typeText, body: []byte(why), last: true}
}

// open makes the session. It checks again whether the engine refuses handshakes, because no one would end a session
// that opens later.
func (o *opening) open(x *Exchange) {
	sh := x.conn.shard
	e := sh.engine
	defer func() { e.giveBack(o.from) }() // unless a session has it
	switch {
	case e.refusing.Load():
		sh.stats.draining.Add(1)
		x.answer(unavailable("Server shutting down"))
		return
	case !o.supported:
		x.answer(refusalFor(eio.UnsupportedProtocolVersion, "", nil))
		return
	case e.Sessions() >= int(e.limits.sessions.Load()):
		x.answer(sh.full("Too many sessions", "MaxSessions", int(e.limits.sessions.Load())))
		return
	}
	sid, ok := e.newSID(o.sid, sh)
	if !ok {
		sh.stats.badSIDs.Add(1)
		x.answer(refusalFor(eio.BadRequest, "", errBadSID))
		return
	}
	s := sh.open(sid, o)
	t := s.tuning()
	info := eio.OpenInfo{SID: s.sid, MaxPayload: t.MaxPayload}
	info.PingInterval, info.PingTimeout = announce(t.PingInterval, t.PingTimeout)
	if o.transport == Polling {
		o.openPolling(x, s, &info)
	} else {
		o.openWebSocket(x, s, &info)
	}
}

func (o *opening) openPolling(x *Exchange, s *Session, info *eio.OpenInfo) {
	e := s.shard.engine
	info.Upgrades = e.upgrade
	s.poll = &pollState{jsonp: o.jsonp}
	s.begin()
	var packet [openRoom]byte
	r := s.openReply(eio.AppendOpen(packet[:0], info))
	if c := &e.cfg.Cookie; c.Name != "" {
		r.name, r.value = "Set-Cookie", c.header(s.sid)
	}
	x.answer(r)
}

// openRoom is enough for an open packet.
const openRoom = 160

func (o *opening) openWebSocket(x *Exchange, s *Session, info *eio.OpenInfo) {
	if c := &s.shard.engine.cfg.Cookie; c.Name != "" {
		x.fields = append([]string{"Set-Cookie", c.header(s.sid)}, x.fields...)
	}
	var packet [openRoom]byte
	open := eio.AppendOpen(packet[:0], info)
	if s.dialect.is(revision3) {
		s.ws = newWSConn(x, s.shard, s, &o.offer, nil)
		s.noteDeflate()
		beginLater(x.conn, s, eio.NewText(open).WebSocket())
		return
	}
	s.ws = newWSConn(x, s.shard, s, &o.offer, open)
	s.noteDeflate()
	s.begin()
}
