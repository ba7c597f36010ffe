package bench

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
)

const (
	headBytesMax  = 64 << 10 // status line and header fields
	bodyBytesMax  = 1 << 30  // of a response
	bodyBytesKept = 64 << 10 // capacity that an idle reader holds on to
	lineBytesMax  = 4 << 10  // of a chunk size with extensions, or a trailer
)

// Errors of responseReader.
var (
	errHead   = errors.New("malformed HTTP response")
	errLength = errors.New("HTTP response without a usable length")
	errTooBig = errors.New("HTTP response too big")
)

// response is one HTTP/1.1 response; Body is valid until the next call of
// responseReader.next.
type response struct {
	Status int
	Accept string // Sec-WebSocket-Accept
	Body   []byte
	Close  bool // the server closes the connection after this response
}

// responseReader parses responses in a byte stream that may be split anywhere; loop-owned, the zero value is ready. It
// supports what a long-polling client needs: a length, chunks with trailers, and interim responses.
type responseReader struct {
	resp    response
	pending []byte // incomplete head or chunk line
	body    []byte // incomplete body
	left    int    // bytes of the body or chunk to come
	state   readState
}

// readState is what responseReader expects next.
type readState uint8

const (
	readHead readState = iota
	readFixed
	readChunkSize
	readChunkData
	readChunkEnd
	readTrailer
)

// next consumes bytes from the start of buf and returns their number. done is true if they complete a response. The
// bytes after them belong to the next response or, after status 101, to another protocol. An error is final.
func (r *responseReader) next(buf []byte) (n int, resp *response, err error) {
	for {
		taken, done, err := r.step(buf[n:])
		n += taken
		if err != nil {
			return n, nil, err
		}
		if done {
			r.state = readHead
			return n, &r.resp, nil
		}
		if n == len(buf) {
			return n, nil, nil
		}
	}
}

// step consumes one element: a head, a line, or a part of the body.
func (r *responseReader) step(buf []byte) (n int, done bool, err error) {
	switch r.state {
	case readHead:
		return r.stepHead(buf)
	case readFixed:
		return r.stepFixed(buf)
	case readChunkData:
		n = min(r.left, len(buf))
		r.body = append(r.body, buf[:n]...)
		if r.left -= n; r.left == 0 {
			r.state = readChunkEnd
		}
		return n, false, nil
	default:
		return r.stepLine(buf)
	}
}

// stepHead takes a status line with its header fields.
func (r *responseReader) stepHead(buf []byte) (n int, done bool, err error) {
	head, n, err := r.until(buf, "\r\n\r\n", headBytesMax)
	if head == nil {
		return n, false, err
	}
	if r.body = r.body[:0]; cap(r.body) > bodyBytesKept {
		r.body = nil
	}
	length, chunked, err := parseHead(head, &r.resp)
	r.pending = nil
	if err != nil {
		return n, false, err
	}
	status := r.resp.Status
	switch {
	case status == 101:
		return n, true, nil
	case status < 200:
		return n, false, nil // interim: the real one follows
	case status == 204 || status == 304:
		return n, true, nil
	case chunked:
		r.state = readChunkSize
		return n, false, nil
	case length < 0:
		return n, false, errLength
	case length == 0:
		return n, true, nil
	}
	r.left, r.state = length, readFixed
	return n, false, nil
}

// stepFixed takes a body of known length, without a copy if it is all there.
func (r *responseReader) stepFixed(buf []byte) (n int, done bool, err error) {
	n = min(r.left, len(buf))
	r.left -= n
	if r.left == 0 && len(r.body) == 0 {
		r.resp.Body = buf[:n:n]
		return n, true, nil
	}
	r.body = append(r.body, buf[:n]...)
	r.resp.Body = r.body
	return n, r.left == 0, nil
}

// stepLine takes one line of the chunked framing.
func (r *responseReader) stepLine(buf []byte) (n int, done bool, err error) {
	line, n, err := r.until(buf, "\r\n", lineBytesMax)
	if line == nil {
		return n, false, err
	}
	defer func() { r.pending = nil }()
	switch r.state {
	case readChunkEnd:
		if len(line) != 0 {
			return n, false, errHead
		}
		r.state = readChunkSize
	case readTrailer:
		if len(line) == 0 {
			r.resp.Body = r.body
			return n, true, nil
		}
	default:
		digits, _, _ := strings.Cut(string(line), ";")
		size, err := strconv.ParseUint(strings.TrimSpace(digits), 16, 32)
		if err != nil {
			return n, false, errHead
		}
		if int(size) > bodyBytesMax-len(r.body) {
			return n, false, errTooBig
		}
		r.left, r.state = int(size), readChunkData
		if size == 0 {
			r.state = readTrailer
		}
	}
	return n, false, nil
}

// until returns the bytes before the first end in the stream, or nil if it has not arrived, in which case buf is kept.
// The result is valid until pending is emptied, which the caller must do.
func (r *responseReader) until(buf []byte, end string, limit int) (found []byte, n int, err error) {
	if len(r.pending) == 0 {
		if i := bytes.Index(buf, []byte(end)); i >= 0 {
			return buf[:i:i], i + len(end), nil
		}
	}
	// Search from where an end could have begun in the kept bytes.
	from := max(0, len(r.pending)-len(end)+1)
	kept := len(r.pending)
	r.pending = append(r.pending, buf...)
	i := bytes.Index(r.pending[from:], []byte(end))
	if i < 0 {
		if len(r.pending) > limit {
			return nil, len(buf), errTooBig
		}
		return nil, len(buf), nil
	}
	stop := from + i
	if stop > limit {
		return nil, len(buf), errTooBig
	}
	return r.pending[:stop:stop], stop + len(end) - kept, nil
}

// parseHead reads the head; length is -1 without a Content-Length.
func parseHead(head []byte, resp *response) (length int, chunked bool, err error) {
	lines := strings.Split(string(head), "\r\n")
	status := lines[0]
	if len(status) < len("HTTP/1.1 200") || !strings.HasPrefix(status, "HTTP/1.") || status[8] != ' ' {
		return 0, false, errHead
	}
	*resp = response{Close: status[7] == '0'}
	if resp.Status, err = strconv.Atoi(status[9:12]); err != nil || resp.Status < 100 {
		return 0, false, errHead
	}
	length = -1
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return 0, false, errHead
		}
		value = strings.TrimSpace(value)
		switch strings.ToLower(name) {
		case "content-length":
			n, err := strconv.ParseUint(value, 10, 32)
			if err != nil {
				return 0, false, errLength
			}
			if n > bodyBytesMax {
				return 0, false, errTooBig
			}
			length = int(n)
		case "transfer-encoding":
			if !strings.EqualFold(value, "chunked") {
				return 0, false, errLength
			}
			chunked = true
		case "connection":
			resp.Close = resp.Close || strings.EqualFold(value, "close")
		case "sec-websocket-accept":
			resp.Accept = value
		}
	}
	return length, chunked, nil
}
