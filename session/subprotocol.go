package session

import (
	"slices"

	"github.com/seed58c87869/siren/codec/deflate"
	"github.com/seed58c87869/siren/codec/httpwire"
	"github.com/seed58c87869/siren/codec/wsframe"
)

const protocolField = "Sec-WebSocket-Protocol"

// protocolsOf returns the subprotocols that an opening handshake offers; ok is false when the offer is malformed.
func protocolsOf(r *httpwire.Request) (offered []string, ok bool) {
	if r.Get(protocolField) == nil {
		return nil, true
	}
	return wsframe.Protocols(r.Values(protocolField))
}

// wsOffer is the client's offer in an opening handshake. Immutable.
type wsOffer struct {
	key []byte
	// protocols are the subprotocols offered.
	protocols []string
	// first is the request, for the hook that chooses a protocol. It may be empty without a choice, but not when the
	// handshake opens a session, which keeps it.
	first firstRequest
	// deflate is the compression that the server accepts; zero for none.
	deflate deflate.Params
}

// offerOf returns the offer of an opening handshake, whose key is a view of the request. valid is false when the
// request breaks the rules for opening handshakes.
func (e *Engine) offerOf(r *httpwire.Request) (o wsOffer, valid bool) {
	if o.protocols, valid = protocolsOf(r); !valid || !validUpgrade(r) {
		return o, false
	}
	o.key = r.Get("Sec-WebSocket-Key")
	o.deflate, valid = e.compression.accept(r)
	return o, valid
}

// addProtocol returns the fields of the answer to an opening handshake, with the chosen subprotocol. fields may be
// shared and is not changed. It runs on the connection's loop.
//
// Without a hook it chooses the first one offered: clients end a WebSocket whose server has chosen none, and nothing
// else depends on the choice.
func (e *Engine) addProtocol(fields []string, o *wsOffer) []string {
	if len(o.protocols) == 0 {
		return fields
	}
	chosen := o.protocols[0]
	if e.cfg.SelectProtocol != nil {
		chosen = e.selectProtocol(o)
	}
	if chosen == "" {
		return fields
	}
	return append(slices.Clip(fields), protocolField, chosen)
}

// selectProtocol calls the hook. A choice that was not offered is logged and means none, because a client would have to
// fail the connection (RFC 6455, section 4.1).
func (e *Engine) selectProtocol(o *wsOffer) (chosen string) {
	defer e.containHook("SelectProtocol")
	choice := e.cfg.SelectProtocol(o.first.handshake(e.cfg.TrustedProxies), slices.Clone(o.protocols))
	if choice != "" && !slices.Contains(o.protocols, choice) {
		e.logError("SelectProtocol chose a protocol that was not offered", "protocol", choice, "offered", o.protocols)
		return ""
	}
	return choice
}
