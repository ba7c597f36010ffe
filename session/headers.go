package session

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/seed58c87869/siren/codec/httpwire"
)

// headerOf are name/value pairs as a header.
func headerOf(pairs []string) http.Header {
	out := http.Header{}
	for i := 0; i+1 < len(pairs); i += 2 {
		out.Add(pairs[i], pairs[i+1])
	}
	return out
}

// pairsOf are the fields of a header as name/value pairs, in the order of the names, less those that are the
// connection's business. What cannot stand in a field is for the encoder to see.
func pairsOf(header http.Header) []string {
	out := make([]string, 0, 2*len(header))
	for _, name := range slices.Sorted(maps.Keys(header)) {
		if reservedField(http.CanonicalHeaderKey(name)) {
			continue
		}
		for _, value := range header[name] {
			out = append(out, name, value)
		}
	}
	return out
}

// reservedField reports whether a hook may not set the field, because the answer's framing depends on it.
func reservedField(name string) bool {
	switch name {
	case "Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "Trailer":
		return true
	}
	return strings.HasPrefix(name, "Sec-Websocket-")
}

// amend lets the hook for headers change those of the answer to a request of a session.
func (h *HTTPConn) amend(r *httpwire.Request) {
	e := h.engine
	if e.cfg.OnHeaders == nil || h.traits.is(amended) {
		return
	}
	h.traits |= amended
	defer e.containHook("OnHeaders")
	first := h.firstRequest(r)
	header := headerOf(h.cors)
	e.cfg.OnHeaders(first.handshake(e.cfg.TrustedProxies), header)
	h.cors = pairsOf(header)
}
