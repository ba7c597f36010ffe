package eio

import (
	"strconv"

	"github.com/seed58c87869/siren/codec/quote"
)

// HTTP statuses of the answers that carry an ErrorCode.
const (
	statusBadRequest = 400
	statusForbidden  = 403
)

// ErrorCode says why the server refuses a request. Immutable; the value goes into the body of the
// answer, see AppendError.
type ErrorCode int

// The codes of the reference server.
const (
	TransportUnknown           ErrorCode = 0 // the transport is missing, unknown or switched off
	SessionIDUnknown           ErrorCode = 1 // the sid is malformed, expired or was never given out
	BadHandshakeMethod         ErrorCode = 2 // a handshake that is not a GET
	BadRequest                 ErrorCode = 3 // anything else that is wrong with the request
	Forbidden                  ErrorCode = 4 // refused by the application
	UnsupportedProtocolVersion ErrorCode = 5 // EIO is missing or a version that is not spoken
)

// Status returns the HTTP status of an answer with this code: 403 for Forbidden and 400 for all
// others, those that are no code included.
func (c ErrorCode) Status() int {
	if c == Forbidden {
		return statusForbidden
	}
	return statusBadRequest
}

// Message returns the reference server's text for the code. A value that is no code reads as
// BadRequest.
func (c ErrorCode) Message() string {
	switch c {
	case TransportUnknown:
		return "Transport unknown"
	case SessionIDUnknown:
		return "Session ID unknown"
	case BadHandshakeMethod:
		return "Bad handshake method"
	case Forbidden:
		return "Forbidden"
	case UnsupportedProtocolVersion:
		return "Unsupported protocol version"
	}
	return "Bad request"
}

// AppendError appends the JSON body of an answer with code c to dst. An empty message is the code's
// own; a hook that refuses with Forbidden may give another.
func AppendError(dst []byte, c ErrorCode, message string) []byte {
	if message == "" {
		message = c.Message()
	}
	dst = append(dst, `{"code":`...)
	dst = strconv.AppendInt(dst, int64(c), 10)
	dst = append(dst, `,"message":`...)
	dst = quote.Append(dst, message)
	return append(dst, '}')
}
