package httpwire

// Error says why a request is refused and how to answer it. Values are immutable and shared.
// Compare Status; the reasons are meant for logs.
type Error struct {
	// Status is one of 400, 413, 414, 417, 431, 501 and 505.
	Status int
	// Reason is a short English phrase. It contains no bytes of the request, so it is safe to
	// log and to send.
	Reason string
}

// Error returns the reason.
func (e *Error) Error() string { return "httpwire: " + e.Reason }

var (
	errNoHead          = &Error{400, "the head is not complete"}
	errEmptyLines      = &Error{400, "bytes before the request line"}
	errBareLF          = &Error{400, "line does not end in CRLF"}
	errRequestLine     = &Error{400, "malformed request line"}
	errMethod          = &Error{400, "malformed method"}
	errTarget          = &Error{400, "malformed request target"}
	errVersion         = &Error{400, "malformed protocol version"}
	errFieldName       = &Error{400, "malformed field name"}
	errFieldValue      = &Error{400, "control character in field value"}
	errHostMissing     = &Error{400, "no Host field"}
	errHostRepeated    = &Error{400, "more than one Host field"}
	errHost            = &Error{400, "malformed Host field"}
	errLength          = &Error{400, "malformed Content-Length"}
	errLengthRepeated  = &Error{400, "more than one Content-Length"}
	errLengthAndCoding = &Error{400, "Content-Length together with Transfer-Encoding"}
	errCoding          = &Error{400, "malformed Transfer-Encoding"}
	errCodingOld       = &Error{400, "Transfer-Encoding in HTTP/1.0"}
	errCodingNotFinal  = &Error{400, "chunked is not the one final transfer coding"}
	errChunkLine       = &Error{400, "malformed chunk size"}
	errChunkLineLong   = &Error{400, "chunk size line too long"}
	errChunkEnd        = &Error{400, "chunk data does not end in CRLF"}
	errBodyLong        = &Error{413, "body too long"}
	errChunkFraming    = &Error{413, "too much chunk framing"}
	errLineLong        = &Error{414, "request line too long"}
	errExpect          = &Error{417, "unknown expectation"}
	errHeadLong        = &Error{431, "head too long"}
	errFieldsMany      = &Error{431, "too many fields"}
	errTrailerLong     = &Error{431, "trailers too long"}
	errCodingUnknown   = &Error{501, "unknown transfer coding"}
	errVersionUnknown  = &Error{505, "protocol version is neither HTTP/1.1 nor HTTP/1.0"}
)
