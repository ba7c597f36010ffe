package msgpack

import "errors"

var (
	// ErrPacket is wrapped by every error about a message that is not a valid packet. The
	// receiver must end the connection ("parse error").
	ErrPacket = errors.New("msgpack: bad packet")

	// ErrLimit is wrapped, besides ErrPacket, by errors about packets that exceed one of
	// [Limits] and are well formed as far as they were read.
	ErrLimit = errors.New("msgpack: packet over a limit")

	// ErrEncode is wrapped by every error of [Append].
	ErrEncode = errors.New("msgpack: packet can't be encoded")
)

// packetError is the reason why a message is refused. Its values are made at start-up, so
// that refusing a message does not allocate. Immutable.
type packetError struct {
	reason string
	limit  bool
}

func (e *packetError) Error() string { return "msgpack: bad packet: " + e.reason }

// Is lets errors.Is match [ErrPacket] and [ErrLimit].
func (e *packetError) Is(target error) bool {
	return target == ErrPacket || e.limit && target == ErrLimit
}

var (
	errShort       = &packetError{reason: "ends too early"}
	errTrailing    = &packetError{reason: "goes on behind the packet"}
	errByte        = &packetError{reason: "a byte that begins no value"}
	errNotMap      = &packetError{reason: "not a map"}
	errType        = &packetError{reason: "type is not one of 0 to 4"}
	errNamespace   = &packetError{reason: "namespace is not text"}
	errID          = &packetError{reason: "id is not an integer from 0"}
	errData        = &packetError{reason: "payload does not fit the type"}
	errName        = &packetError{reason: "a name in a map is neither text nor a plain value"}
	errPlaceholder = &packetError{reason: "a value looks like a placeholder, in a packet with binary data"}
	errDepth       = &packetError{reason: "nested too deeply", limit: true}
	errMany        = &packetError{reason: "too many binary values", limit: true}
	errLarge       = &packetError{reason: "binary values too large", limit: true}
)

var (
	errNotJSON       = errors.New("payload is not JSON")
	errTooDeep       = errors.New("payload is nested too deeply")
	errNoAttachment  = errors.New("a placeholder has no attachment")
	errPayloadOfType = errors.New("payload does not fit the type")
)
