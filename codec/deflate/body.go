package deflate

import (
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
)

// BodyCompressor compresses the bodies of HTTP answers. Safe for concurrent use;
// its state is pooled.
type BodyCompressor struct {
	level       int
	gzip, zlibs sync.Pool // of *bodyWriter
}

// NewBodyCompressor returns a compressor of that level, 1 to 9; anything else
// means [DefaultLevel].
func NewBodyCompressor(level int) *BodyCompressor { return &BodyCompressor{level: levelOf(level)} }

// bodyWriter is a compressor of one format and where its output goes.
type bodyWriter struct {
	format interface {
		io.WriteCloser
		Reset(w io.Writer)
	}
	out appender
}

// Append appends the body in that coding. It may be longer than the body.
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
	// Only the writer below could fail.
	_, _ = w.format.Write(body)
	_ = w.format.Close()
	dst = w.out.buf
	w.out.buf = nil
	pool.Put(w)
	return dst
}

func (c *BodyCompressor) newWriter(coding Coding) *bodyWriter {
	w := new(bodyWriter)
	// The level is in range, which is all that could fail.
	if coding == Gzip {
		w.format, _ = gzip.NewWriterLevel(&w.out, c.level)
	} else {
		w.format, _ = zlib.NewWriterLevel(&w.out, c.level)
	}
	return w
}
