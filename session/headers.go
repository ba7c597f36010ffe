package session

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// headerOf converts name/value pairs to a header.
func headerOf(pairs []string) http.Header {
	out := http.Header{}
	for i := 0; i+1 < len(pairs); i += 2 {
		out.Add(pairs[i], pairs[i+1])
	}
	return out
}

// pairsOf converts a header to name/value pairs sorted by name, without the reserved fields. The encoder drops fields
// that are invalid.
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

// reservedField reports whether hooks must not set the field, because the response's framing depends on it.
func reservedField(name string) bool {
	switch name {
	case "Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "Trailer":
		return true
	}
	return strings.HasPrefix(name, "Sec-Websocket-")
}

// amend returns the header fields of an answer to a session's request after Config.OnHeaders has changed them.
func (e *Engine) amend(fields []string, first firstRequest) (out []string) {
	out = fields // if the hook panics
	defer e.containHook("OnHeaders")
	header := headerOf(fields)
	e.cfg.OnHeaders(first.handshake(e.cfg.TrustedProxies), header)
	return pairsOf(header)
}
