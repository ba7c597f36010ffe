package wsframe

import (
	"unicode/utf8"

	"github.com/gobwas/ws"
	"github.com/valyala/bytebufferpool"
)

// assembly has the buffers of open fragmented messages of all connections.
var assembly bytebufferpool.Pool

// pooledBytesMax is the largest capacity that goes back to the pool. A buffer
// from the pool may be held by a message of one byte for as long as its sender
// likes; this bounds what such a message can hold.
const pooledBytesMax = 64 << 10

// Reader takes frames from a byte stream and assembles messages. Loop-owned;
// the zero value is ready. It holds memory only while a fragmented message is
// open or its data is in use.
type Reader struct {
	// buffer has the fragments of the open message. It is nil while they are
	// empty, and when no message is open. While delivered is set it belongs to
	// the message that the last call returned.
	buffer *bytebufferpool.ByteBuffer
	// failure is set for good by the first error.
	failure *Error
	// need is the size of the incomplete frame at the start of the last slice.
	need int
	// fragments counts the frames of the open message.
	fragments uint32
	// text is the state of an open text message that is not compressed.
	text UTF8
	// open is the opcode of the open message, zero (continuation) when none.
	open       ws.OpCode
	compressed bool
	delivered  bool
}

// Next takes one frame from the start of buf and returns its size. buf begins
// at a frame boundary and holds all that was received and not yet taken. lim
// may be nil. It does not allocate unless a fragmented message has to grow.
//
// n == 0 and err == nil mean that the frame is incomplete: nothing was taken
// and nothing was changed; see [Reader.Need]. When n > 0, buf[:n] was taken
// and its payload unmasked in place; msg.Kind tells what came out of it, None
// for a fragment that does not end its message.
//
// Errors are of type *[Error] and final: each further call returns the same
// one. What the header alone tells, a limit that is exceeded for example, is
// reported before the payload has arrived and with n == 0; an error of the
// payload is reported with the size of its frame.
//
// Next goes on after a Close frame; that what follows it is to be discarded
// (RFC 6455 section 1.4) is for the caller to do.
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
	h, size, err := ParseHeader(buf)
	if err != nil {
		return 0, r.fail(err.(*Error)) // ParseHeader returns no others
	}
	if size == 0 {
		return 0, nil
	}
	if failure := r.check(&h, lim); failure != nil {
		return 0, r.fail(failure)
	}
	// check bounded the length, so that the sum fits an int.
	total := size + int(h.Length)
	if len(buf) < total {
		r.need = total
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
		failure = whole(&h, payload, msg)
	default:
		failure = r.fragment(&h, payload, msg)
	}
	if failure != nil {
		*msg = Message{}
		return total, r.fail(failure)
	}
	return total, nil
}

// Need returns the size in bytes, header included, of the frame that the last
// call of Next found incomplete. It is 0 when the header itself was incomplete
// and when a frame was taken. It is never more than Limits.MessageBytes and 14
// bytes (125 and 14 for a control frame), but it is what the peer declared: a
// reason to read on, not to allocate.
func (r *Reader) Need() int { return r.need }

// Buffered returns how many bytes of payload the Reader holds: of an open
// fragmented message, or of one that was delivered and not released.
func (r *Reader) Buffered() int {
	if r.buffer == nil {
		return 0
	}
	return len(r.buffer.B)
}

// Release ends the use of the data that the last call of Next delivered and
// returns its buffer, if it had one, to the pool. Next does the same at its
// start; Release is for a caller that has nothing more to give to Next now. A
// fragmented message that is still open is not touched.
func (r *Reader) Release() {
	if r.delivered {
		r.drop()
	}
}

// Reset returns all memory to the pool and makes r a new Reader. It has to be
// called when the connection ends, and may be called more than once.
func (r *Reader) Reset() {
	r.drop()
	*r = Reader{}
}

// check applies the rules that need only the header: RFC 6455 sections 5.1 to
// 5.5, then the limits.
func (r *Reader) check(h *ws.Header, lim *Limits) *Error {
	op := h.OpCode
	starts := op == ws.OpText || op == ws.OpBinary
	switch {
	case op.IsReserved():
		return ErrReservedOpCode
	case h.Rsv != 0 && (h.Rsv != rsv1 || !lim.AllowRSV1 || !starts):
		return ErrReservedBits
	case !h.Masked && !lim.Client:
		return ErrMaskRequired
	case h.Masked && lim.Client:
		return ErrMaskUnexpected
	case op.IsControl() && !h.Fin:
		return ErrControlFragmented
	case op.IsControl() && h.Length > ws.MaxControlFramePayloadSize:
		return ErrControlTooLong
	case op.IsControl():
		return nil
	case starts && r.open != ws.OpContinuation:
		return ErrContinuationExpected
	case !starts && r.open == ws.OpContinuation:
		return ErrContinuationUnexpected
	case h.Length > lim.messageBytes()-int64(r.Buffered()):
		return ErrMessageTooBig
	case !starts && int64(r.fragments) >= lim.fragments():
		return ErrTooManyFragments
	default:
		return nil
	}
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
func whole(h *ws.Header, payload []byte, msg *Message) *Error {
	compressed := h.Rsv == rsv1
	if h.OpCode == ws.OpText && !compressed && !utf8.Valid(payload) {
		return ErrInvalidUTF8
	}
	msg.Kind, msg.Data, msg.Compressed = kindOf(h.OpCode), payload, compressed
	return nil
}

// fragment adds a frame to the open message, or opens one, and delivers the
// message when this was its last frame.
func (r *Reader) fragment(h *ws.Header, payload []byte, msg *Message) *Error {
	if h.OpCode != ws.OpContinuation {
		r.open, r.compressed = h.OpCode, h.Rsv == rsv1
	}
	r.fragments++
	if r.open == ws.OpText && !r.compressed {
		if !r.text.Feed(payload) || h.Fin && !r.text.Complete() {
			return ErrInvalidUTF8
		}
	}
	if !h.Fin {
		r.keep(payload)
		return nil
	}
	msg.Kind, msg.Data, msg.Compressed = kindOf(r.open), payload, r.compressed
	// When all fragments before were empty, the last one is the message.
	if r.buffer != nil {
		r.keep(payload)
		msg.Data = r.buffer.B[:len(r.buffer.B):len(r.buffer.B)]
		r.delivered = true
	}
	r.open, r.compressed, r.fragments = ws.OpContinuation, false, 0
	r.text.Reset()
	return nil
}

// keep copies a fragment behind those before it.
func (r *Reader) keep(payload []byte) {
	if len(payload) == 0 {
		return
	}
	if r.buffer == nil {
		r.buffer = assembly.Get()
	}
	r.buffer.B = append(r.buffer.B, payload...)
}

// drop gives the buffer back. Too large a one is left to the collector.
func (r *Reader) drop() {
	if r.buffer != nil && cap(r.buffer.B) <= pooledBytesMax {
		assembly.Put(r.buffer)
	}
	r.buffer, r.delivered = nil, false
}

// fail makes the error final and lets go of the open message.
func (r *Reader) fail(failure *Error) error {
	r.drop()
	r.failure = failure
	return failure
}
