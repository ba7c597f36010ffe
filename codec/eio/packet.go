package eio

import (
	"encoding/base64"
	"errors"
)

// The protocol revisions that this package supports: values of the EIO query parameter.
const (
	Protocol  = 4
	Protocol3 = 3
)

// Errors of the decoders. Each means that the peer violated the protocol; the reference server then
// ends the session with the reason "parse error".
var (
	// ErrPacket reports an empty packet or a packet of an unknown type.
	ErrPacket = errors.New("eio: malformed packet")
	// ErrBase64 reports a binary packet that is not base64.
	ErrBase64 = errors.New("eio: malformed base64 in a binary packet")
	// ErrUTF8 reports a polling body that is not UTF-8.
	ErrUTF8 = errors.New("eio: payload is not valid UTF-8")
	// ErrTooManyPackets reports a polling body with more packets than the receiver allows.
	ErrTooManyPackets = errors.New("eio: too many packets in one payload")
	// ErrLength reports a protocol 3 payload with a length that is malformed or passes its end.
	ErrLength = errors.New("eio: malformed length in a payload")
	// ErrForm reports a JSONP body without the field that carries the payload.
	ErrForm = errors.New("eio: no payload in a form body")
)

// PacketType is the first character of an encoded packet (protocol section "Protocol"). Immutable.
type PacketType byte

// The packet types, with the value they have on the wire.
const (
	Open    PacketType = '0' // server to client: the handshake, see AppendOpen
	Close   PacketType = '1' // either way: this transport can be closed
	Ping    PacketType = '2' // server to client: heartbeat; client to server: only "2probe", in an upgrade
	Pong    PacketType = '3' // client to server: heartbeat; server to client: only "3probe"
	Message PacketType = '4' // either way: data
	Upgrade PacketType = '5' // client to server: the new transport takes over
	Noop    PacketType = '6' // server to client: releases a waiting poll during an upgrade
)

// binaryPrefix starts a binary message in the text form. It replaces the packet type: only messages
// can be binary.
const binaryPrefix = 'b'

// String returns the protocol's name of the type, or "unknown".
func (t PacketType) String() string {
	switch t {
	case Open:
		return "open"
	case Close:
		return "close"
	case Ping:
		return "ping"
	case Pong:
		return "pong"
	case Message:
		return "message"
	case Upgrade:
		return "upgrade"
	case Noop:
		return "noop"
	}
	return "unknown"
}

// Packet is one decoded packet. Data is a view of the parsed bytes and valid as long as they are. The
// receiver must not change it.
type Packet struct {
	Type   PacketType
	Binary bool   // Data is binary; then Type is Message
	Data   []byte // without the type; its capacity ends with it, so an append never spills over
}

// ParseText parses one packet in text form: a WebSocket text message, or one packet of a polling body.
// It returns ErrPacket for an empty packet or an unknown type.
//
// A packet that starts with 'b' is a binary message in base64. Over WebSocket, official clients send it
// if their option forceBase64 is set. It is decoded in place, so b is overwritten; the error is
// ErrBase64 if it is invalid. [Payload] describes the accepted base64.
//
// ParseText does not check that b is UTF-8. The WebSocket layer does so (RFC 6455 section 8.1), and
// Payload does so for a whole body.
func ParseText(b []byte) (Packet, error) {
	if len(b) == 0 {
		return Packet{}, ErrPacket
	}
	data := b[1:len(b):len(b)]
	switch t := PacketType(b[0]); {
	case t >= Open && t <= Noop:
		return Packet{Type: t, Data: data}, nil
	case t == binaryPrefix:
		data, ok := decodeBase64(data)
		if !ok {
			return Packet{}, ErrBase64
		}
		return Packet{Type: Message, Binary: true, Data: data}, nil
	}
	return Packet{}, ErrPacket
}

// AppendPacket appends a text packet to dst: the type, then data. If the packet may be sent by polling,
// data must not contain [Separator], which the protocol cannot escape; JSON never contains it.
func AppendPacket(dst []byte, t PacketType, data []byte) []byte {
	return append(append(dst, byte(t)), data...)
}

// AppendBinary appends a binary message in text form to dst: 'b', then data in padded standard base64.
func AppendBinary(dst, data []byte) []byte {
	return base64.StdEncoding.AppendEncode(append(dst, binaryPrefix), data)
}

// binaryLen returns how many bytes AppendBinary adds for n bytes of data.
func binaryLen(n int) int { return 1 + base64.StdEncoding.EncodedLen(n) }
