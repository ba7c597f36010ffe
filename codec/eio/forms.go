package eio

import "sync/atomic"

// rsv1 marks a WebSocket frame whose payload is compressed (RFC 7692 section 6).
const rsv1 = 0x40

// forms holds the other encodings of a frame besides its wire. Each is nil until it is
// first needed. Safe for concurrent use: goroutines that race make equal encodings,
// and one of them is kept.
type forms struct {
	base64   atomic.Pointer[[]byte] // 'b' and base64, of a binary message
	binary3  atomic.Pointer[[]byte] // WebSocket frame with the type byte of protocol 3
	text3    atomic.Pointer[[]byte] // WebSocket frame of "b4" and base64
	deflated atomic.Pointer[[]byte] // WebSocket frame with RSV1, or wire when it does not pay
}

// forms returns the holder of the other encodings of f.
func (f *Frame) forms() *forms {
	if m := f.more.Load(); m != nil {
		return m
	}
	m := new(forms)
	if f.more.CompareAndSwap(nil, m) {
		return m
	}
	return f.more.Load()
}

// keep stores an encoding, unless another caller was faster, and returns the one that is kept.
func keep(at *atomic.Pointer[[]byte], form []byte) []byte {
	if at.CompareAndSwap(nil, &form) {
		return form
	}
	return *at.Load()
}

// encoded returns the polling form of a binary frame.
func (f *Frame) encoded() []byte {
	at := &f.forms().base64
	if p := at.Load(); p != nil {
		return *p
	}
	return keep(at, AppendBinary(make([]byte, 0, f.PollingLen()), f.Payload()))
}

// WebSocket3 returns f as one complete WebSocket frame of protocol 3. A binary message has its type in
// front of the data; a text packet is as in protocol 4. The caller must not change the result.
func (f *Frame) WebSocket3() []byte {
	if !f.binary {
		return f.wire
	}
	at := &f.forms().binary3
	if p := at.Load(); p != nil {
		return *p
	}
	data := f.Payload()
	wire := appendHeader(finBinary, 1+len(data))
	return keep(at, append(append(wire, binaryMessage3), data...))
}

// WebSocketText3 is WebSocket3 for a client that accepts no binary messages: they become text packets
// in base64. The caller must not change the result.
func (f *Frame) WebSocketText3() []byte {
	if !f.binary {
		return f.wire
	}
	at := &f.forms().text3
	if p := at.Load(); p != nil {
		return *p
	}
	return keep(at, f.appendText3(appendHeader(finText, f.textLen3())))
}

// Deflated returns f as one complete WebSocket frame of protocol 4 whose payload is compressed, with
// RSV1 set (RFC 7692 section 6). compress compresses the payload without context takeover, so that the
// result fits every recipient; it returns nil if compression does not pay. Deflated copies the result
// and keeps it for later calls. After nil, and for a frame marked by Plain, Deflated returns
// WebSocket(). Callers that race may each compress. All callers must use the same parameters and must
// not change the result. Safe for concurrent use.
func (f *Frame) Deflated(compress func(payload []byte) []byte) []byte {
	if f.plain {
		return f.wire
	}
	at := &f.forms().deflated
	if p := at.Load(); p != nil {
		return *p
	}
	packed := compress(f.Payload())
	if packed == nil {
		return keep(at, f.wire)
	}
	return keep(at, append(appendHeader(f.wire[0]|rsv1, len(packed)), packed...))
}

// appendHeader returns a new slice with the header of a frame and the exact capacity for n payload bytes.
func appendHeader(first byte, n int) []byte {
	var header [10]byte
	head := putHeader(&header, first, n)
	return append(make([]byte, 0, head+n), header[:head]...)
}
