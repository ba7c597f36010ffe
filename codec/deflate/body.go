package deflate

import (
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
)

// BodyCompressor compresses the bodies of HTTP responses (RFC 9110 section 8.4.1).
// Safe for concurrent use; its state is pooled.
type BodyCompressor struct {
	level       int
	gzip, zlibs sync.Pool // of *bodyWriter
}

// NewBodyCompressor returns a BodyCompressor of the level, 1 to 9. Any other level
// means [DefaultLevel].
func NewBodyCompressor(level int) *BodyCompressor { return &BodyCompressor{level: levelOf(level)} }

// bodyWriter is a compressor of one format with its output.
type bodyWriter struct {
	format interface {
		io.WriteCloser
		Reset(w io.Writer)
	}
	out appender
}

// Append appends the body, compressed with the coding, to dst. The result may be longer than the body.
func (c *BodyCompressor) Append(dst, body []byte, coding Coding) []byte {
	var pool *sync.Pool
	switch coding {
	case Gzip:
		pool = &c.gzip
	case Deflate:
		pool = &c.zlibs
	default:
		return append(dst, body...)
	}
	w, _ := pool.Get().(*bodyWriter)
	if w == nil {
		w = c.newWriter(coding)
	} else {
		w.format.Reset(&w.out)
	}
	w.out.buf = dst
	// A write can only fail in the writer below, which never does.
	_, _ = w.format.Write(body)
	_ = w.format.Close()
	dst = w.out.buf
	w.out.buf = nil
	pool.Put(w)
	return dst
}

func (c *BodyCompressor) newWriter(coding Coding) *bodyWriter {
	w := new(bodyWriter)
	// The constructors fail only for a level out of range.
	if coding == Gzip {
		w.format, _ = gzip.NewWriterLevel(&w.out, c.level)
	} else {
		w.format, _ = zlib.NewWriterLevel(&w.out, c.level)
	}
	return w
}
