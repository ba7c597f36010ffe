package wsframe

import (
	"slices"

	"github.com/gobwas/ws"
)

// AppendFrame appends a final, unmasked frame, as a server sends it: a whole
// message or a control frame. The payload is copied. The payload of a control
// frame must not exceed [ws.MaxControlFramePayloadSize] bytes.
func AppendFrame(dst []byte, op ws.OpCode, payload []byte) []byte {
	dst = slices.Grow(dst, HeaderSize(len(payload))+len(payload))
	dst = AppendHeader(dst, op, true, len(payload))
	return append(dst, payload...)
}

// AppendMaskedFrame appends a frame as a client sends it. The payload is copied
// and only the copy is masked, so payload must not overlap the free capacity of
// dst.
func AppendMaskedFrame(dst []byte, op ws.OpCode, fin bool, mask [4]byte, payload []byte) []byte {
	dst = slices.Grow(dst, headerBytesMax+len(payload))
	dst = AppendRawHeader(dst, ws.Header{
		Fin:    fin,
		OpCode: op,
		Masked: true,
		Mask:   mask,
		Length: int64(len(payload)),
	})
	start := len(dst)
	dst = append(dst, payload...)
	ws.Cipher(dst[start:], mask, 0)
	return dst
}
