package session

import (
	"github.com/seed58c87869/siren/codec/deflate"
	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/httpwire"
	"github.com/seed58c87869/siren/codec/wsframe"
)

// target describes where a request goes, by its head. Loop-owned; it has views of the request.
type target struct {
	kind      targetKind
	transport Transport
	// upgrade means that the request asks for a WebSocket, valid that it does so by RFC 6455.
	upgrade, valid bool
	// offer is the offer of the opening handshake.
	offer wsOffer
	// home is the shard that the sid names.
	home *Shard
	sid  []byte
	// code and message are those of a refusal.
	code    eio.ErrorCode
	message string
}

type targetKind uint8

const (
	// toApp: the path is not the engine's, and App.Request answers.
	toApp targetKind = iota
	// toNotFound: the path is neither the engine's nor the application's.
	toNotFound
	toPreflight
	toRefusal
	// toBadUpgrade: the request breaks the rules for opening handshakes.
	toBadUpgrade
	toHandshake
	toSession
	// toNode: another node has the session.
	toNode
)

func refusal(code eio.ErrorCode, message string) target {
	return target{kind: toRefusal, code: code, message: message}
}

// classify returns the target of the request in progress, and sets the header fields that its answer needs. The order
// of the checks is the reference's: transport, sid, the session's transport, method.
//
// A request for a WebSocket is the last one on its connection, as in the reference, unless it is accepted.
func (x *Exchange) classify(r *httpwire.Request) target {
	h := x.conn
	e := h.shard.engine
	upgrade := wantsWebSocket(r)
	x.last = upgrade || r.Close || r.Minor == 0 || h.peer != nil && h.peer.Single
	x.traits, x.coding = x.traits.of(r), deflate.Identity
	if !e.ownPath(r.Path) {
		if !e.serves {
			return target{kind: toNotFound}
		}
		return target{kind: toApp}
	}
	origin := r.Get("Origin")
	cors := e.cors.Load()
	if cors.on && !x.traits.is(amended) {
		x.fields = cors.headersFor(origin)
		if string(r.Method) == "OPTIONS" {
			x.fields = cors.preflight(origin, r.Get("Access-Control-Request-Headers"))
			return target{kind: toPreflight}
		}
	}
	if !cors.allowed(origin, r.Host) {
		return refusal(eio.Forbidden, "Origin not allowed")
	}
	t := target{kind: toHandshake, upgrade: upgrade}
	switch name, _ := httpwire.QueryGet(r.RawQuery, "transport"); {
	case string(name) == "websocket" && e.socket:
		t.transport = WebSocket
	case string(name) == "polling" && e.polling:
		t.transport = Polling
	default:
		return refusal(eio.TransportUnknown, "")
	}
	if t.upgrade {
		t.offer, t.valid = e.offerOf(r)
		t.valid = t.valid && t.transport == WebSocket
	}
	if t.transport == Polling {
		x.coding = e.codingFor(r)
	}
	if t.sid, _ = httpwire.QueryGet(r.RawQuery, "sid"); len(t.sid) > 0 {
		if t.home = e.homeOf(t.sid); t.home != nil {
			t.kind = toSession
		} else if e.cfg.Forwarder != nil && !h.isLinked() && e.cfg.Forwarder.Knows(t.sid) {
			t.kind = toNode
		} else {
			return refusal(eio.SessionIDUnknown, "")
		}
		if t.upgrade && x.traits.is(hasBody) {
			t.kind = toBadUpgrade
		}
		return t
	}
	switch {
	case string(r.Method) != "GET":
		return refusal(eio.BadHandshakeMethod, "")
	case t.upgrade && !t.valid:
		t.kind = toBadUpgrade
	case t.upgrade != (t.transport == WebSocket):
		return refusal(eio.BadRequest, "")
	}
	return t
}

// asks returns the traits of a request for a new session, or for an upgrade; 0 for other requests.
func (t *target) asks(r *httpwire.Request) traits {
	switch t.kind {
	case toHandshake:
		return [...]traits{Polling: asksPolling, WebSocket: asksSocket}[t.transport]
	case toRefusal, toBadUpgrade:
		if sid, _ := httpwire.QueryGet(r.RawQuery, "sid"); len(sid) > 0 {
			return upgradeTrait(wantsWebSocket(r))
		}
		switch name, _ := httpwire.QueryGet(r.RawQuery, "transport"); string(name) {
		case "polling":
			return asksPolling
		case "websocket":
			return asksSocket
		}
		return asks
	}
	return upgradeTrait(t.kind >= toSession && t.upgrade)
}

func upgradeTrait(asked bool) traits {
	if asked {
		return asksUpgrade
	}
	return 0
}

// wantsWebSocket reports whether a request asks to become a WebSocket.
func wantsWebSocket(r *httpwire.Request) bool {
	return r.HasToken("Connection", "upgrade") && r.HasToken("Upgrade", "websocket")
}

// ownPath reports whether the path is the engine's, with or without a trailing slash.
func (e *Engine) ownPath(path []byte) bool {
	p := e.cfg.Path
	return string(path) == p || (len(path) == len(p)+1 && path[len(p)] == '/' && string(path[:len(p)]) == p)
}

// homeOf returns the shard that a session id names, or nil if the id is not valid.
func (e *Engine) homeOf(sid []byte) *Shard {
	if e.sids != nil {
		return e.sids.home(sid)
	}
	i, ok := e.loopOf(sid)
	if !ok || i >= len(e.shards) {
		return nil
	}
	return e.shards[i]
}

// loopOf returns the index of the loop that a session id of this node names. While another process may have sessions
// that this one does not know, an id of no known node counts as one of this node: passOn asks that process.
func (e *Engine) loopOf(sid []byte) (loop int, ok bool) {
	f := e.cfg.Forwarder
	if f == nil {
		return eio.ShardOf(sid)
	}
	if loop, ok = f.LoopOf(sid); !ok && e.elsewhere.Load() != nil && !f.Knows(sid) {
		return 0, true
	}
	return loop, ok
}

// bodyMax returns the longest body that a request may have. own means that the path is the engine's, where the body of
// a GET is not read.
func (e *Engine) bodyMax(r *httpwire.Request, own bool) int {
	switch {
	case !own:
		return e.cfg.MaxRequestBody
	case string(r.Method) == "GET":
		return e.cfg.MaxHeaderBytes
	}
	return e.cfg.MaxPayload
}

// wsVersion is the WebSocket version of the server (RFC 6455, section 4.4).
const wsVersion = "13"

// validUpgrade checks the rest of an opening handshake (RFC 6455, section 4.2.1). The fields for the key and the
// version must not appear twice (sections 11.3.1 and 11.3.5), and there must be no body.
func validUpgrade(r *httpwire.Request) bool {
	version, ok := r.Single("Sec-WebSocket-Version")
	if !ok || string(version) != wsVersion {
		return false
	}
	key, ok := r.Single("Sec-WebSocket-Key")
	return ok && wsframe.ValidKey(key) && string(r.Method) == "GET" && r.Minor == 1 && r.ContentLength == 0
}
