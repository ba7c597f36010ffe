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

// Stream puts the packets of one connection together, with a decoder of the application's: it is trusted no more than a
// client. Loop-owned.
type Stream struct {
	decoder parser.Decoder
	limits  *sio.Limits
	// messageMax is the most bytes of one message.
	messageMax      int
	messages, bytes int // of the packet that is not whole
}

// NewStream returns the Stream of a new connection. The encoding must have a parser.
func (e *Encoding) NewStream(limits *sio.Limits, messageMax int) *Stream {
	return &Stream{decoder: e.parser.NewDecoder(*limits), limits: limits, messageMax: messageMax}
}

// Add takes the connection's next message. done is true when a packet is whole with it; the packet and its attachments
// are the caller's then. An error is the end of the connection.
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

// Held is the number of bytes that came of the packet that is not whole.
func (s *Stream) Held() int { return s.bytes }

// Reset is the end of the connection.
func (s *Stream) Reset() { s.decoder.Reset() }

// check makes a packet of what a decoder has given.
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
