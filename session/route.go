package session

import (
	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/httpwire"
)

// route handles a complete request. The views in r are valid during the call; the answer may come later.
func (x *Exchange) route(r *httpwire.Request) {
	x.traits |= whole
	t, done := x.decide(r, len(r.Body))
	if done {
		return
	}
	switch t.kind {
	case toApp:
		x.conn.shard.engine.app.Request(x, r)
	case toHandshake:
		routeHandshake(x, r, &t)
	case toNode:
		x.forward(r, &t)
	default:
		x.keepRequest(r, &t)
		x.routeSession(r, &t)
	}
}

// routeEarly handles the head of a request whose body, of at least length bytes, is still arriving. If the head alone
// decides the answer, it answers at once, so that no body is read in vain. A session decides on its own loop.
// routeEarly reports whether to read on.
func (x *Exchange) routeEarly(r *httpwire.Request, length int) bool {
	t, done := x.decide(r, length)
	if done {
		return false
	}
	if t.kind != toSession || x.conn.shard.engine.elsewhere.Load() != nil {
		return true
	}
	kind, transport := kindOf(r), t.transport
	home, sid, a := t.home, x.sid, x.ref()
	if sid != string(t.sid) {
		sid = string(t.sid)
	}
	if kind.isPost() {
		x.home, x.sid = home, sid
	}
	x.atHome(home, func() {
		s := home.find(sid)
		defer s.EndOnPanic()
		if home.admit(a, s, transport, kind, length) && kind.isPost() && s.state == stateOpen {
			s.onPostBegun(a)
		}
	})
	return a.waits()
}

// decide classifies a request, and answers it if its head, or a body of at least length bytes, decides the answer. done
// reports whether it did. The connection then ends if there is a body, whether or not that has arrived: answers must
// not depend on how requests are cut into segments.
func (x *Exchange) decide(r *httpwire.Request, length int) (t target, done bool) {
	t = x.classify(r)
	x.traits |= t.asks(r)
	sh := x.conn.shard
	e := sh.engine
	if x.conn.peer.turnsAway(r, e.cfg.HealthPath) {
		sh.stats.busy.Add(1)
		x.answer(busy)
		return t, true
	}
	if t.kind > toPreflight {
		sh.note(x, r)
	}
	if t.kind == toSession && e.cfg.OnHeaders != nil && !x.traits.is(amended) {
		x.traits |= amended
		x.fields = e.amend(x.fields, x.firstRequest(r))
	}
	limit := e.bodyMax(r, t.kind > toNotFound)
	switch {
	case t.kind == toNotFound:
		x.answer(reply{status: 404, contentType: typeText, body: []byte("Not found"), early: true})
	case t.kind == toBadUpgrade:
		x.answer(badUpgrade)
	case r.ContentLength > int64(limit):
		x.failTooLarge(r)
	case t.kind == toPreflight:
		x.answer(reply{status: e.cors.Load().status, early: true})
	case t.kind == toRefusal:
		x.ref().refuseEarly(sh, t.code, t.message)
	case length > limit: // of a chunked body
		x.failTooLarge(r)
	default:
		return t, false
	}
	return t, true
}

// routeSession handles a request with a sid.
func (x *Exchange) routeSession(r *httpwire.Request, t *target) {
	if t.upgrade {
		requestUpgrade(x, r, t)
		return
	}
	kind := kindOf(r)
	x.waitFor(t.home, t.sid)
	x.polls = kind == kindGet
	home, a := x.home, x.ref()
	if home == x.conn.shard {
		home.serve(a, home.find(x.sid), t.transport, kind, r.Body)
		return
	}
	var body []byte
	if kind.isPost() {
		body = append(body, r.Body...)
	}
	sid, transport := x.sid, t.transport
	x.atHome(home, func() {
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
func (sh *Shard) serve(a requestRef, s *Session, t Transport, kind requestKind, body []byte) {
	switch {
	case !sh.admit(a, s, t, kind, len(body)):
	case kind == kindGet:
		s.onGet(a)
	case s.state != stateOpen:
		// The session is closing. The POST comes too late, which is no error.
		s.releasePost(a.x)
		s.accept(a)
	default:
		s.onPost(a, body, kind == kindBinaryPost)
	}
}

// admit checks a polling request on the session's home shard, and refuses it if the head decides so. length is the
// length of the body, as far as it is known. It reports whether the request is admitted.
func (sh *Shard) admit(a requestRef, s *Session, t Transport, kind requestKind, length int) bool {
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
		s.releasePost(a.x)
		s.abort(ReasonTransportError)
		a.refuseEarly(sh, eio.BadRequest, "")
	case kind.isPost() && length > s.tuning().MaxPayload:
		// Nothing of the body is handled, and the session continues, as after a body above the engine's limit.
		s.releasePost(a.x)
		a.answer(sh, reply{status: statusTooLarge, early: true})
	default:
		return true
	}
	return false
}
