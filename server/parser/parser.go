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

// Packet is one packet of Socket.IO, in either direction, between a Parser and the server.
type Packet struct {
	Type Type
	// Namespace is its name with the leading slash, "/" for the main one.
	Namespace string
	// ID, if HasID is set, asks for an acknowledgement, or is the id of the acknowledged event. At most 2^53-1.
	ID    uint64
	HasID bool
	// Data is the payload as JSON: for an event, the array of its name and its arguments; for an acknowledgement, the
	// array of its arguments; for others, an object or nothing. Binary values are placeholders,
	// {"_placeholder":true,"num":N} in exactly this spelling. Without Attachments there are none, and objects that look
	// like one are ordinary objects.
	Data []byte
	// Attachments are the binary values: the placeholder with number N stands for Attachments[N]. There may be several
	// placeholders for one of them.
	Attachments [][]byte
}

// Parser encodes and decodes packets between client and server; both ends need the same one. Socket.IO's is built in;
// Msgpack is another. Safe for concurrent use: it is called on the goroutines that emit, and on event loops, which it
// must not block.
type Parser interface {
	// Encode passes the messages of a packet to send, in order, at least one. It must not change the packet or keep its
	// memory, and send does not keep a message's memory. A text message must be UTF-8 without the character U+001E,
	// which the polling transport uses.
	Encode(p *Packet, send func(message []byte, binary bool)) error
	// NewDecoder returns the decoder of one connection. limits are the server's. A decoder must not hold more than they
	// allow; the server refuses packets that exceed them in any case.
	NewDecoder(lim Limits) Decoder
}

// Decoder assembles the packets of one connection. Loop-owned: its methods are called one at a time, on an event loop,
// which they must not block.
type Decoder interface {
	// Decode handles the connection's next message, which is valid only in the call. If it completes a packet, Decode
	// fills in p and returns done = true; p's memory then belongs to the server. While packets are incomplete, the
	// server bounds the number and size of the messages and the time (Config.MaxAttachments and AttachmentTimeout). An
	// error ends the connection.
	Decode(message []byte, binary bool, p *Packet) (done bool, err error)
	// Reset is called at the end of the connection, so that what the decoder holds can be given up.
	Reset()
}
