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
	// upgrade: the request asks for a WebSocket; valid: it does so by the book.
	upgrade, valid bool
	// home is the shard that the sid names.
	home *Shard
	sid  []byte
	// code and message are of a refusal.
	code    eio.ErrorCode
	message string
}

type targetKind uint8

const (
	// toApp: the path is not ours.
	toApp targetKind = iota
	toPreflight
	toRefusal
	toHandshake
	toSession
)

func refusal(code eio.ErrorCode, message string) target {
	return target{kind: toRefusal, code: code, message: message}
}

// judge looks at the head of the request in progress. Once it was called, an answer to the request has the headers it
// needs. The order of the checks is the reference's: transport, sid, the session's transport, method.
func (h *HTTPConn) judge(r *httpwire.Request) target {
	e := h.engine
	h.last, h.head = r.Close || r.Minor == 0 || h.peer != nil && h.peer.Single, string(r.Method) == "HEAD"
	h.params, h.coding = deflate.Params{}, deflate.Identity
	if !e.ownPath(r.Path) {
		return target{kind: toApp}
	}
	origin := r.Get("Origin")
	if e.cors.on {
		h.cors = e.cors.headersFor(origin)
		if string(r.Method) == "OPTIONS" {
			h.cors = e.cors.preflight(origin, r.Get("Access-Control-Request-Headers"))
			return target{kind: toPreflight}
		}
	}
	if !e.cors.allowed(origin, r.Host) {
		return refusal(eio.Forbidden, "Origin not allowed")
	}
	t := target{kind: toHandshake}
	switch name, _ := httpwire.QueryGet(r.RawQuery, "transport"); {
	case string(name) == "websocket" && e.socket:
		t.transport = WebSocket
	case string(name) == "polling" && e.polling:
		t.transport = Polling
	default:
		return refusal(eio.TransportUnknown, "")
	}
	if t.upgrade = r.HasToken("Connection", "upgrade") && r.HasToken("Upgrade", "websocket"); t.upgrade {
		t.valid = t.transport == WebSocket && validUpgrade(r) && h.offered(r)
	}
	if t.transport == Polling {
		h.accepts(r)
	}
	if t.sid, _ = httpwire.QueryGet(r.RawQuery, "sid"); len(t.sid) > 0 {
		t.kind = toSession
		if t.home = e.homeOf(t.sid); t.home == nil {
			return refusal(eio.SessionIDUnknown, "")
		}
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

// bodyMax is the longest body of a request to t.
func (e *Engine) bodyMax(t *target) int {
	if t.kind == toApp {
		return e.cfg.MaxRequestBody
	}
	return e.cfg.MaxPayload
}

// wsVersion is the WebSocket version we speak (RFC 6455, section 4.4).
const wsVersion = "13"

// validUpgrade checks the rest of an opening handshake (RFC 6455, section 4.2.1).
func validUpgrade(r *httpwire.Request) bool {
	return string(r.Method) == "GET" && r.Minor == 1 && string(r.Get("Sec-WebSocket-Version")) == wsVersion &&
		wsframe.ValidKey(r.Get("Sec-WebSocket-Key"))
}
