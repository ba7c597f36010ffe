package eio

import (
	"bytes"
	"unicode/utf8"
)

// Separator separates the packets of a polling payload (protocol section "Packet encoding").
const Separator = 0x1e

// Payload iterates over the packets of one polling body. Only one goroutine may use it. The packets
// are views of the body.
//
// It is stricter than the reference server where that is lenient by accident, and lenient where real
// clients need it:
//
//   - An empty body, an empty packet (also after a trailing separator) and an unknown type give
//     ErrPacket, as in the reference server.
//   - A body that is not UTF-8 gives ErrUTF8. Polling bodies are declared as UTF-8 text; the reference
//     server would replace the invalid bytes and continue with changed data.
//   - Base64 uses the standard alphabet. All official clients send it padded. Padding may be omitted,
//     because the reference server and the official browser client decode without it and it adds no
//     information. Wrong padding is refused. Line ends are skipped, because the official Java client
//     wraps base64 at 76 characters and ends it with a line feed. Everything else gives ErrBase64,
//     where the reference server would skip or truncate.
//   - A packet above the limit gives ErrTooManyPackets, after the packets before it.
type Payload struct {
	rest []byte // not parsed yet, without the separator that ended the last packet
	left int    // packets that may still come
	done bool   // the last packet has been yielded
	form form
	err  error // sticky
}

// NewPayload returns an iterator over body, which may hold at most maxPackets packets; a limit below 1
// allows none. The caller must own body: binary packets are decoded in place.
func NewPayload(body []byte, maxPackets int) Payload {
	p := Payload{rest: body, left: maxPackets}
	if !utf8.Valid(body) {
		p.err = ErrUTF8
	}
	return p
}

// More reports whether bytes follow the packets that Next has returned.
func (p *Payload) More() bool { return !p.done }

// Own copies the rest of the body, so that the iteration can continue after the caller reuses it.
func (p *Payload) Own() { p.rest = bytes.Clone(p.rest) }

// Next returns the next packet. At the end of the body ok is false and err is nil. After an error every
// further call returns the same error.
func (p *Payload) Next() (pkt Packet, ok bool, err error) {
	if p.err != nil {
		return Packet{}, false, p.err
	}
	if p.done {
		return Packet{}, false, nil
	}
	if p.left <= 0 {
		p.err = ErrTooManyPackets
		return Packet{}, false, p.err
	}
	p.left--
	if p.form != separated {
		return p.next3()
	}

	text := p.rest
	if end := bytes.IndexByte(text, Separator); end >= 0 {
		text, p.rest = text[:end:end], text[end+1:]
	} else {
		p.rest, p.done = nil, true
	}
	pkt, err = ParseText(text)
	if err != nil {
		p.err = err
		return Packet{}, false, err
	}
	return pkt, true, nil
}

// AppendPayload appends to dst the polling form of frames, separated by Separator. It returns the
// extended slice and the number of entries of frames that are done. Each entry stands for itself and
// all frames linked after it.
//
// AppendPayload takes whole frames in order, as many as fit into maxBytes, the number of bytes added to
// dst. It takes at least one frame, whatever its size, or a large frame would block the queue for ever.
//
// The limit may fall between a frame and its attachments. Then the entry at index taken is replaced
// by the first frame that is still to be sent, so that in every case
//
//	out, taken := eio.AppendPayload(buf, queue, max)
//	queue = queue[taken:]
//
// leaves the rest for the next response. taken may be 0 although bytes were added. The caller must own
// the slice frames; the frames in it may be shared.
func AppendPayload(dst []byte, frames []*Frame, maxBytes int) (out []byte, taken int) {
	start, first := len(dst), true
	for i, entry := range frames {
		for f := entry; f != nil; f = f.next {
			if !first {
				if len(dst)-start+1+f.PollingLen() > maxBytes {
					if f != entry {
						frames[i] = f
					}
					return dst, i
				}
				dst = append(dst, Separator)
			}
			dst, first = f.AppendPolling(dst), false
		}
	}
	return dst, len(frames)
}
