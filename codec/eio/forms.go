package eio

import "sync/atomic"

// rsv1 marks a WebSocket frame whose payload is compressed (RFC 7692 section 6).
const rsv1 = 0x40

// forms are the encodings of a frame besides its wire. Each is nil until somebody needs it. Safe for
// concurrent use: who comes first makes one; those who race make equal ones, and one of them stays.
type forms struct {
	base64   atomic.Pointer[[]byte] // 'b' and base64, of a binary message
	binary3  atomic.Pointer[[]byte] // WebSocket frame with the type byte of protocol 3
	text3    atomic.Pointer[[]byte] // WebSocket frame of "b4" and base64
	deflated atomic.Pointer[[]byte] // WebSocket frame with RSV1, or wire when it does not pay
}

// forms returns the place for the other forms of f.
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

// keep stores a form, unless another caller was faster, and returns the one that stays.
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

// WebSocket3 returns f as one complete WebSocket frame of protocol 3: a binary message has the type in
// front of its data, a text packet is what it is in protocol 4. The caller must not change it.
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

// WebSocketText3 is WebSocket3 for a client that takes no binary messages: they are text packets in
// base64. The caller must not change it.
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

// Deflated returns f as one complete WebSocket frame whose payload is compressed, with RSV1 set (RFC
// 7692 section 6), in the form of protocol 4. compress gets the payload and returns it compressed
// without context takeover, so that the result is good for every recipient, or nil when that does not
// pay; its result is copied. The first caller has it made and it is kept; after nil the result is
// WebSocket() for ever, as it always is for a frame marked by Plain. Callers that race may each
// compress. All callers must use the same parameters. The caller must not change the result.
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

// appendHeader returns a new slice of exact capacity for a frame of n payload bytes, with its header.
func appendHeader(first byte, n int) []byte {
	var header [10]byte
	head := putHeader(&header, first, n)
	return append(make([]byte, 0, head+n), header[:head]...)
}
