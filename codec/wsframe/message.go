package wsframe

import (
	"strconv"

	"github.com/gobwas/ws"
)

// Kind says what a [Message] is. Immutable.
type Kind uint8

// Kinds of messages.
const (
	// None means no message: no frame was consumed, or the frame was a fragment that
	// does not end its message.
	None Kind = iota
	// Text is a text message. Its data is valid UTF-8 unless it is compressed.
	Text
	// Binary is a binary message.
	Binary
	// Ping is a control frame that must be answered with a Pong of the same data.
	Ping
	// Pong is a control frame, solicited or not.
	Pong
	// Close is the last control frame; the caller must discard what follows it.
	Close
)

// String returns the name of the kind.
func (k Kind) String() string {
	switch k {
	case None:
		return "none"
	case Text:
		return "text"
	case Binary:
		return "binary"
	case Ping:
		return "ping"
	case Pong:
		return "pong"
	case Close:
		return "close"
	default:
		return "Kind(" + strconv.Itoa(int(k)) + ")"
	}
}

// kindOf maps the opcodes of frames that can be delivered on their own.
func kindOf(op ws.OpCode) Kind {
	switch op {
	case ws.OpText:
		return Text
	case ws.OpBinary:
		return Binary
	case ws.OpPing:
		return Ping
	case ws.OpPong:
		return Pong
	case ws.OpClose:
		return Close
	default:
		return None
	}
}

// Message is the result of [Reader.Next]. Loop-owned: the caller provides it, and
// each call overwrites it.
type Message struct {
	// Kind is None when there is no message to deliver (yet).
	Kind Kind
	// Data is the unmasked payload; for a Close, the reason. It is a view of the
	// slice passed to Next or of the Reader's buffer. It is valid until the next call
	// of Next, Release or Reset, and must not be passed to another goroutine. It is
	// not nil unless Kind is None. The caller may change its bytes; append copies it.
	Data []byte
	// Code is the status code of a Close, 1005 if the frame had none. It is 0 for the
	// other kinds.
	Code ws.StatusCode
	// Compressed reports whether RSV1 was set. Data is then compressed (RFC 7692), and
	// text has not been validated as UTF-8. See [UTF8].
	Compressed bool
}
