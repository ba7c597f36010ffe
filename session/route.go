package session

import (
	"bytes"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/httpwire"
)

// route handles one whole request. It runs with the views of the request valid, and answers now or later.
func (h *HTTPConn) route(r *httpwire.Request) {
	t := h.judge(r)
	if h.turnAway(r, len(r.Body) > 0) {
		return
	}
	if len(r.Body) > h.engine.bodyMax(&t) {
		h.fail(statusTooLarge, "Payload too large")
		return
	}
	if t.kind > toPreflight {
		h.note(r)
	}
	switch t.kind {
	case toApp:
		h.engine.app.Request(h, r)
	case toPreflight:
		h.reply(h.turn, reply{status: h.engine.cors.status})
	case toRefusal:
		h.asker().refuse(h.shard, t.code, t.message)
	case toHandshake:
		h.routeHandshake(r, &t)
	case toSession:
		h.routeSession(r, &t)
	}
}

// routeEarly looks at the head of a request whose body is still coming: one that is too long is refused before it
// comes, and a POST to a session is announced, so that a second one is seen as such. It reports whether to go on.
func (h *HTTPConn) routeEarly(data []byte) bool {
	r := &h.shard.req
	if err := h.parser.Head(data, r); err != nil {
		h.refuseSyntax(err)
		return false
	}
	t := h.judge(r)
	if h.turnAway(r, true) {
		return false
	}
	if h.parser.Declared() > h.engine.bodyMax(&t) {
		h.fail(statusTooLarge, "Payload too large")
		return false
	}
	if t.kind != toSession || t.transport != Polling || t.upgrade || string(r.Method) != "POST" {
		return true
	}
	h.waitFor(&t)
	home, sid, a := h.home, h.sid, h.asker()
	h.shard.on(home, func() {
		if s := home.find(sid); s != nil && s.poll != nil && s.state == stateOpen {
			s.onPostBegun(a)
		}
	})
	return h.phase == phaseBody
}

// waitFor notes the session that the request in progress belongs to.
func (h *HTTPConn) waitFor(t *target) {
	h.home = t.home
	if h.sid != string(t.sid) {
		h.sid = string(t.sid)
	}
}

// routeSession handles a request with a sid.
func (h *HTTPConn) routeSession(r *httpwire.Request, t *target) {
	h.amend(r)
	if t.upgrade {
		h.requestUpgrade(r, t, bytes.Clone(r.Get("Sec-WebSocket-Key")))
		return
	}
	kind := kindOf(r)
	h.waitFor(t)
	h.polls = kind == kindGet
	home, a := h.home, h.asker()
	if home == h.shard {
		home.serve(a, home.find(h.sid), t.transport, kind, r.Body)
		return
	}
	var body []byte
	if kind == kindPost || kind == kindBinaryPost {
		body = append(body, r.Body...)
	}
	sid, transport := h.sid, t.transport
	home.loop.PostFunc(func() {
		s := home.find(sid)
		defer s.endOnPanic()
		home.serve(a, s, transport, kind, body)
	})
}

type requestKind uint8

const (
	kindGet requestKind = iota
	kindPost
	kindBinaryPost
	kindOther
)

func kindOf(r *httpwire.Request) requestKind {
	switch string(r.Method) {
	case "GET":
		return kindGet
	case "POST":
		// Protocol 4 has no binary payloads.
		if string(r.Get("Content-Type")) == "application/octet-stream" {
			return kindBinaryPost
		}
		return kindPost
	}
	return kindOther
}

// serve handles a polling request on the session's home shard; s is nil when there is no such session.
func (sh *Shard) serve(a asker, s *Session, t Transport, kind requestKind, body []byte) {
	switch {
	case s == nil:
		a.refuse(sh, eio.SessionIDUnknown, "")
	case s.Transport() != t || t != Polling:
		a.refuse(sh, eio.BadRequest, "")
	case kind == kindGet:
		s.onGet(a)
	case kind == kindBinaryPost && !s.dialect.is(revision3):
		s.releasePost(a.h)
		s.abort(ReasonTransportError)
		a.refuse(sh, eio.BadRequest, "")
	case kind != kindOther && len(body) > s.tuning().MaxPayload:
		// Nothing of it is handled, and the session goes on, as after a body over the limit of all.
		s.releasePost(a.h)
		a.answer(sh, reply{status: statusTooLarge, contentType: typeText, body: []byte("Payload too large")})
	case kind != kindOther && s.state != stateOpen:
		// What the client still has to say comes too late, and is no error.
		s.releasePost(a.h)
		s.accept(a)
	case kind != kindOther:
		s.onPost(a, body, kind == kindBinaryPost)
	default:
		a.answer(sh, reply{
			status: 405, contentType: typeText, name: "Allow", value: "GET, POST", body: []byte("Method not allowed"),
		})
	}
}
