package eio

import (
	"bytes"
	"unicode/utf8"
)

// Separator stands between the packets of a polling payload (protocol section "Packet encoding").
const Separator = 0x1e

// Payload iterates over the packets of one polling body. It belongs to one goroutine; the packets it
// yields are views into the body.
//
// It is strict where the reference server is lenient by accident and lenient where real clients need
// it:
//
//   - An empty body, an empty packet (also after a trailing separator) and an unknown type are
//     ErrPacket, as in the reference server.
//   - A body that is not UTF-8 is ErrUTF8. Polling bodies are declared as UTF-8 text; the reference
//     server would replace the bad bytes and go on with other data than was sent.
//   - Base64 is the standard alphabet. All official clients encode with it, padded. Padding may be
//     left out, since both the reference server and the official browser client decode without it
//     and it adds no information; wrong padding is refused. Line ends are skipped: the official
//     Java client wraps base64 at 76 characters and ends it with a line feed. Everything else is
//     ErrBase64, where the reference server would skip or cut.
//   - A packet beyond the limit is ErrTooManyPackets. The packets before it have been yielded.
type Payload struct {
	rest []byte // not yet parsed; a separator that ended the last packet is gone
	left int    // packets that may still come
	done bool   // the last packet has been yielded
	form form
	err  error // sticky
}

// NewPayload returns an iterator over body, which holds at most maxPackets packets; a limit below 1
// admits none. Body must belong to the caller: binary packets are decoded in place.
func NewPayload(body []byte, maxPackets int) Payload {
	p := Payload{rest: body, left: maxPackets}
	if !utf8.Valid(body) {
		p.err = ErrUTF8
	}
	return p
}

// More reports whether something follows the packets that Next has returned.
func (p *Payload) More() bool { return !p.done }

// Own copies what follows, so that the iteration may go on when the caller's body is gone.
func (p *Payload) Own() { p.rest = bytes.Clone(p.rest) }

// Next returns the next packet. At the end of the body ok is false and err is nil. An error ends the
// iteration: every further call returns it again.
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

// AppendPayload appends to dst the polling form of frames, joined with Separator, and returns the
// extended slice and how many entries of frames are done with. Each entry stands for itself and all
// frames linked behind it.
//
// It takes whole frames in order, as many as fit in maxBytes, the bytes it adds to dst. At least one
// frame is taken, whatever its size, or a large one would block the queue for ever.
//
// The limit may fall between a frame and its attachments. Then the entry at index taken is replaced
// by the first frame that is still to be sent, so that in every case
//
//	out, taken := eio.AppendPayload(buf, queue, max)
//	queue = queue[taken:]
//
// leaves the rest for the next response. Note that taken may be 0 although bytes were added. The
// slice frames must therefore belong to the caller; the frames in it may be shared.
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
