package httpwire

import "iter"

// Field is one header field: views of the request's buffer. The name is as the
// peer wrote it, the value is without the white space around it.
type Field struct {
	Name, Value []byte
}

// Request is one request of HTTP/1.0 or HTTP/1.1. It is loop-owned and made to be
// used again and again: Fields keeps its capacity, so filling it does not allocate.
// All slices are views of the buffer given to the parser and die with it. Its
// content means something only after Parse returned n > 0 or ParseHead no error.
type Request struct {
	// Method is a token as received; methods are case-sensitive.
	Method []byte
	// Target is the request target as received.
	Target []byte
	// Path is the path of Target, percent escapes (which are well-formed) and
	// all: it starts with "/", or is "*" when Method is OPTIONS.
	Path []byte
	// RawQuery is what follows the first "?" of Target; see QueryGet.
	RawQuery []byte
	// Host is the authority of an absolute-form Target, else the Host field. It is
	// a well-formed host with an optional port, or empty. An IPv6 address in the
	// Host field may lack its brackets, or have a zone.
	Host []byte
	// Minor is y in HTTP/1.y, 0 or 1.
	Minor int
	// Fields are the header fields in the order of arrival.
	Fields []Field
	// ContentLength is the length of the body as the head declares it: 0 without
	// a body, -1 when it is chunked.
	ContentLength int64
	// Head is the request line and the fields exactly as received, each line with
	// its CRLF, without the empty line. ParseHead reads it again.
	Head []byte
	// Body is the decoded body, empty when there is none.
	Body []byte
	// Close says that the connection ends after the response: Connection: close,
	// or HTTP/1.0 without Connection: keep-alive.
	Close bool
}

// Reset forgets the views, so that a Request that waits for its next use does not
// keep a buffer alive. The capacity of Fields stays.
func (r *Request) Reset() {
	clear(r.Fields[:cap(r.Fields)])
	*r = Request{Fields: r.Fields[:0]}
}

// Get returns the value of the first field of that name, or nil when there is
// none. Names are compared without regard to case. It does not allocate.
func (r *Request) Get(name string) []byte {
	for i := range r.Fields {
		if f := &r.Fields[i]; foldEqual(f.Name, name) {
			return f.Value
		}
	}
	return nil
}

// Single returns the value of the field of that name. ok is false when there is
// none or more than one: it is for fields that must not appear twice.
func (r *Request) Single(name string) (value []byte, ok bool) {
	for i := range r.Fields {
		f := &r.Fields[i]
		if !foldEqual(f.Name, name) {
			continue
		}
		if ok {
			return nil, false
		}
		value, ok = f.Value, true
	}
	return value, ok
}

// Values iterates over the values of all fields of that name, in order of arrival.
func (r *Request) Values(name string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := range r.Fields {
			if f := &r.Fields[i]; foldEqual(f.Name, name) && !yield(f.Value) {
				return
			}
		}
	}
}

// HasToken reports whether the comma-separated lists in the fields of that name
// contain the token, without regard to case (RFC 9110, section 5.6.1). Connection
// and Upgrade are such lists. It does not allocate.
func (r *Request) HasToken(name, token string) bool {
	for i := range r.Fields {
		if f := &r.Fields[i]; foldEqual(f.Name, name) && listHas(f.Value, token) {
			return true
		}
	}
	return false
}

func listHas(list []byte, token string) bool {
	for more := true; more; {
		var element []byte
		element, list, more = nextElement(list)
		if foldEqual(element, token) {
			return true
		}
	}
	return false
}
