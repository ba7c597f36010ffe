package session

import (
	"errors"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/seed58c87869/siren/codec/deflate"
	"github.com/seed58c87869/siren/codec/eio"
	"github.com/seed58c87869/siren/codec/httpwire"
	"github.com/seed58c87869/siren/codec/wsframe"
)

// errCorruptMessage reports a message that cannot be inflated. The code is the one that the reference server's library
// uses.
var errCorruptMessage = &wsframe.Error{Code: ws.StatusInvalidFramePayloadData, Reason: "invalid compressed data"}

// inflatedKeep is the largest buffer for inflated messages, in bytes, that a shard keeps.
const inflatedKeep = 64 << 10

// accept returns the compression that an opening handshake offers and that is accepted, and zero when there is none. ok
// is false when the offer is malformed.
func (c *compression) accept(r *httpwire.Request) (p deflate.Params, ok bool) {
	if c.pack == nil {
		return p, true
	}
	for value := range r.Values("Sec-WebSocket-Extensions") {
		params, accepted, err := deflate.Accept(value, c.options)
		switch {
		case err != nil:
			return p, false
		case accepted:
			return params, true
		}
	}
	return p, true
}

// beginDeflate sets the compression that an opening handshake has negotiated.
func (w *wsConn) beginDeflate(p deflate.Params) {
	sh := w.shard()
	w.windowBits = p.ServerWindowBits
	sh.engine.compression.open.Add(1)
	if p.ClientTakeover {
		if sh.windows == nil {
			sh.windows = make(map[*wsConn]*deflate.Window)
		}
		sh.windows[w] = deflate.NewWindow(int(p.ClientWindowBits))
	}
}

// endDeflate releases the compression state of a closed connection. It is called once.
func (w *wsConn) endDeflate() {
	if w.windowBits == 0 {
		return
	}
	sh := w.shard()
	sh.engine.compression.open.Add(-1)
	sh.stopInflating(w)
	delete(sh.windows, w)
}

// limits returns the limits of the connection's frames.
func (w *wsConn) limits(e *Engine) *wsframe.Limits {
	t := &e.tuning
	if w.foreign == nil {
		t = w.session.tuning()
	}
	if w.windowBits > 0 {
		return &t.packed
	}
	return &t.ws
}

// Messages within these sizes, in bytes, are inflated at once: that takes less than a millisecond even if they are made
// to take long. Others are inflated in steps.
const (
	packedAtOnce   = 4 << 10
	inflatedAtOnce = 64 << 10
)

// takeCompressed handles a compressed message. The limit of messages applies to the inflated size. If inflating takes
// more than this turn, the connection's input is held until the message is inflated.
func (w *wsConn) takeCompressed(msg *wsframe.Message) {
	sh := w.shard()
	limit, window := w.limits(sh.engine).MessageBytes, sh.windows[w]
	if len(msg.Data) > packedAtOnce {
		sh.inflateInSteps(w, msg, limit, window)
		return
	}
	buf := sh.inflated
	sh.inflated = nil
	data, err := deflate.Inflate(buf[:0], msg.Data, min(limit, inflatedAtOnce), window)
	if errors.Is(err, deflate.ErrTooBig) && limit > inflatedAtOnce {
		sh.inflated = buf
		sh.inflateInSteps(w, msg, limit, window)
		return
	}
	sh.loop.Spend(inflateWork(len(msg.Data), len(data)))
	w.takeInflated(msg.Kind, data, err)
	if cap(data) <= inflatedKeep {
		sh.inflated = data
	}
}

// takeInflated handles the result of inflating a message.
func (w *wsConn) takeInflated(kind wsframe.Kind, data []byte, err error) {
	switch {
	case errors.Is(err, deflate.ErrTooBig):
		w.violation(wsframe.ErrMessageTooBig)
	case err != nil:
		w.violation(errCorruptMessage)
	case kind == wsframe.Text && !utf8.Valid(data):
		w.violation(wsframe.ErrInvalidUTF8)
	default:
		w.take(data, kind == wsframe.Binary)
	}
}

// wire returns a packet as a WebSocket frame for a client that compresses, or speaks another dialect than protocol 4.
// Binary messages of protocol 3 are not compressed: their bytes differ, and such clients are few.
func (s *Session) wire(f *eio.Frame) []byte {
	if s.ws.windowBits > 0 && !(f.Binary() && s.dialect.is(revision3)) {
		return s.ws.packed(s.shard.engine, f)
	}
	return s.dialect.frame(f)
}

// packed returns a packet as it is sent to a client that negotiated compression.
func (w *wsConn) packed(e *Engine, f *eio.Frame) []byte {
	n := len(f.Payload())
	// No distance in a message exceeds the message's length, whatever window it was compressed with.
	fits := int(w.windowBits) >= e.cfg.PerMessageDeflate.ServerMaxWindowBits || n <= 1<<w.windowBits
	if n < e.cfg.PerMessageDeflate.Threshold || !fits {
		return f.WebSocket()
	}
	return f.Deflated(e.compression.pack)
}

// noteDeflate marks a session whose new WebSocket compresses.
func (s *Session) noteDeflate() {
	if s.ws.windowBits > 0 {
		s.kind.Store(s.kind.Load() | kindDeflate)
	}
}

// Deflates reports whether the session's transport is a WebSocket that negotiated compression. Safe for concurrent use.
func (s *Session) Deflates() bool { return s.kind.Load()&kindDeflate != 0 }

// Deflate makes the compressed form of a packet for several sessions if any session of the engine has negotiated
// compression. Otherwise the first loop that sends the frame compresses it; it is better to spend that time in the
// goroutine that encodes the packet. Safe for concurrent use.
func (e *Engine) Deflate(f *eio.Frame) {
	if e.compression.open.Load() > 0 {
		e.deflate(f)
	}
}

// Deflate is Engine.Deflate for a packet that goes to this session alone. Safe for concurrent use.
func (s *Session) Deflate(f *eio.Frame) {
	if s.Deflates() {
		s.shard.engine.deflate(f)
	}
}

func (e *Engine) deflate(f *eio.Frame) {
	for ; f != nil; f = f.Next() {
		if len(f.Payload()) >= e.cfg.PerMessageDeflate.Threshold {
			f.Deflated(e.compression.pack)
		}
	}
}
