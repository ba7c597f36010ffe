package packets

import (
	"errors"

	"github.com/seed58c87869/siren/codec/sio"
	"github.com/seed58c87869/siren/server/parser"
)

var (
	errStreamLimit = errors.New("siren: packet of too many messages, or of too many bytes")
	errPacketType  = errors.New("siren: the parser gave a packet of no known type")
)

// Stream assembles the packets of one connection, with a decoder of the application, whose results are checked like
// input of a client. Loop-owned.
type Stream struct {
	decoder parser.Decoder
	limits  *sio.Limits
	// messageMax is the greatest size of one message in bytes.
	messageMax      int
	messages, bytes int // of the packet that is not whole
}

// NewStream returns the Stream of a new connection. The encoding must have a parser.
func (e *Encoding) NewStream(limits *sio.Limits, messageMax int) *Stream {
	return &Stream{decoder: e.parser.NewDecoder(*limits), limits: limits, messageMax: messageMax}
}

// Add handles the connection's next message. done is true if it completes a packet; the packet and its attachments then
// belong to the caller. An error ends the connection.
func (s *Stream) Add(message []byte, binary bool) (p sio.Packet, attachments [][]byte, done bool, err error) {
	s.messages++
	s.bytes += len(message)
	if s.messages > s.limits.Attachments+1 || s.bytes-s.messageMax > s.limits.AttachmentBytes {
		return p, nil, false, errStreamLimit
	}
	var in parser.Packet
	if done, err = s.decoder.Decode(message, binary, &in); !done || err != nil {
		return p, nil, false, err
	}
	s.messages, s.bytes = 0, 0
	p, err = check(&in, s.limits)
	return p, in.Attachments, err == nil, err
}

// Held returns the number of bytes of the incomplete packet.
func (s *Stream) Held() int { return s.bytes }

// Reset ends the stream with its connection.
func (s *Stream) Reset() { s.decoder.Reset() }

// check converts a decoder's packet and checks it.
func check(in *parser.Packet, limits *sio.Limits) (sio.Packet, error) {
	p := sio.Packet{
		Type: in.Type, HasID: in.HasID, ID: in.ID, Namespace: []byte(in.Namespace), Attachments: len(in.Attachments),
	}
	if p.Type > sio.ConnectError {
		return p, errPacketType
	}
	bytes := 0
	for _, a := range in.Attachments {
		bytes += len(a)
	}
	if bytes > limits.AttachmentBytes {
		return p, sio.ErrAttachments
	}
	return p, sio.ParsePayload(&p, in.Data, limits)
}
