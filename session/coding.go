package session

import (
	"github.com/seed58c87869/siren/codec/deflate"
	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/httpwire"
)

// accepts notes how the answer to the request in progress may be compressed.
func (h *HTTPConn) accepts(r *httpwire.Request) {
	if h.engine.compression.bodies != nil {
		h.coding = deflate.AcceptEncoding(r.Get("Accept-Encoding"))
	}
}

// pack compresses the body of an answer if that is wanted, and adds the header fields for it. The result is good until
// the shard's next answer.
func (h *HTTPConn) pack(r *reply) []byte {
	e, sh := h.engine, h.shard
	if !r.data || r.plain || e.compression.bodies == nil || len(r.body) < e.cfg.HTTPCompression.Threshold {
		return r.body
	}
	// What is below the threshold is the same for all clients.
	sh.fields = append(sh.fields, "Vary", "Accept-Encoding")
	if h.coding == deflate.Identity || h.traits.is(isHead) {
		return r.body
	}
	out := e.compression.bodies.Append(sh.packed[:0], r.body, h.coding)
	if sh.packed = out; cap(out) > scratchKeep {
		sh.packed = nil
	}
	if len(out) >= len(r.body) {
		return r.body
	}
	sh.fields = append(sh.fields, "Content-Encoding", h.coding.String())
	return out
}

// allPlain reports whether no packet is to be compressed.
func allPlain(queue []*eio.Frame) bool {
	for _, f := range queue {
		if !f.IsPlain() {
			return false
		}
	}
	return true
}
