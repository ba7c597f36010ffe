package session

import (
	"bytes"

	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/httpwire"
)

// route handles one whole request. It runs with the views of the request valid, and answers now or later.
func (h *HTTPConn) route(r *httpwire.Request) {
	t := h.judge(r)
	if h.settle(r, &t, len(r.Body)) {
		return
	}
	switch t.kind {
	case toApp:
		h.engine.app.Request(h, r)
	case toHandshake:
		h.routeHandshake(r, &t)
	default:
		h.routeSession(r, &t)
	}
}

// routeEarly looks at the head of a request whose body is still coming. What the head decides is answered now, so that
// no body is read in vain; the session it is for decides on its own loop. It reports whether to read on.
func (h *HTTPConn) routeEarly(data []byte) bool {
	r := &h.shard.req
	if err := h.parser.Head(data, r); err != nil {
		h.refuseSyntax(data, err)
		return false
	}
	t := h.judge(r)
	if h.settle(r, &t, h.parser.Declared()) {
		return false
	}
	if t.kind != toSession {
		return true
	}
	kind, transport, length := kindOf(r), t.transport, h.parser.Declared()
	home, sid, a := t.home, h.sid, h.asker()
	if sid != string(t.sid) {
		sid = string(t.sid)
	}
	if kind.isPost() {
		h.home, h.sid = home, sid
	}
	h.atHome(home, func() {
		s := home.find(sid)
		defer s.EndOnPanic()
		if home.admit(a, s, transport, kind, length) && kind.isPost() && s.state == stateOpen {
			s.onPostBegun(a)
		}
	})
	return h.phase == phaseBody
}

// settle answers a request that its head decides, or the length of its body, of which at least length bytes are
// announced. It reports whether it did. The connection ends if there is a body, whether that has arrived or not: the
// answers must not depend on how the requests are cut.
func (h *HTTPConn) settle(r *httpwire.Request, t *target, length int) bool {
	if h.turnAway(r) {
		return true
	}
	if t.kind > toPreflight {
		h.note(r)
	}
	if t.kind == toSession {
		h.amend(r)
	}
	limit := h.engine.bodyMax(r, t.kind > toNowhere)
	switch {
	case t.kind == toNowhere:
		h.reply(h.turn, reply{status: 404, contentType: typeText, body: []byte("Not found"), early: true})
	case t.kind == toBadUpgrade:
		h.refuseUpgrade()
	case r.ContentLength > int64(limit):
		h.failTooLarge(r)
	case t.kind == toPreflight:
		h.reply(h.turn, reply{status: h.engine.cors.status, early: true})
	case t.kind == toRefusal:
		h.asker().refuseEarly(h.shard, t.code, t.message)
	case length > limit: // of a chunked one
		h.failTooLarge(r)
	default:
		return false
	}
	return true
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
	if kind.isPost() {
		body = append(body, r.Body...)
	}
	sid, transport := h.sid, t.transport
	h.atHome(home, func() {
		s := home.find(sid)
		defer s.EndOnPanic()
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

func (k requestKind) isPost() bool { return k == kindPost || k == kindBinaryPost }

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
	case !sh.admit(a, s, t, kind, len(body)):
	case kind == kindGet:
		s.onGet(a)
	case s.state != stateOpen:
		// What the client still has to say comes too late, and is no error.
		s.releasePost(a.h)
		s.accept(a)
	default:
		s.onPost(a, body, kind == kindBinaryPost)
	}
}

// admit refuses a polling request that its head decides, on the session's home shard. length is that of the body, as
// far as it is known. It reports whether the request is admitted.
func (sh *Shard) admit(a asker, s *Session, t Transport, kind requestKind, length int) bool {
	switch {
	case s == nil:
		a.refuseEarly(sh, eio.SessionIDUnknown, "")
	case s.Transport() != t || t != Polling:
		a.refuseEarly(sh, eio.BadRequest, "")
	case kind == kindOther:
		a.answer(sh, reply{
			status: 405, contentType: typeText, name: "Allow", value: "GET, POST", body: []byte("Method not allowed"),
			early: true,
		})
	case kind == kindBinaryPost && !s.dialect.is(revision3):
		s.releasePost(a.h)
		s.abort(ReasonTransportError)
		a.refuseEarly(sh, eio.BadRequest, "")
	case kind.isPost() && length > s.tuning().MaxPayload:
		// Nothing of it is handled, and the session goes on, as after a body over the limit of all.
		s.releasePost(a.h)
		a.answer(sh, reply{status: statusTooLarge, early: true})
	default:
		return true
	}
	return false
}
