package httpwire

import "bytes"

// ParseHead parses a stored Request.Head again. The fields of req are views of head; the body is
// empty. It applies the rules of Parse without limits, and always accepts a head from Parse.
// Errors are of type *Error.
func ParseHead(head []byte, req *Request) error {
	var f framing
	err := parseHead(head, req, &f)
	if err == nil {
		err = f.check(req)
	}
	if err != nil {
		return err
	}
	return nil
}

// parseHead parses a complete head without its empty line. It leaves what the fields say about
// the message in f, for f.check.
func parseHead(head []byte, req *Request, f *framing) *Error {
	req.begin()
	*f = framing{}
	req.Head = head[:len(head):len(head)]
	for at := 0; ; {
		end := bytes.IndexByte(head[at:], '\n')
		if end < 0 {
			return errBareLF // the last line has no end, or there is none
		}
		line, err := cutCRLF(head[at : at+end+1])
		if err != nil {
			return err
		}
		if at == 0 {
			err = req.parseLine(line)
		} else {
			err = req.parseField(line, f)
		}
		if err != nil {
			return err
		}
		if at += end + 1; at == len(head) {
			return nil
		}
	}
}

// begin clears r for the next head.
func (r *Request) begin() {
	fields := r.Fields[:0]
	*r = Request{}
	r.Fields = fields
}

// cutCRLF removes the CRLF from a line that ends in LF.
func cutCRLF(line []byte) ([]byte, *Error) {
	n := len(line) - 2
	if n < 0 || line[n] != '\r' {
		return nil, errBareLF
	}
	return line[:n], nil
}

// parseLine parses the request line: three parts separated by single spaces (RFC 9112, section
// 3). It checks the version before the target, so that an HTTP/2 preface gets an answer that
// tells its sender what is wrong.
func (r *Request) parseLine(line []byte) *Error {
	first := bytes.IndexByte(line, ' ')
	if first < 0 {
		return errRequestLine
	}
	width := bytes.IndexByte(line[first+1:], ' ')
	if width <= 0 {
		return errRequestLine // HTTP/0.9 has no version
	}
	r.Method, r.Target = line[:first], line[first+1:first+1+width]
	if !isToken(r.Method) {
		return errMethod
	}
	switch version := line[first+width+2:]; {
	case string(version) == "HTTP/1.1":
		r.Minor = 1
	case string(version) == "HTTP/1.0":
		r.Minor = 0
	case isVersion(version):
		return errVersionUnknown
	default:
		return errVersion
	}
	return r.parseTarget()
}

// isVersion reports whether v is an HTTP-version, "HTTP/" DIGIT "." DIGIT.
func isVersion(v []byte) bool {
	const form = "HTTP/d.d"
	if len(v) != len(form) {
		return false
	}
	for i, c := range v {
		if form[i] == 'd' && '0' <= c && c <= '9' || form[i] == c && c != 'd' {
			continue
		}
		return false
	}
	return true
}

// parseField adds one field. Invalid syntax is an error at once. A well-formed field that is
// invalid as framing is noted in f until the head is complete.
func (r *Request) parseField(line []byte, f *framing) *Error {
	name, value, err := splitField(line)
	if err != nil {
		return err
	}
	// The field is written in place: a copy would take a fifth of the parsing time.
	n := len(r.Fields)
	if n == cap(r.Fields) {
		r.Fields = append(r.Fields, Field{})
	}
	r.Fields = r.Fields[:n+1]
	field := &r.Fields[n]
	field.Name, field.Value = name, value
	f.note(name, value)
	return nil
}

// splitField splits a field line (RFC 9112, section 5). White space at the start of the line
// (obs-fold) or before the colon makes the name invalid.
func splitField(line []byte) (name, value []byte, err *Error) {
	n := 0
	for n < len(line) && class[line[n]]&classToken != 0 {
		n++
	}
	if n == 0 || n == len(line) || line[n] != ':' {
		return nil, nil, errFieldName
	}
	value = line[n+1:]
	if !isValue(value) {
		return nil, nil, errFieldValue
	}
	return line[:n], trimOWS(value), nil
}
