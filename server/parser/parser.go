package parser

import "github.com/seed58c87869/siren/codec/sio"

// Type is the type of a Packet. Immutable.
type Type = sio.Type

// The types of packets, by Socket.IO's protocol. Packets with attachments have no types of their own here.
const (
	Connect      = sio.Connect
	Disconnect   = sio.Disconnect
	Event        = sio.Event
	Ack          = sio.Ack
	ConnectError = sio.ConnectError
)

// Limits are the bounds of packets that come from clients. Immutable.
type Limits = sio.Limits

// Packet is one packet of Socket.IO as a Parser has it, in either direction.
type Packet struct {
	Type Type
	// Namespace is its name with the leading slash, "/" for the main one.
	Namespace string
	// ID, when HasID, asks for an acknowledgement, or is that of the event which is acknowledged. At most 2^53-1.
	ID    uint64
	HasID bool
	// Data is the payload as JSON: of an event the array of its name and its arguments, of an acknowledgement the array
	// of its arguments, of others an object, or nothing. Binary values are placeholders, {"_placeholder":true,"num":N}
	// in exactly this spelling; without Attachments there are none, and objects that look like one are just objects.
	Data []byte
	// Attachments are the binary values: the placeholder with number N stands for Attachments[N]. There may be several
	// placeholders for one of them.
	Attachments [][]byte
}

// Parser says how packets are told apart and encoded on the way between client and server; both ends need the same.
// The one of Socket.IO is built in; Msgpack is another. Safe for concurrent use: it is called on the goroutines that
// emit, and on event loops, which it must not block.
type Parser interface {
	// Encode gives the messages of a packet to send, in order, at least one. Nobody may change the packet or keep its
	// memory, nor is a message's memory kept when send has returned. A message of text must be UTF-8 without the
	// character U+001E, which the polling transport needs.
	Encode(p *Packet, send func(message []byte, binary bool)) error
	// NewDecoder makes the decoder of one connection. The limits are those of the server; a decoder that reads more
	// than them into memory is a danger, and packets that pass them are refused by the server in any case.
	NewDecoder(lim Limits) Decoder
}

// Decoder puts the packets of one connection together. Loop-owned: its methods are called one at a time, on an event
// loop, which they must not block.
type Decoder interface {
	// Decode takes the connection's next message, which is valid only in the call. It fills in p, and done is true, when
	// a packet is whole with it; p's memory is the server's then. While packets are incomplete the server bounds the
	// number and the size of the messages and the time (Config.MaxAttachments and AttachmentTimeout). An error ends the
	// connection.
	Decode(message []byte, binary bool, p *Packet) (done bool, err error)
	// Reset is called at the end of the connection, so that what the decoder holds can be given up.
	Reset()
}
