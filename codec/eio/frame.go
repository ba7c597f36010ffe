package eio

import (
	"encoding/binary"
	"sync/atomic"
)

// First bytes of unmasked, unfragmented, uncompressed WebSocket frames: FIN and the opcode (RFC 6455
// section 5.2).
const (
	finText   = 0x81
	finBinary = 0x82
)

// Limits of the three length forms in a WebSocket header, and the codes of the longer ones.
const (
	maxLen7   = 125
	maxLen16  = 1<<16 - 1
	markLen16 = 126
	markLen64 = 127
)

// Room for the wire bytes inside the allocation of a frame. With the 48 bytes of a Frame they fill the
// allocator's size classes of 128, 256 and 512 bytes. Larger frames get a separate allocation of exact
// size: the copy then costs more than the second allocation, and slack would waste memory in queues.
const (
	roomSmall  = 80
	roomMedium = 208
	roomLarge  = 464
)

// Frame is one Engine.IO packet of the server, encoded once for all transports and recipients.
// Immutable and safe for concurrent use; recipients share it by reference.
//
// Its bytes are one slice of exact size: the WebSocket header, then the payload. The polling form of
// a text packet is the part after the header. All other forms (base64 of a binary message, the forms
// of protocol 3, the deflated form) are made when a recipient first needs them, and kept.
//
// A frame may have attachments linked after it, see [Link]. It then stands for a whole Socket.IO
// packet. The methods apply to one frame only, except [Frame.Size].
type Frame struct {
	wire   []byte                // header and payload; never written after construction
	next   *Frame                // nil at the end of the chain; never written after Link
	more   atomic.Pointer[forms] // nil until another form than wire is needed
	head   uint8                 // length of the header
	binary bool
	plain  bool // never written after Plain
}

type smallFrame struct {
	Frame
	room [roomSmall]byte
}

type mediumFrame struct {
	Frame
	room [roomMedium]byte
}

type largeFrame struct {
	Frame
	room [roomLarge]byte
}

// Control packets that are the same for all recipients. Shared and immutable: never pass them to
// Plain, or to Link as a head or an attachment.
var (
	PingFrame  = NewText([]byte{byte(Ping)})  // "2", the heartbeat
	PongFrame  = NewText([]byte{byte(Pong)})  // "3", the heartbeat's answer in protocol 3
	PongProbe  = NewText([]byte("3probe"))    // answer to "2probe"
	NoopFrame  = NewText([]byte{byte(Noop)})  // "6", releases a waiting poll
	CloseFrame = NewText([]byte{byte(Close)}) // "1"
)

// NewText returns the frame of a text packet. packet includes its type and is copied. It must be
// UTF-8, or a WebSocket client would fail the connection (RFC 6455 section 8.1). It must not contain
// [Separator] if it may be sent by polling.
func NewText(packet []byte) *Frame {
	f := newFrame(finText, len(packet))
	copy(f.wire[f.head:], packet)
	return f
}

// NewMessage returns the frame of a text message: the type Message, then data. data is copied. The
// requirements of NewText apply.
func NewMessage(data []byte) *Frame {
	f := newFrame(finText, 1+len(data))
	f.wire[f.head] = byte(Message)
	copy(f.wire[int(f.head)+1:], data)
	return f
}

// NewBinary returns the frame of a binary message. data is copied.
func NewBinary(data []byte) *Frame {
	f := newFrame(finBinary, len(data))
	f.binary = true
	copy(f.wire[f.head:], data)
	return f
}

// newFrame allocates a frame for a payload of n bytes and writes its header.
func newFrame(first byte, n int) *Frame {
	var header [10]byte
	head := putHeader(&header, first, n)
	size := head + n

	var f *Frame
	switch {
	case size <= roomSmall:
		s := new(smallFrame)
		f, s.wire = &s.Frame, s.room[:size:size]
	case size <= roomMedium:
		m := new(mediumFrame)
		f, m.wire = &m.Frame, m.room[:size:size]
	case size <= roomLarge:
		l := new(largeFrame)
		f, l.wire = &l.Frame, l.room[:size:size]
	default:
		f = &Frame{wire: make([]byte, size)}
	}
	f.head = uint8(head)
	copy(f.wire, header[:head])
	return f
}

// putHeader writes the WebSocket header for n payload bytes and returns its length: 2, 4 or 10. The
// length must have its shortest form (RFC 6455 section 5.2).
func putHeader(h *[10]byte, first byte, n int) int {
	h[0] = first
	switch {
	case n <= maxLen7:
		h[1] = byte(n)
		return 2
	case n <= maxLen16:
		h[1] = markLen16
		binary.BigEndian.PutUint16(h[2:], uint16(n))
		return 4
	}
	h[1] = markLen64
	binary.BigEndian.PutUint64(h[2:], uint64(n))
	return 10
}

// Link links attachments after head, in order, and returns head, which then stands for the whole
// Socket.IO packet. Link is part of the construction: no frame of the chain may have been shared
// before. A frame can be in one chain only, so the same data in two packets needs two frames.
func Link(head *Frame, attachments ...*Frame) *Frame {
	last := head
	for _, a := range attachments {
		last.next = a
		last = a
	}
	return head
}

// Plain marks f and the frames linked after it as not to be compressed, and returns f. Like Link, it
// is part of the construction: no frame of the chain may have been shared before.
func Plain(f *Frame) *Frame {
	for a := f; a != nil; a = a.next {
		a.plain = true
	}
	return f
}

// IsPlain reports whether f was marked by Plain.
func (f *Frame) IsPlain() bool { return f.plain }

// Next returns the attachment after f, or nil. The rest of a chain is a chain itself.
func (f *Frame) Next() *Frame { return f.next }

// Binary reports whether f is a binary message.
func (f *Frame) Binary() bool { return f.binary }

// WebSocket returns f as one complete unmasked WebSocket frame, including its header. The caller must
// not change it.
func (f *Frame) WebSocket() []byte { return f.wire }

// Payload returns the payload: a text packet with its type, or the data of a binary message. The
// caller must not change it.
func (f *Frame) Payload() []byte { return f.wire[f.head:] }

// Size returns the number of bytes of f and all frames linked after it, in their WebSocket form.
// Queues of both transports are bounded by this measure.
func (f *Frame) Size() int {
	size := 0
	for ; f != nil; f = f.next {
		size += len(f.wire)
	}
	return size
}

// PollingLen returns the number of bytes that AppendPolling adds.
func (f *Frame) PollingLen() int {
	n := len(f.wire) - int(f.head)
	if f.binary {
		return binaryLen(n)
	}
	return n
}

// AppendPolling appends the polling form of f to dst: the text packet, or 'b' and base64.
func (f *Frame) AppendPolling(dst []byte) []byte {
	if f.binary {
		return append(dst, f.encoded()...)
	}
	return append(dst, f.wire[f.head:]...)
}
