package wsframe

import (
	"encoding/binary"
	"math"

	"github.com/gobwas/ws"
)

// Bits and length codes of the first two header bytes, RFC 6455 section 5.2.
const (
	finBit     = 0x80 // first byte
	rsv1Bit    = 0x40 // first byte
	rsvShift   = 4    // first byte, the three reserved bits
	rsvMask    = 0x07 // after the shift
	opCodeMask = 0x0f // first byte

	maskBit    = 0x80 // second byte
	lengthMask = 0x7f // second byte

	length16 = 126 // two bytes of length follow
	length64 = 127 // eight bytes of length follow

	// len7Max and len16Max are the longest payloads of the two shorter forms.
	len7Max  = 125
	len16Max = math.MaxUint16

	maskBytes = 4
)

// headerBytesMax is the size of the longest header: two fixed bytes, eight bytes of
// length and the mask.
const headerBytesMax = 2 + 8 + maskBytes

// rsv1 is RSV1 as represented in ws.Header.Rsv.
const rsv1 = rsv1Bit >> rsvShift

// ParseHeader reads the frame header at the start of b. It returns the header and
// its size in bytes. If b ends within the header, n is 0 and err is nil; h.Length is
// then set if the length has arrived, and zero otherwise. ParseHeader does not
// change or retain b, and does not allocate.
//
// Only the encoding of the length is checked: [ErrLengthOverflow] and
// [ErrLengthEncoding] are reported as soon as the length has arrived. [Reader]
// checks everything else.
func ParseHeader(b []byte) (h ws.Header, n int, err error) {
	if len(b) < 2 {
		return h, 0, nil
	}
	code := b[1] & lengthMask
	maskAt := 2
	switch code {
	case length16:
		maskAt += 2
	case length64:
		maskAt += 8
	}
	if len(b) < maskAt {
		return h, 0, nil
	}

	length := uint64(code)
	switch code {
	case length16:
		length = uint64(binary.BigEndian.Uint16(b[2:]))
		if length <= len7Max {
			return h, 0, ErrLengthEncoding
		}
	case length64:
		length = binary.BigEndian.Uint64(b[2:])
		if length > math.MaxInt64 {
			return h, 0, ErrLengthOverflow
		}
		if length <= len16Max {
			return h, 0, ErrLengthEncoding
		}
	}

	h.Fin = b[0]&finBit != 0
	h.Rsv = b[0] >> rsvShift & rsvMask
	h.OpCode = ws.OpCode(b[0] & opCodeMask)
	h.Length = int64(length)
	if b[1]&maskBit == 0 {
		return h, maskAt, nil
	}
	size := maskAt + maskBytes
	if len(b) < size {
		return h, 0, nil
	}
	h.Masked = true
	copy(h.Mask[:], b[maskAt:size])
	return h, size, nil
}

// HeaderSize returns the size in bytes of the header of an unmasked frame whose
// payload has that many bytes: 2, 4 or 10.
func HeaderSize(payload int) int {
	switch {
	case payload <= len7Max:
		return 2
	case payload <= len16Max:
		return 4
	default:
		return 10
	}
}

// AppendHeader appends the header of an unmasked frame whose payload has that many
// bytes. A negative number counts as 0. The arguments are not validated: the caller
// must ensure that control frames are final and have at most 125 bytes.
func AppendHeader(dst []byte, op ws.OpCode, fin bool, payload int) []byte {
	return appendHeader(dst, firstByte(op, fin, 0), 0, int64(payload))
}

// AppendCompressedHeader is [AppendHeader] with RSV1 set, for the first frame of a
// message compressed with permessage-deflate (RFC 7692 section 6). Continuation
// frames of such a message have plain headers.
func AppendCompressedHeader(dst []byte, op ws.OpCode, fin bool, payload int) []byte {
	return appendHeader(dst, firstByte(op, fin, rsv1), 0, int64(payload))
}

// AppendRawHeader appends any header, masked or not, valid or not. The length gets
// its shortest form; a negative length counts as 0. Clients use it, and tests that
// need invalid frames.
func AppendRawHeader(dst []byte, h ws.Header) []byte {
	var mask byte
	if h.Masked {
		mask = maskBit
	}
	dst = appendHeader(dst, firstByte(h.OpCode, h.Fin, h.Rsv), mask, h.Length)
	if h.Masked {
		dst = append(dst, h.Mask[:]...)
	}
	return dst
}

func firstByte(op ws.OpCode, fin bool, rsv byte) byte {
	b := byte(op)&opCodeMask | (rsv&rsvMask)<<rsvShift
	if fin {
		b |= finBit
	}
	return b
}

// appendHeader writes the first byte, then the mask bit and the length.
func appendHeader(dst []byte, first, mask byte, length int64) []byte {
	switch {
	case length <= len7Max:
		return append(dst, first, mask|byte(max(length, 0)))
	case length <= len16Max:
		return append(dst, first, mask|length16, byte(length>>8), byte(length))
	default:
		dst = append(dst, first, mask|length64)
		return binary.BigEndian.AppendUint64(dst, uint64(length))
	}
}
