package wsframe

import (
	"strconv"

	"github.com/gobwas/ws"
)

// Kind says what a [Message] is. Immutable.
type Kind uint8

// Kinds of messages.
const (
	// None is no message: nothing was taken, or a fragment that does not end
	// its message.
	None Kind = iota
	// Text is a text message. Its data is valid UTF-8 unless it is compressed.
	Text
	// Binary is a binary message.
	Binary
	// Ping is a control frame to be answered by a Pong with the same data.
	Ping
	// Pong is a control frame, asked for or not.
	Pong
	// Close is a control frame after which nothing more is to be read.
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

// kindOf maps the opcodes that deliver something by themselves.
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

// Message is what [Reader.Next] delivers. Loop-owned: the caller provides it,
// each call overwrites it.
type Message struct {
	// Kind is None when there is nothing to deliver (yet).
	Kind Kind
	// Data is the payload, unmasked; of a Close the reason. It is a view of
	// the slice given to Next or of the Reader's buffer: it must not be kept
	// beyond the next call of Next, Release or Reset, nor given to another
	// goroutine. It is not nil when Kind is not None. Its bytes may be changed
	// and nothing can be appended to it without a copy.
	Data []byte
	// Code is the status code of a Close, 1005 when it had none, and 0 for the
	// other kinds.
	Code ws.StatusCode
	// Compressed says that RSV1 was set: Data is compressed (RFC 7692), and
	// text is not known to be UTF-8. See [UTF8].
	Compressed bool
}
