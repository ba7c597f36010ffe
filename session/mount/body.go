package mount

import (
	"fmt"
	"io"
	"net/http"
)

const (
	// visitReadBytes is how much of a request's body is handed to the loop at once.
	visitReadBytes = 32 << 10
	// chunkHeadBytes is the first line of our chunks: eight digits and CRLF.
	chunkHeadBytes = 10
	crlf           = "\r\n"
)

// visitBody is the body of a request of net/http, in parts as HTTP/1.1 has them on the wire: net/http has taken the
// framing off, so a body of unknown length gets chunks of its own. It belongs to the request's goroutine.
type visitBody struct {
	from io.Reader
	buf  []byte
	// left is how much is to come; below zero it is not known, and 0 is the end.
	left int64
}

func newVisitBody(r *http.Request) *visitBody {
	size := r.ContentLength
	if size < 0 || size > visitReadBytes {
		size = visitReadBytes
	}
	return &visitBody{from: r.Body, buf: make([]byte, size), left: r.ContentLength}
}

// whole reports whether next has returned all parts.
func (b *visitBody) whole() bool { return b.left == 0 }

// next reads the next part, which is good until the next call. It must not be called at the end.
func (b *visitBody) next() ([]byte, error) {
	if b.left < 0 {
		return b.nextChunk()
	}
	n, err := io.ReadFull(b.from, b.buf[:min(int64(len(b.buf)), b.left)])
	b.left -= int64(n)
	return b.buf[:n], err
}

// nextChunk fills a chunk, so that its framing is small beside it, whatever pieces the body comes in.
func (b *visitBody) nextChunk() ([]byte, error) {
	data := b.buf[chunkHeadBytes : len(b.buf)-len(crlf)]
	n := 0
	for n < len(data) {
		m, err := b.from.Read(data[n:])
		if n += m; err == io.EOF {
			b.left = 0
			break
		}
		if err != nil {
			return nil, err
		}
	}
	part := b.buf[:0]
	if n > 0 {
		part = fmt.Appendf(part, "%08x"+crlf, n)
		part = append(part, data[:n]...)
		part = append(part, crlf...)
	}
	if b.left == 0 {
		part = append(part, "0"+crlf+crlf...)
	}
	return part, nil
}
