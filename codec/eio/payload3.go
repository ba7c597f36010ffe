package eio

import (
	"bytes"
	"unicode/utf8"
)

// form is the framing of the packets in a payload. Immutable.
type form uint8

const (
	separated   form = iota // protocol 4
	textForm3               // protocol 3: the length in UTF-16 units, a colon, the packet
	binaryForm3             // protocol 3: a mark, the length in bytes, 0xff, the packet
)

// lengthDigits bounds the digits of a length. Longer lengths exceed every accepted body, and nine
// digits fit an int.
const lengthDigits = 9

// emptyPayload3 is the reference server's encoding of no packets.
const emptyPayload3 = "0:"

// NewPayload3 returns an iterator over a body of protocol 3, which may hold at most maxPackets packets.
// binary selects the binary framing, indicated by the content type application/octet-stream. The
// caller must own body: base64 is decoded in place.
//
// A length consists of decimal digits without a leading zero. It counts UTF-16 units of text and bytes
// of binary, and must end at a character boundary within the body, or the error is ErrLength. Text that
// is not UTF-8 gives ErrUTF8. An empty packet, an empty body and a binary packet that is not a message
// give ErrPacket. Otherwise the rules of Payload apply.
func NewPayload3(body []byte, binary bool, maxPackets int) Payload {
	p := Payload{rest: body, left: maxPackets, form: textForm3}
	switch {
	case binary:
		p.form = binaryForm3
	case string(body) == emptyPayload3:
		p.done = true
	case !utf8.Valid(body):
		p.err = ErrUTF8
	}
	return p
}

// next3 is Next for the framings of protocol 3.
func (p *Payload) next3() (pkt Packet, ok bool, err error) {
	if p.form == binaryForm3 {
		pkt, err = p.nextBinary3()
	} else {
		pkt, err = p.nextText3()
	}
	if err != nil {
		p.err = err
		return Packet{}, false, err
	}
	p.done = len(p.rest) == 0
	return pkt, true, nil
}

func (p *Payload) nextText3() (Packet, error) {
	if len(p.rest) == 0 {
		return Packet{}, ErrPacket
	}
	digits := p.rest[:min(len(p.rest), lengthDigits+1)]
	colon := bytes.IndexByte(digits, ':')
	if colon < 0 {
		return Packet{}, ErrLength
	}
	units, ok := parseLength3(digits[:colon], '0')
	if !ok {
		return Packet{}, ErrLength
	}
	text := p.rest[colon+1:]
	end, ok := utf16Prefix(text, units)
	if !ok {
		return Packet{}, ErrLength
	}
	p.rest = text[end:]
	return ParseText3(text[:end:end])
}

func (p *Payload) nextBinary3() (Packet, error) {
	if len(p.rest) == 0 || p.rest[0] > binaryMark3 {
		return Packet{}, ErrPacket
	}
	mark := p.rest[0]
	digits := p.rest[1:min(len(p.rest), lengthDigits+2)]
	end := bytes.IndexByte(digits, lengthEnd3)
	if end < 0 {
		return Packet{}, ErrLength
	}
	n, ok := parseLength3(digits[:end], 0)
	data := p.rest[1+end+1:]
	if !ok || n > len(data) {
		return Packet{}, ErrLength
	}
	data, p.rest = data[:n:n], data[n:]
	if mark == binaryMark3 {
		return ParseBinary3(data)
	}
	if !utf8.Valid(data) {
		return Packet{}, ErrUTF8
	}
	return ParseText3(data)
}

// parseLength3 parses a length of at most lengthDigits digits; zero is the value of the digit 0.
func parseLength3(digits []byte, zero byte) (n int, ok bool) {
	if len(digits) == 0 || len(digits) > 1 && digits[0] == zero {
		return 0, false
	}
	for _, c := range digits {
		if c -= zero; c > 9 {
			return 0, false
		}
		n = n*10 + int(c)
	}
	return n, true
}

// first4 is the lowest byte that starts a UTF-8 character of four bytes. Such a character takes two
// UTF-16 units, all others take one.
const first4 = 0xf0

// utf16Len returns the length of UTF-8 text in UTF-16 units.
func utf16Len(text []byte) (units int) {
	for _, c := range text {
		if utf8.RuneStart(c) {
			units++
		}
		if c >= first4 {
			units++
		}
	}
	return units
}

// utf16Prefix returns the number of bytes of UTF-8 text that make exactly the given number of UTF-16
// units. ok is false if the text is shorter, or if the last unit is half of a character.
func utf16Prefix(text []byte, units int) (n int, ok bool) {
	if units > len(text) {
		return 0, false // no character has more units than bytes
	}
	for units > 0 && n < len(text) {
		switch c := text[n]; {
		case c < utf8.RuneSelf:
			n, units = n+1, units-1
		case c < 0xe0:
			n, units = n+2, units-1
		case c < first4:
			n, units = n+3, units-1
		default:
			n, units = n+4, units-2
		}
	}
	return n, units == 0
}
