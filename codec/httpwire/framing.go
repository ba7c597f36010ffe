package httpwire

import "math"

// framing collects what the fields of one head say about the message and the connection. It
// lives on the stack of one call.
type framing struct {
	// fault is the first invalid value. It is reported only when the head is complete: a head
	// that arrives in pieces is checked line by line without memory of earlier lines, and must
	// get the same answer as one that arrives whole.
	fault *Error

	host      []byte // of the Host field
	length    int64  // of Content-Length
	hosts     int    // how many Host fields
	sized     bool   // there is a Content-Length
	coded     bool   // there is a Transfer-Encoding
	chunked   bool   // and chunked is its last coding so far
	expected  bool   // there is Expect: 100-continue
	surprised bool   // there is another Expect
	closing   bool   // Connection lists close
	keeping   bool   // Connection lists keep-alive
}

func (f *framing) blame(err *Error) {
	if f.fault == nil {
		f.fault = err
	}
}

// note looks at one field. The length of the name sorts out nearly all of them.
func (f *framing) note(name, value []byte) {
	switch len(name) {
	case len("Host"):
		if foldEqual(name, "Host") {
			f.host = value
			f.hosts++
		}
	case len("Expect"):
		if foldEqual(name, "Expect") {
			f.noteExpect(value)
		}
	case len("Connection"):
		if foldEqual(name, "Connection") {
			f.closing = f.closing || listHas(value, "close")
			f.keeping = f.keeping || listHas(value, "keep-alive")
		}
	case len("Content-Length"):
		if foldEqual(name, "Content-Length") {
			f.noteLength(value)
		}
	case len("Transfer-Encoding"):
		if foldEqual(name, "Transfer-Encoding") {
			f.noteCodings(value)
		}
	}
}

func (f *framing) noteExpect(value []byte) {
	if foldEqual(value, "100-continue") {
		f.expected = true
	} else {
		f.surprised = true
	}
}

// noteLength accepts digits only. RFC 9110, section 8.6, would allow equal values in a list or
// in several fields, but repeated lengths are used for request smuggling.
func (f *framing) noteLength(value []byte) {
	if f.sized {
		f.blame(errLengthRepeated)
		return
	}
	f.sized = true
	var n int64
	for _, c := range value {
		d := int64(c) - '0'
		if d < 0 || d > 9 || n > (math.MaxInt64-d)/10 {
			f.blame(errLength)
			return
		}
		n = n*10 + d
	}
	if len(value) == 0 {
		f.blame(errLength)
	}
	f.length = n
}

// noteCodings accepts exactly one "chunked" (RFC 9112, section 6.1).
func (f *framing) noteCodings(value []byte) {
	f.coded = true
	for more := true; more; {
		var coding []byte
		coding, value, more = nextElement(value)
		switch {
		case f.chunked:
			f.blame(errCodingNotFinal)
		case foldEqual(coding, "chunked"):
			f.chunked = true
		case isToken(coding):
			f.blame(errCodingUnknown)
		default:
			f.blame(errCoding)
		}
	}
}

// check validates the complete head and sets the fields of r that depend on it: Host and Close.
func (f *framing) check(r *Request) *Error {
	switch {
	case f.sized && f.coded:
		return errLengthAndCoding
	case f.coded && r.Minor == 0:
		return errCodingOld
	case f.fault != nil:
		return f.fault
	case f.hosts > 1:
		return errHostRepeated
	case f.hosts == 0 && r.Minor > 0:
		return errHostMissing
	case len(f.host) > 0 && !isHostField(f.host):
		return errHost
	case f.surprised && r.Minor > 0:
		return errExpect
	}
	if r.Host == nil {
		r.Host = f.host
	}
	r.Close = f.closing || r.Minor == 0 && !f.keeping
	if r.ContentLength = f.length; f.chunked {
		r.ContentLength = -1
	}
	return nil
}
