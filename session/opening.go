package session

import (
	"bytes"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/httpwire"
)

// opening is a handshake on its way.
type opening struct {
	transport Transport
	first     firstRequest
	key       []byte
	protocols []string
	supported bool
	dialect   dialect
	jsonp     jsonp
	// tuned and sid are what hooks have given the session; nil and empty for the usual.
	tuned *tuning
	sid   string
}

// routeHandshake handles a request without a sid.
func (h *HTTPConn) routeHandshake(r *httpwire.Request, t *target) {
	o := opening{
		transport: t.transport, first: h.firstRequest(r), key: r.Get("Sec-WebSocket-Key"), protocols: t.protocols,
	}
	if h.negotiate(r, &o); o.jsonp != 0 && !h.engine.cors.scripts(r.Get("Origin")) {
		h.asker().refuse(h.shard, eio.Forbidden, "Origin not allowed")
		return
	}
	if !h.engine.asks || h.engine.closing.Load() {
		h.open(&o)
		return
	}
	o.key = bytes.Clone(o.key)
	h.ask(o)
}

// refuseUpgrade refuses an opening handshake that breaks RFC 6455, and tells the version we speak (section 4.4).
func (h *HTTPConn) refuseUpgrade() {
	h.reply(h.turn, reply{
		status: eio.BadRequest.Status(), contentType: typeJSON, name: "Sec-WebSocket-Version", value: wsVersion,
		body: eio.AppendError(nil, eio.BadRequest, ""), fault: &fault{code: eio.BadRequest}, early: true,
	})
}

// unavailable refuses a handshake that another server may take.
func (h *HTTPConn) unavailable(why string) {
	h.last = true
	h.reply(h.turn, reply{status: 503, contentType: typeText, body: []byte(why)})
}

// full refuses a handshake because of a setting, which is counted, and logged now and then.
func (h *HTTPConn) full(why, setting string, limit int) {
	h.shard.stats.away.Add(1)
	e := h.engine
	if e.cfg.Logger != nil && e.crowded.pass(h.shard.loop.Now()) {
		e.cfg.Logger.Warn("handshakes get 503: a limit is reached", "setting", setting, "limit", limit)
	}
	h.unavailable(why)
}

// open makes the session. The engine may have begun to close since the request came: then nobody would end it.
func (h *HTTPConn) open(o *opening) {
	switch {
	case h.engine.closing.Load():
		h.unavailable("Server shutting down")
		return
	case !o.supported:
		h.asker().refuse(h.shard, eio.UnsupportedProtocolVersion, "")
		return
	case h.engine.Sessions() >= h.engine.cfg.MaxSessions:
		h.full("Too many sessions", "MaxSessions", h.engine.cfg.MaxSessions)
		return
	}
	sid, ok := h.engine.newSID(o.sid, h.shard)
	if !ok {
		h.shard.stats.badSIDs.Add(1)
		h.asker().refuseFor(h.shard, eio.BadRequest, "", errBadSID)
		return
	}
	s := h.shard.open(sid, o)
	t := s.tuning()
	info := eio.OpenInfo{SID: s.sid, MaxPayload: t.MaxPayload}
	info.PingInterval, info.PingTimeout = announce(t.PingInterval, t.PingTimeout)
	if o.transport == Polling {
		h.openPolling(s, &info, o.jsonp)
	} else {
		h.openWebSocket(s, &info, o)
	}
}

func (h *HTTPConn) openPolling(s *Session, info *eio.OpenInfo, j jsonp) {
	info.Upgrades = h.engine.upgrade
	s.poll = &pollState{jsonp: j}
	s.begin()
	var packet [openRoom]byte
	r := s.openReply(eio.AppendOpen(packet[:0], info))
	if c := &h.engine.cfg.Cookie; c.Name != "" {
		r.name, r.value = "Set-Cookie", c.header(s.sid)
	}
	h.reply(h.turn, r)
}

// openRoom holds an open packet.
const openRoom = 160

func (h *HTTPConn) openWebSocket(s *Session, info *eio.OpenInfo, o *opening) {
	extra, offer := h.cors, &wsOffer{key: o.key, protocols: o.protocols, request: o.first}
	if c := &h.engine.cfg.Cookie; c.Name != "" {
		extra = append([]string{"Set-Cookie", c.header(s.sid)}, extra...)
	}
	var packet [openRoom]byte
	open := eio.AppendOpen(packet[:0], info)
	if s.dialect.is(revision3) {
		s.ws = h.becomeWebSocket(s.shard, s, offer, extra, nil)
		s.noteDeflate()
		h.beginLater(s, eio.NewText(open).WebSocket())
		return
	}
	s.ws = h.becomeWebSocket(s.shard, s, offer, extra, open)
	s.noteDeflate()
	s.begin()
}
