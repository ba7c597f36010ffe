package wsframe

import (
	"encoding/binary"
	"math"
	"unicode/utf8"

	"github.com/gobwas/ws"
	"github.com/valyala/bytebufferpool"
)

// assembly pools the buffers of incomplete fragmented messages of all connections.
var assembly bytebufferpool.Pool

// pooledBytesMax is the largest capacity that returns to the pool. A message of one
// byte may hold a pooled buffer for as long as its sender likes; this bounds the
// memory that such a message can hold.
const pooledBytesMax = 64 << 10

// Reader reads frames from a byte stream and assembles messages. Loop-owned; the
// zero value is ready to use. It holds memory only while a fragmented message is
// incomplete or its data is in use.
type Reader struct {
	// buffer holds the fragments of the open message. It is nil while they are
	// empty, and when no message is open. If delivered is set, it belongs to the
	// message that the last call returned.
	buffer *bytebufferpool.ByteBuffer
	// failure is the first error; it is never cleared but by Reset.
	failure *Error
	// need is the size of the incomplete frame at the start of the last slice.
	need int
	// fragments counts the frames of the open message.
	fragments uint32
	// text is the state of the text message in progress, unless it is compressed.
	text UTF8
	// seen is the number of payload bytes of the incomplete frame already fed to text.
	seen uint32
	// open is the opcode of the open message, zero (continuation) if there is none.
	open       ws.OpCode
	compressed bool
	delivered  bool
}

// Next consumes one frame from the start of buf and returns its size. buf must
// begin at a frame boundary and hold all bytes received but not yet consumed. lim
// may be nil. Next does not allocate unless it must grow a fragmented message.
//
// n == 0 and err == nil mean that the frame is incomplete: nothing was consumed and
// no byte was changed; see [Reader.Need]. The next call must have the same bytes at
// the start of buf. If n > 0, buf[:n] was consumed and its payload unmasked in
// place. msg.Kind is the kind of the message, None for a fragment that does not end
// its message.
//
// Errors are of type *[Error] and final: each further call returns the same error.
// A violation is reported as soon as its bytes have arrived. An invalid header is
// reported before the header is complete; invalid UTF-8 and an exceeded limit are
// reported before the payload is complete. So the error does not depend on how the
// stream is split into calls. n is then 0, or the size of the frame if the frame
// was complete and its payload is invalid.
//
// Next also reads frames that follow a Close frame; the caller must discard them
// (RFC 6455 section 1.4).
func (r *Reader) Next(buf []byte, lim *Limits, msg *Message) (n int, err error) {
	*msg = Message{}
	r.Release()
	r.need = 0
	if r.failure != nil {
		return 0, r.failure
	}
	if lim == nil {
		lim = &defaultLimits
	}
	if n, valid := r.plain(buf, lim, msg); n > 0 {
		if !valid {
			return n, r.fail(ErrInvalidUTF8)
		}
		return n, nil
	}
	if failure := r.checkStart(buf, lim); failure != nil {
		return 0, r.fail(failure)
	}
	h, size, err := ParseHeader(buf)
	if err != nil {
		return 0, r.fail(err.(*Error)) // ParseHeader returns no other errors
	}
	if failure := r.checkLimits(&h, size, lim); failure != nil {
		return 0, r.fail(failure)
	}
	if size == 0 {
		return 0, nil
	}
	// checkLimits has bounded the length, so the sum fits an int.
	total := size + int(h.Length)
	if len(buf) < total {
		r.need = total
		if r.isText(&h) && !r.preview(&h, buf[size:]) {
			r.need = 0
			return 0, r.fail(ErrInvalidUTF8)
		}
		return 0, nil
	}
	payload := buf[size:total:total]
	if h.Masked {
		ws.Cipher(payload, h.Mask, 0)
	}
	var failure *Error
	switch {
	case h.OpCode.IsControl():
		failure = control(&h, payload, msg)
	case h.Fin && h.OpCode != ws.OpContinuation:
		failure = r.whole(&h, payload, msg)
	default:
		failure = r.fragment(&h, payload, msg)
	}
	if failure != nil {
		*msg = Message{}
		return total, r.fail(failure)
	}
	return total, nil
}

// Need returns the size in bytes, header included, of the frame that the last call
// of Next found incomplete. It is 0 if the header itself was incomplete or a frame
// was consumed. It is at most Limits.MessageBytes+14 (125+14 for a control frame).
// The peer declared this size: it is a reason to read on, not to allocate.
func (r *Reader) Need() int { return r.need }

// Buffered returns the number of payload bytes that the Reader holds, of a
// fragmented message that is open, or that was delivered and not released.
func (r *Reader) Buffered() int {
	if r.buffer == nil {
		return 0
	}
	return len(r.buffer.B)
}

// Release invalidates the data that the last call of Next delivered and returns its
// buffer, if any, to the pool. Next does the same at its start; Release is for a
// caller that has no more bytes for Next now. It does not affect a fragmented
// message that is still open.
func (r *Reader) Release() {
	if r.delivered {
		r.drop()
	}
}

// Reset returns all memory to the pool and makes r a new Reader. It must be called
// when the connection ends, and may be called more than once.
func (r *Reader) Reset() {
	r.drop()
	*r = Reader{}
}

// plain consumes the frame at the start of b if nothing is special about it: it is complete, a whole message without
// extension, within the limits, and no part of it was previewed. Nearly every frame is like that. It returns n == 0,
// and has changed nothing, for any other frame, and for one that violates the protocol otherwise than by invalid UTF-8.
func (r *Reader) plain(b []byte, lim *Limits, msg *Message) (n int, valid bool) {
	if len(b) < 2 || r.open != ws.OpContinuation || r.seen > 0 || (b[1]&maskBit != 0) == lim.Client {
		return 0, false
	}
	kind := Text
	switch b[0] {
	case finBit | byte(ws.OpText):
	case finBit | byte(ws.OpBinary):
		kind = Binary
	default:
		return 0, false
	}
	size, length := 2, int(b[1]&lengthMask)
	switch {
	case length == length16 && len(b) >= 4:
		size, length = 4, int(binary.BigEndian.Uint16(b[2:]))
		if length <= len7Max {
			return 0, false
		}
	case length > len7Max:
		return 0, false
	}
	if !lim.Client {
		size += maskBytes
	}
	n = size + length
	if len(b) < n || int64(length) > lim.messageBytes() {
		return 0, false
	}
	payload := b[size:n:n]
	if !lim.Client {
		ws.Cipher(payload, [maskBytes]byte(b[size-maskBytes:size]), 0)
	}
	if kind == Text && !utf8.Valid(payload) {
		return n, false
	}
	msg.Kind, msg.Data = kind, payload
	return n, true
}

// checkStart applies the rules of RFC 6455 sections 5.1 to 5.5 to the first two
// bytes of a frame, or to the first byte while the second is missing.
func (r *Reader) checkStart(b []byte, lim *Limits) *Error {
	if len(b) == 0 {
		return nil
	}
	op, rsv := ws.OpCode(b[0]&opCodeMask), b[0]>>rsvShift&rsvMask
	starts := op == ws.OpText || op == ws.OpBinary
	switch {
	case op.IsReserved():
		return ErrReservedOpCode
	case rsv != 0 && (rsv != rsv1 || !lim.AllowRSV1 || !starts):
		return ErrReservedBits
	case op.IsControl() && b[0]&finBit == 0:
		return ErrControlFragmented
	case starts && r.open != ws.OpContinuation:
		return ErrContinuationExpected
	case op == ws.OpContinuation && r.open == ws.OpContinuation:
		return ErrContinuationUnexpected
	case len(b) == 1:
		return nil
	}
	masked := b[1]&maskBit != 0
	switch {
	case !masked && !lim.Client:
		return ErrMaskRequired
	case masked && lim.Client:
		return ErrMaskUnexpected
	case op.IsControl() && b[1]&lengthMask > len7Max:
		return ErrControlTooLong
	default:
		return nil
	}
}

// checkLimits applies the message limits to a frame header. For an incomplete
// header it is called with size == 0.
func (r *Reader) checkLimits(h *ws.Header, size int, lim *Limits) *Error {
	switch {
	case h.OpCode.IsControl():
		return nil
	case h.Length > lim.messageBytes()-int64(r.Buffered()):
		return ErrMessageTooBig
	case size > 0 && h.OpCode == ws.OpContinuation && int64(r.fragments) >= lim.fragments():
		return ErrTooManyFragments
	default:
		return nil
	}
}

// isText reports whether the payload of the frame must be UTF-8.
func (r *Reader) isText(h *ws.Header) bool {
	if h.OpCode == ws.OpContinuation {
		return r.open == ws.OpText && !r.compressed
	}
	return h.OpCode == ws.OpText && h.Rsv != rsv1
}

// previewBytes is the size of the pieces in which an incomplete payload is unmasked
// for validation: large enough for fast validation, small enough for the stack.
const previewBytes = 512

// preview validates the payload bytes of an incomplete text frame that arrived since
// the last call. It feeds each byte to r.text once and reports whether the text may
// still become valid.
//
// The bytes are unmasked in a copy, because buf must stay unchanged until it is
// consumed. A frame too long for r.seen is validated when it is complete.
func (r *Reader) preview(h *ws.Header, payload []byte) bool {
	if h.Length > math.MaxUint32 {
		return true
	}
	var piece [previewBytes]byte
	for at := int(r.seen); at < len(payload); {
		n := copy(piece[:], payload[at:])
		if h.Masked {
			ws.Cipher(piece[:n], h.Mask, at)
		}
		if !r.text.Feed(piece[:n]) {
			return false
		}
		at += n
		r.seen = uint32(at)
	}
	return true
}

// feed validates the part of a complete frame's payload that preview has not seen.
// last tells that the message ends with this frame.
func (r *Reader) feed(payload []byte, last bool) bool {
	ok := r.text.Feed(payload[r.seen:]) && (!last || r.text.Complete())
	r.seen = 0
	if last {
		r.text.Reset()
	}
	return ok
}

// control delivers a control frame, as a view of the payload.
func control(h *ws.Header, payload []byte, msg *Message) (failure *Error) {
	msg.Kind, msg.Data = kindOf(h.OpCode), payload
	if h.OpCode == ws.OpClose {
		msg.Code, msg.Data, failure = parseClose(payload)
	}
	return failure
}

// whole delivers a message of one frame, as a view of the payload.
func (r *Reader) whole(h *ws.Header, payload []byte, msg *Message) *Error {
	if r.isText(h) {
		// Nearly every frame arrives in one piece: then one call validates it.
		if r.seen == 0 && !utf8.Valid(payload) || r.seen > 0 && !r.feed(payload, true) {
			return ErrInvalidUTF8
		}
	}
	msg.Kind, msg.Data, msg.Compressed = kindOf(h.OpCode), payload, h.Rsv == rsv1
	return nil
}

// fragment adds a frame to the open message, or opens one. It delivers the message
// if this was its last frame.
func (r *Reader) fragment(h *ws.Header, payload []byte, msg *Message) *Error {
	if h.OpCode != ws.OpContinuation {
		r.open, r.compressed = h.OpCode, h.Rsv == rsv1
	}
	r.fragments++
	if r.open == ws.OpText && !r.compressed && !r.feed(payload, h.Fin) {
		return ErrInvalidUTF8
	}
	if !h.Fin {
		r.keep(payload)
		return nil
	}
	msg.Kind, msg.Data, msg.Compressed = kindOf(r.open), payload, r.compressed
	// If all earlier fragments were empty, the last one is the message.
	if r.buffer != nil {
		r.keep(payload)
		msg.Data = r.buffer.B[:len(r.buffer.B):len(r.buffer.B)]
		r.delivered = true
	}
	r.open, r.compressed, r.fragments = ws.OpContinuation, false, 0
	return nil
}

// keep copies a fragment to the end of the buffer.
func (r *Reader) keep(payload []byte) {
	if len(payload) == 0 {
		return
	}
	if r.buffer == nil {
		r.buffer = assembly.Get()
	}
	r.buffer.B = append(r.buffer.B, payload...)
}

// drop returns the buffer to the pool. A buffer that is too large is left to the
// garbage collector.
func (r *Reader) drop() {
	if r.buffer != nil && cap(r.buffer.B) <= pooledBytesMax {
		assembly.Put(r.buffer)
	}
	r.buffer, r.delivered = nil, false
}

// fail makes the error final and drops the open message.
func (r *Reader) fail(failure *Error) error {
	r.drop()
	r.failure = failure
	return failure
}
