package eio

import "strconv"

// The prefix of binary data in protocol 3. Only messages can be binary.
const (
	binaryMessage3 = 4    // the type as a number, in WebSocket messages and binary payloads
	textMessage3   = "b4" // in text payloads, with base64 behind
)

// Marks of the binary framing: the kind of packet, and the end of its length.
const (
	stringMark3 = 0
	binaryMark3 = 1
	lengthEnd3  = 0xff
)

// ParseText3 is ParseText for protocol 3: a binary packet in base64 has its type after the 'b', which
// must be that of a message.
func ParseText3(b []byte) (Packet, error) {
	if len(b) == 0 || b[0] != binaryPrefix {
		return ParseText(b)
	}
	if len(b) < len(textMessage3) || b[1] != byte(Message) {
		return Packet{}, ErrPacket
	}
	data, ok := decodeBase64(b[len(textMessage3):len(b):len(b)])
	if !ok {
		return Packet{}, ErrBase64
	}
	return Packet{Type: Message, Binary: true, Data: data}, nil
}

// ParseBinary3 parses a binary WebSocket message of protocol 3, which starts with its type. Official
// clients send only messages in binary; any other type gives ErrPacket.
func ParseBinary3(b []byte) (Packet, error) {
	if len(b) == 0 || b[0] != binaryMessage3 {
		return Packet{}, ErrPacket
	}
	return Packet{Type: Message, Binary: true, Data: b[1:len(b):len(b)]}, nil
}

// textLen3 returns the number of bytes that appendText3 adds.
func (f *Frame) textLen3() int {
	if f.binary {
		return len(textMessage3) - 1 + f.PollingLen()
	}
	return f.PollingLen()
}

// appendText3 appends the text form of f: the packet, or "b4" and base64.
func (f *Frame) appendText3(dst []byte) []byte {
	if f.binary {
		return append(append(dst, textMessage3...), f.encoded()[1:]...)
	}
	return append(dst, f.Payload()...)
}

// stringLen3 returns the number of bytes that appendString3 adds.
func (f *Frame) stringLen3() int {
	return decimalLen(f.units3()) + 1 + f.textLen3()
}

// units3 returns the length of the text form as protocol 3 counts it, in UTF-16 units.
func (f *Frame) units3() int {
	if f.binary {
		return f.textLen3() // base64 is ASCII
	}
	return utf16Len(f.Payload())
}

// appendString3 appends f as an entry of a text payload: its length, a colon, its text form.
func (f *Frame) appendString3(dst []byte) []byte {
	dst = strconv.AppendInt(dst, int64(f.units3()), 10)
	return f.appendText3(append(dst, ':'))
}

// binaryLen3 returns the number of bytes that appendBinary3 adds.
func (f *Frame) binaryLen3() int {
	n := f.bytes3()
	return 1 + decimalLen(n) + 1 + n
}

// bytes3 returns the length of f in a binary payload, including its type.
func (f *Frame) bytes3() int {
	n := len(f.Payload())
	if f.binary {
		n++
	}
	return n
}

// appendBinary3 appends f as an entry of a binary payload: the kind, the digits of its length in bytes
// (each digit as a number), the end of the length, and the packet.
func (f *Frame) appendBinary3(dst []byte) []byte {
	mark := byte(stringMark3)
	if f.binary {
		mark = binaryMark3
	}
	dst = append(dst, mark)
	digits := len(dst)
	dst = strconv.AppendInt(dst, int64(f.bytes3()), 10)
	for i := digits; i < len(dst); i++ {
		dst[i] -= '0'
	}
	dst = append(dst, lengthEnd3)
	if f.binary {
		dst = append(dst, binaryMessage3)
	}
	return append(dst, f.Payload()...)
}

// AppendPayload3 is AppendPayload for protocol 3. The payload is text, with binary messages in base64.
// If binary is true (the client accepts binary data) and a binary message is among the frames, the
// payload is binary; see [IsBinaryPayload3]. For such a client a text payload ends before the first
// binary message, so that data never grows by base64. maxBytes, the results and the split of chains are
// as in AppendPayload.
func AppendPayload3(dst []byte, frames []*Frame, maxBytes int, binary bool) (out []byte, taken int) {
	if binary && reachesBinary(frames, maxBytes) {
		return appendFrames3(dst, frames, maxBytes, true, false)
	}
	return appendFrames3(dst, frames, maxBytes, false, binary)
}

// IsBinaryPayload3 reports whether a payload of AppendPayload3 is binary.
func IsBinaryPayload3(payload []byte) bool {
	return len(payload) > 0 && payload[0] <= binaryMark3 // a text payload begins with a digit
}

// reachesBinary reports whether a binary payload of maxBytes would hold a binary message.
func reachesBinary(frames []*Frame, maxBytes int) bool {
	size := 0
	for _, f := range frames {
		for ; f != nil; f = f.next {
			first := size == 0
			if size += f.binaryLen3(); size > maxBytes && !first {
				return false
			}
			if f.binary {
				return true
			}
		}
	}
	return false
}

// appendFrames3 appends as many frames as fit, in one framing. textOnly ends the payload before a binary message.
func appendFrames3(dst []byte, frames []*Frame, maxBytes int, binary, textOnly bool) (out []byte, taken int) {
	start := len(dst)
	for i, entry := range frames {
		for f := entry; f != nil; f = f.next {
			size := 0
			if binary {
				size = f.binaryLen3()
			} else {
				size = f.stringLen3()
			}
			first := len(dst) == start
			if !first && (len(dst)-start+size > maxBytes || textOnly && f.binary) {
				if f != entry {
					frames[i] = f
				}
				return dst, i
			}
			if binary {
				dst = f.appendBinary3(dst)
			} else {
				dst = f.appendString3(dst)
			}
		}
	}
	return dst, len(frames)
}

// decimalLen returns the number of decimal digits of n, which is not negative.
func decimalLen(n int) int {
	digits := 1
	for ; n > 9; n /= 10 {
		digits++
	}
	return digits
}
