package sio

import (
	"errors"
	"fmt"
)

var (
	// ErrPacket is wrapped by every error about a packet that violates the protocol. The
	// receiver must end the connection ("parse error").
	ErrPacket = errors.New("sio: bad packet")

	// ErrLimit is wrapped, besides ErrPacket, by errors about packets that exceed one of
	// [Limits] and are well formed as far as they were read.
	ErrLimit = errors.New("sio: packet over a limit")

	// ErrAttachments is wrapped by the errors of [Assembler.Add]: the binary message was
	// not announced or exceeds the limit. It wraps ErrPacket.
	ErrAttachments = fmt.Errorf("%w: attachment not expected or too large", ErrPacket)

	// ErrEncode is wrapped by every error of the Append functions: the value has no JSON
	// form, or one of its methods failed.
	ErrEncode = errors.New("sio: value can't be encoded")

	// ErrReserved is wrapped, besides ErrEncode, when [AppendEvent] gets a name for which
	// [Reserved] is true.
	ErrReserved = errors.New("sio: reserved event name")

	// ErrDecode is wrapped by every error of [Unmarshal]: the argument does not fit the Go
	// type, or is not JSON.
	ErrDecode = errors.New("sio: argument can't be decoded")
)

// packetError is the reason why a packet is refused. Its values are made at start-up,
// so that refusing a packet does not allocate. Immutable.
type packetError struct {
	reason string
	limit  bool
}

func (e *packetError) Error() string { return "sio: bad packet: " + e.reason }

// Is lets errors.Is match [ErrPacket] and [ErrLimit].
func (e *packetError) Is(target error) bool {
	return target == ErrPacket || e.limit && target == ErrLimit
}

var (
	errEmpty          = &packetError{reason: "empty"}
	errType           = &packetError{reason: "unknown type"}
	errAttachments    = &packetError{reason: "malformed number of attachments"}
	errMany           = &packetError{reason: "too many attachments", limit: true}
	errNamespace      = &packetError{reason: "namespace too long", limit: true}
	errID             = &packetError{reason: "packet id over 2^53-1", limit: true}
	errPayload        = &packetError{reason: "payload does not fit the type"}
	errNoPayload      = &packetError{reason: "payload missing"}
	errJSON           = &packetError{reason: "malformed JSON"}
	errDepth          = &packetError{reason: "JSON nested too deeply", limit: true}
	errArgs           = &packetError{reason: "too many arguments", limit: true}
	errEventName      = &packetError{reason: "event name is neither text nor number"}
	errEventReserved  = &packetError{reason: "reserved event name"}
	errBadPlaceholder = &packetError{reason: "placeholder without an attachment"}
)
