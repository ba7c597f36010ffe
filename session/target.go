package session

import (
	"github.com/seed58c87869/siren/codec/deflate"
	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/httpwire"
	"github.com/seed58c87869/siren/codec/wsframe"
)

// target is where a request goes, as far as its head tells. Loop-owned; it has views of
// the request.
type target struct {
	kind      targetKind
	transport Transport
	// upgrade: the request asks for a WebSocket; valid: it does so as RFC 6455 says.
	upgrade, valid bool
	// protocols are the subprotocols that it offers.
	protocols []string
	// home is the shard that the sid names.
	home *Shard
	sid  []byte
	// code and message are of a refusal.
	code    eio.ErrorCode
	message string
}

type targetKind uint8

const (
	// toApp: the path is not ours, and App.Request answers.
	toApp targetKind = iota
	// toNowhere: the path is nobody's.
	toNowhere
	toPreflight
	toRefusal
	// toBadUpgrade: the request breaks the rules for opening handshakes.
	toBadUpgrade
	toHandshake
	toSession
)

func refusal(code eio.ErrorCode, message string) target {
	return target{kind: toRefusal, code: code, message: message}
}

// judge looks at the head of the request in progress. Once it was called, an answer to the request has the headers it
// needs. The order of the checks is the reference's: transport, sid, the session's transport, method.
//
// A request for a WebSocket is the last one on its connection, as with the reference, unless it is accepted: then
// becomeWebSocket takes that back.
func (h *HTTPConn) judge(r *httpwire.Request) target {
	e := h.engine
	upgrade := r.HasToken("Connection", "upgrade") && r.HasToken("Upgrade", "websocket")
	h.last = upgrade || r.Close || r.Minor == 0 || h.peer != nil && h.peer.Single
	h.traits = h.traits.of(r)
	h.params, h.coding = deflate.Params{}, deflate.Identity
	if !e.ownPath(r.Path) {
		if !e.serves {
			return target{kind: toNowhere}
		}
		return target{kind: toApp}
	}
	origin := r.Get("Origin")
	if e.cors.on && !h.traits.is(amended) {
		h.cors = e.cors.headersFor(origin)
		if string(r.Method) == "OPTIONS" {
			h.cors = e.cors.preflight(origin, r.Get("Access-Control-Request-Headers"))
			return target{kind: toPreflight}
		}
	}
	if !e.cors.allowed(origin, r.Host) {
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
		var ok bool
		t.protocols, ok = protocolsOf(r)
		t.valid = ok && t.transport == WebSocket && validUpgrade(r) && h.offered(r)
	}
	if t.transport == Polling {
		h.accepts(r)
	}
	if t.sid, _ = httpwire.QueryGet(r.RawQuery, "sid"); len(t.sid) > 0 {
		if t.home = e.homeOf(t.sid); t.home == nil {
			return refusal(eio.SessionIDUnknown, "")
		}
		if t.kind = toSession; t.upgrade && h.traits.is(hasBody) {
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

// traits are what the answer to a request depends on, besides its target. A plain value.
type traits uint8

const (
	// isHead: the answer has no body.
	isHead traits = 1 << iota
	// hasBody: the request has one.
	hasBody
	// amended: the hook for headers has seen the answer's.
	amended
)

func (t traits) is(bit traits) bool { return t&bit != 0 }

// of is t for a request, of which amended may be known before.
func (t traits) of(r *httpwire.Request) traits {
	t &= amended
	if string(r.Method) == "HEAD" {
		t |= isHead
	}
	if r.ContentLength != 0 {
		t |= hasBody
	}
	return t
}

// ownPath reports whether the path is the engine's, with or without a slash at its end.
func (e *Engine) ownPath(path []byte) bool {
	p := e.cfg.Path
	return string(path) == p || (len(path) == len(p)+1 && path[len(p)] == '/' && string(path[:len(p)]) == p)
}

// homeOf is the shard that a session id names; nil when no id of ours looks like that.
func (e *Engine) homeOf(sid []byte) *Shard {
	if e.sids != nil {
		return e.sids.home(sid)
	}
	i, ok := eio.ShardOf(sid)
	if !ok || i >= len(e.shards) {
		return nil
	}
	return e.shards[i]
}

// bodyMax is the longest body that a request may have; own says that its path is ours. Nobody reads that of a GET then.
func (e *Engine) bodyMax(r *httpwire.Request, own bool) int {
	switch {
	case !own:
		return e.cfg.MaxRequestBody
	case string(r.Method) == "GET":
		return e.cfg.MaxHeaderBytes
	}
	return e.cfg.MaxPayload
}

// wsVersion is the WebSocket version we speak (RFC 6455, section 4.4).
const wsVersion = "13"

// validUpgrade checks the rest of an opening handshake (RFC 6455, section 4.2.1). The fields for the key and the
// version must not appear twice (sections 11.3.1 and 11.3.5), and nothing may stand between the head and the first
// frame.
func validUpgrade(r *httpwire.Request) bool {
	version, ok := r.Single("Sec-WebSocket-Version")
	if !ok || string(version) != wsVersion {
		return false
	}
	key, ok := r.Single("Sec-WebSocket-Key")
	return ok && wsframe.ValidKey(key) && string(r.Method) == "GET" && r.Minor == 1 && r.ContentLength == 0
}
