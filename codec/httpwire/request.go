package httpwire

import "iter"

// Field is one header field: views of the request's buffer. The name is as received, the value
// without the white space around it.
type Field struct {
	Name, Value []byte
}

// Request is one request of HTTP/1.0 or HTTP/1.1. It is loop-owned and meant to be reused: Fields
// keeps its capacity, so filling it does not allocate. All slices are views of the buffer passed to
// the parser and valid as long as its bytes. The content is defined only after Parse has returned
// n > 0 or ParseHead no error.
type Request struct {
	// Method is a token as received; methods are case-sensitive.
	Method []byte
	// Target is the request target as received.
	Target []byte
	// Path is the path of Target, including its percent escapes, which are well-formed. It starts
	// with "/", or is "*" if Method is OPTIONS.
	Path []byte
	// RawQuery is the part of Target after the first "?"; see QueryGet.
	RawQuery []byte
	// Host is the authority of an absolute-form Target, or else the Host field. It is a well-formed
	// host with an optional port, or empty. An IPv6 address in the Host field may lack its brackets
	// or have a zone.
	Host []byte
	// Minor is y in HTTP/1.y, 0 or 1.
	Minor int
	// Fields are the header fields in the order received.
	Fields []Field
	// ContentLength is the length of the body declared in the head: 0 without a body, -1 if the
	// body is chunked.
	ContentLength int64
	// Head is the request line and the fields exactly as received, each line with its CRLF, without
	// the empty line. ParseHead can parse it again.
	Head []byte
	// Body is the decoded body, empty when there is none.
	Body []byte
	// Close reports whether the connection ends after the response: Connection: close, or HTTP/1.0
	// without Connection: keep-alive.
	Close bool
}

// Reset clears the views, so that an unused Request does not keep a buffer alive. Fields keeps its
// capacity.
func (r *Request) Reset() {
	clear(r.Fields[:cap(r.Fields)])
	*r = Request{Fields: r.Fields[:0]}
}

// Get returns the value of the first field of that name, or nil if there is none. Names are
// case-insensitive. It does not allocate.
func (r *Request) Get(name string) []byte {
	for i := range r.Fields {
		if f := &r.Fields[i]; foldEqual(f.Name, name) {
			return f.Value
		}
	}
	return nil
}

// Single returns the value of the field of that name. ok is false if there is none or more than
// one: use it for fields that must not be repeated.
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

// Values iterates over the values of all fields of that name, in the order received.
func (r *Request) Values(name string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := range r.Fields {
			if f := &r.Fields[i]; foldEqual(f.Name, name) && !yield(f.Value) {
				return
			}
		}
	}
}

// HasToken reports whether the comma-separated lists in the fields of that name contain the token,
// ignoring case (RFC 9110, section 5.6.1). Connection and Upgrade are such lists. It does not
// allocate.
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
