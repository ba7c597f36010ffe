package mount

import (
	"fmt"
	"io"
	"net/http"
)

const (
	// visitReadBytes is the size of the parts of a request's body that are passed to the loop.
	visitReadBytes = 32 << 10
	// chunkHeadBytes is the length of a chunk's first line: eight digits and CRLF.
	chunkHeadBytes = 10
	crlf           = "\r\n"
)

// visitBody reads the body of a net/http request in parts, with HTTP/1.1 framing: net/http has removed the framing, so
// a body of unknown length is framed as chunks again. It belongs to the request's goroutine.
type visitBody struct {
	from io.Reader
	buf  []byte
	// left is the number of bytes left; negative if it is unknown, and 0 at the end.
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

// next reads the next part, which is valid until the next call. It must not be called at the end.
func (b *visitBody) next() ([]byte, error) {
	if b.left < 0 {
		return b.nextChunk()
	}
	n, err := io.ReadFull(b.from, b.buf[:min(int64(len(b.buf)), b.left)])
	b.left -= int64(n)
	return b.buf[:n], err
}

// nextChunk fills a chunk, whatever pieces the body arrives in, so that the framing is small beside it.
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
