package session

import (
	"github.com/seed58c87869/siren/codec/deflate"
	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/httpwire"
)

// codingFor returns the compression of the answer to a polling request.
func (e *Engine) codingFor(r *httpwire.Request) deflate.Coding {
	if e.compression.bodies == nil || string(r.Method) == "HEAD" {
		return deflate.Identity
	}
	return deflate.AcceptEncoding(r.Get("Accept-Encoding"))
}

// pack compresses the body of an answer if it should be, and adds the header fields for it. The result is valid until
// the shard's next answer.
func (sh *Shard) pack(r *reply, coding deflate.Coding) []byte {
	e := sh.engine
	if !r.data || r.plain || e.compression.bodies == nil || len(r.body) < e.cfg.HTTPCompression.Threshold {
		return r.body
	}
	// Bodies below the threshold are the same for all clients and need no Vary.
	sh.fields = append(sh.fields, "Vary", "Accept-Encoding")
	if coding == deflate.Identity {
		return r.body
	}
	out := e.compression.bodies.Append(sh.packed[:0], r.body, coding)
	if sh.packed = out; cap(out) > scratchKeep {
		sh.packed = nil
	}
	if len(out) >= len(r.body) {
		return r.body
	}
	sh.fields = append(sh.fields, "Content-Encoding", coding.String())
	return out
}

// allPlain reports whether none of the packets may be compressed.
func allPlain(queue []*eio.Frame) bool {
	for _, f := range queue {
		if !f.IsPlain() {
			return false
		}
	}
	return true
}
