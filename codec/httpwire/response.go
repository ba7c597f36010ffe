package httpwire

import (
	"net/http"
	"strconv"
)

// ContinueResponse is the interim response to Expect: 100-continue. It is shared and must not be
// changed.
var ContinueResponse = []byte("HTTP/1.1 100 Continue\r\n\r\n")

// Response is a complete response. AppendResponse only reads it, so prepared responses may be
// shared.
type Response struct {
	// Status is the status code, 100 to 999; any other value is sent as 500.
	Status int
	// ContentType is the value of Content-Type; the field is omitted if it is empty.
	ContentType string
	// Date is the value of Date, in the form of http.TimeFormat; the field is omitted if it is
	// empty, and with 1xx.
	Date string
	// Body is the content. It is not sent with 1xx, 204 and 304.
	Body []byte
	// Header has further fields: name, value, name, value. Fields whose name is not a token are
	// dropped. So are Content-Length and Transfer-Encoding, which follow from Body, and Content-Type
	// and Date if they are set above. Control characters in values become spaces.
	Header []string
	// Close adds Connection: close, except with 1xx.
	Close bool
	// Head marks the response to a HEAD request: Content-Length is the length of Body, but Body is
	// not sent.
	Head bool
}

// The status lines of these codes are made in advance.
const statusFirst, statusLast = 100, 599

var statusLines = makeStatusLines()

func makeStatusLines() (lines [statusLast - statusFirst + 1]string) {
	for i := range lines {
		code := statusFirst + i
		// The reason may be empty, but the space before it is required (RFC 9112, section 4).
		lines[i] = "HTTP/1.1 " + strconv.Itoa(code) + " " + http.StatusText(code) + "\r\n"
	}
	return lines
}

// AppendResponse appends r in wire form to dst, with a Content-Length unless the status forbids it
// (RFC 9110, section 8.6). It allocates only to grow dst. No value in r can end a line early or add
// one. Safe for concurrent use.
func AppendResponse(dst []byte, r *Response) []byte {
	return append(AppendResponseHead(dst, r), r.SentBody()...)
}

// AppendResponseHead is AppendResponse without the body, for a body too long to copy: send SentBody after it.
func AppendResponseHead(dst []byte, r *Response) []byte {
	status := r.status()
	if status <= statusLast {
		dst = append(dst, statusLines[status-statusFirst]...)
	} else {
		dst = append(dst, "HTTP/1.1 "...)
		dst = strconv.AppendInt(dst, int64(status), 10)
		dst = append(dst, " \r\n"...)
	}
	interim := status < 200
	if r.ContentType != "" {
		dst = appendValue(append(dst, "Content-Type: "...), r.ContentType)
	}
	if r.Date != "" && !interim {
		dst = appendValue(append(dst, "Date: "...), r.Date)
	}
	if !interim && !r.bodiless() {
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, int64(len(r.Body)), 10)
		dst = append(dst, "\r\n"...)
	}
	for i := 0; i+1 < len(r.Header); i += 2 {
		if name := r.Header[i]; r.mayAdd(name) {
			dst = appendField(dst, name, r.Header[i+1])
		}
	}
	if r.Close && !interim {
		dst = append(dst, "Connection: close\r\n"...)
	}
	return append(dst, "\r\n"...)
}

// interim and bodiless report whether a response is interim, and whether it has no body (RFC 9110, section 6.4.1).
func (r *Response) interim() bool { return r.status() < 200 }

func (r *Response) bodiless() bool {
	return r.interim() || r.Status == http.StatusNoContent || r.Status == http.StatusNotModified
}

// status returns the status code to send: 500 if Status is invalid.
func (r *Response) status() int {
	if r.Status < 100 || r.Status > 999 {
		return http.StatusInternalServerError
	}
	return r.Status
}

// SentBody returns the bytes to send after AppendResponseHead: Body, or nil for responses to HEAD and without a body.
func (r *Response) SentBody() []byte {
	if r.Head || r.bodiless() {
		return nil
	}
	return r.Body
}

// mayAdd reports whether a field of Header may be sent with that name.
func (r *Response) mayAdd(name string) bool {
	switch len(name) {
	case len("Date"):
		if foldEqual(name, "Date") {
			return r.Date == ""
		}
	case len("Content-Type"):
		if foldEqual(name, "Content-Type") {
			return r.ContentType == ""
		}
	case len("Content-Length"):
		if foldEqual(name, "Content-Length") {
			return false
		}
	case len("Transfer-Encoding"):
		if foldEqual(name, "Transfer-Encoding") {
			return false
		}
	}
	return isToken(name)
}

// appendField appends a field line.
func appendField(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	return appendValue(append(dst, ": "...), value)
}

// appendValue appends the value of a field and the end of the line. Control characters become spaces, as RFC 9110,
// section 5.5, allows recipients to do.
func appendValue(dst []byte, value string) []byte {
	at := len(dst)
	dst = append(dst, value...)
	if field := dst[at:]; !isValue(field) {
		for i, c := range field {
			if class[c]&classValue == 0 {
				field[i] = ' '
			}
		}
	}
	return append(dst, "\r\n"...)
}
