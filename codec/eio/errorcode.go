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

// ErrorCode says why the server refuses a request. Immutable. The body of the response contains it,
// see AppendError.
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

// Status returns the HTTP status of a response with this code: 403 for Forbidden, 400 for all other
// values.
func (c ErrorCode) Status() int {
	if c == Forbidden {
		return statusForbidden
	}
	return statusBadRequest
}

// Message returns the reference server's text for the code. Unknown values have the text of
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

// AppendError appends the JSON body of a response with code c to dst. If message is empty, the text of
// the code is used. A hook that refuses a request with Forbidden may provide its own message.
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
