package wsframe

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

const (
	closeCodeBytes = 2
	// reasonBytesMax is the room for the reason in a control frame.
	reasonBytesMax = ws.MaxControlFramePayloadSize - closeCodeBytes
)

// Bounds of the status codes that may be sent, from RFC 6455 section 7.4 and the
// IANA registry. Codes 1012 to 1014 were registered later; 1016 to 2999 are
// reserved for the protocol.
const (
	codeFirst          ws.StatusCode = 1000
	codeRegisteredLast ws.StatusCode = 1014
	codeFreeFirst      ws.StatusCode = 3000
	codeFreeLast       ws.StatusCode = 4999
)

// ValidCloseCode reports whether a Close frame may carry the code: 1000 to 1003,
// 1007 to 1014 and 3000 to 4999 (RFC 6455 section 7.4).
func ValidCloseCode(code ws.StatusCode) bool {
	switch {
	case code == ws.StatusNoMeaningYet, code.IsProtocolReserved():
		return false
	case code >= codeFirst && code <= codeRegisteredLast:
		return true
	default:
		return code >= codeFreeFirst && code <= codeFreeLast
	}
}

// AppendClose appends an unmasked Close frame to dst.
//
// The reason is truncated to 123 bytes, at a rune boundary, and before the first
// byte that is not UTF-8. For the codes 0 and 1005 the frame has no payload. The
// same holds for codes that must not be sent, such as 1006 (see [ValidCloseCode]),
// because the peer would treat them as a protocol error.
func AppendClose(dst []byte, code ws.StatusCode, reason string) []byte {
	if !ValidCloseCode(code) {
		return AppendHeader(dst, ws.OpClose, true, 0)
	}
	reason = cutReason(reason)
	dst = AppendHeader(dst, ws.OpClose, true, closeCodeBytes+len(reason))
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, reason...)
}

// cutReason returns the longest prefix of s that a Close frame can carry.
func cutReason(s string) string {
	end := 0
	for end < len(s) {
		r, size := utf8.DecodeRuneInString(s[end:])
		if r == utf8.RuneError && size <= 1 || end+size > reasonBytesMax {
			break
		}
		end += size
	}
	return s[:end]
}

// parseClose validates the payload of a Close frame and splits it into code and
// reason. The reason is a view of the payload.
func parseClose(payload []byte) (code ws.StatusCode, reason []byte, failure *Error) {
	if len(payload) == 0 {
		return ws.StatusNoStatusRcvd, payload, nil
	}
	if len(payload) < closeCodeBytes {
		return 0, nil, ErrClosePayload
	}
	code = ws.StatusCode(binary.BigEndian.Uint16(payload))
	if !ValidCloseCode(code) {
		return 0, nil, ErrCloseCode
	}
	reason = payload[closeCodeBytes:]
	if !utf8.Valid(reason) {
		return 0, nil, ErrCloseReason
	}
	return code, reason, nil
}
