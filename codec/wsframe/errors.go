package wsframe

import (
	"strconv"

	"github.com/gobwas/ws"
)

// Error says why a connection must be failed. Immutable.
//
// Every error of this package is one of the Err values below, of type *Error.
// Callers can compare it with errors.Is or ==, or examine it with errors.As.
type Error struct {
	// Code is the status code for the Close frame: 1002 (protocol error), 1007
	// (invalid UTF-8) or 1009 (message too big).
	Code ws.StatusCode
	// Reason is a short ASCII text that fits into the Close frame.
	Reason string
}

// Error returns the reason and the code as one line.
func (e *Error) Error() string {
	return "wsframe: " + e.Reason + " (" + strconv.Itoa(int(e.Code)) + ")"
}

// Violations of the framing rules, RFC 6455 section 5. Code 1002.
var (
	// ErrLengthOverflow is a 64-bit length whose top bit is set.
	ErrLengthOverflow = &Error{ws.StatusProtocolError, "payload length overflow"}
	// ErrLengthEncoding is a length that is not in its shortest form.
	ErrLengthEncoding = &Error{ws.StatusProtocolError, "payload length not minimal"}
	// ErrReservedBits is a reserved bit that no negotiated extension uses, or RSV1
	// on a frame that is not the first of a data message.
	ErrReservedBits = &Error{ws.StatusProtocolError, "reserved bits set"}
	// ErrReservedOpCode is one of the opcodes 3 to 7 and 0xB to 0xF.
	ErrReservedOpCode = &Error{ws.StatusProtocolError, "reserved opcode"}
	// ErrMaskRequired is an unmasked frame of a client.
	ErrMaskRequired = &Error{ws.StatusProtocolError, "frame not masked"}
	// ErrMaskUnexpected is a masked frame of a server.
	ErrMaskUnexpected = &Error{ws.StatusProtocolError, "frame masked"}
	// ErrControlFragmented is a control frame without FIN.
	ErrControlFragmented = &Error{ws.StatusProtocolError, "fragmented control frame"}
	// ErrControlTooLong is a control frame of more than 125 bytes.
	ErrControlTooLong = &Error{ws.StatusProtocolError, "control frame too long"}
	// ErrContinuationUnexpected is a continuation frame outside a message.
	ErrContinuationUnexpected = &Error{ws.StatusProtocolError, "unexpected continuation frame"}
	// ErrContinuationExpected is a new data frame inside a fragmented message.
	ErrContinuationExpected = &Error{ws.StatusProtocolError, "continuation frame expected"}
	// ErrClosePayload is a Close frame with a payload of one byte.
	ErrClosePayload = &Error{ws.StatusProtocolError, "close frame too short"}
	// ErrCloseCode is a Close frame with a code that must not be sent.
	ErrCloseCode = &Error{ws.StatusProtocolError, "invalid close code"}
)

// Text that is not UTF-8, RFC 6455 sections 5.5.1 and 8.1. Code 1007.
var (
	// ErrInvalidUTF8 is a text message that is not UTF-8.
	ErrInvalidUTF8 = &Error{ws.StatusInvalidFramePayloadData, "invalid UTF-8 in text message"}
	// ErrCloseReason is a Close frame whose reason is not UTF-8.
	ErrCloseReason = &Error{ws.StatusInvalidFramePayloadData, "invalid UTF-8 in close reason"}
)

// Limits that were exceeded, see [Limits]. Code 1009.
var (
	// ErrMessageTooBig is a message of more than Limits.MessageBytes.
	ErrMessageTooBig = &Error{ws.StatusMessageTooBig, "message too big"}
	// ErrTooManyFragments is a message of more than Limits.Fragments frames.
	ErrTooManyFragments = &Error{ws.StatusMessageTooBig, "too many fragments"}
)
