package deflate

import (
	"sync"

	"github.com/klauspost/compress/flate"
)

// Levels of compression. Above 6 a message costs up to ten times as much for a few
// per cent.
const (
	LevelMin = 1
	LevelMax = 9
	// DefaultLevel makes JSON about an eighth longer than level 6 does, in less than
	// half of the time.
	DefaultLevel = 1
)

// syncTail ends what a compressor flushes: the length and its complement of an
// empty stored block. A message leaves without it (RFC 7692 section 7.2.1).
var syncTail = [4]byte{0x00, 0x00, 0xff, 0xff}

// Compressor compresses messages that do not depend on each other. Safe for
// concurrent use; its state is pooled.
type Compressor struct {
	level, windowBits int
	writers           sync.Pool // of *packer
}

// NewCompressor returns a compressor of that level, 1 to 9, that looks back at
// most 2^windowBits bytes, 8 to 15. What is out of range means [DefaultLevel] and
// 15. With a window of less than 15 bits there is one level for all.
func NewCompressor(level, windowBits int) *Compressor {
	return &Compressor{level: level, windowBits: windowBits}
}

// Append appends the compressed form of a message, as the payload of a frame with
// RSV1. It may be longer than the message.
func (c *Compressor) Append(dst, message []byte) []byte {
	p, _ := c.writers.Get().(*packer)
	if p == nil {
		p = newPacker(c.level, c.windowBits)
	} else {
		p.flate.Reset(&p.out)
	}
	dst = p.append(dst, message)
	c.writers.Put(p)
	return dst
}

// Stream compresses the messages of one connection, each with the ones before it
// as its context. Owned by one goroutine at a time. It holds about a megabyte.
type Stream struct{ packer *packer }

// NewStream returns a stream; the arguments are those of [NewCompressor].
func NewStream(level, windowBits int) *Stream { return &Stream{newPacker(level, windowBits)} }

// Append is [Compressor.Append]. The messages have to be sent in the order of the
// calls, all of them.
func (s *Stream) Append(dst, message []byte) []byte { return s.packer.append(dst, message) }

// packer is a DEFLATE compressor and where its output goes.
type packer struct {
	flate *flate.Writer
	out   appender
}

// appender is a writer that appends. Writing never fails.
type appender struct{ buf []byte }

// Write implements io.Writer.
func (a *appender) Write(p []byte) (int, error) {
	a.buf = append(a.buf, p...)
	return len(p), nil
}

func newPacker(level, bits int) *packer {
	p := new(packer)
	// The arguments are in range, which is all that could fail.
	if bits = int(windowBits(bits)); bits < WindowBitsMax {
		p.flate, _ = flate.NewWriterWindow(&p.out, 1<<bits)
	} else {
		p.flate, _ = flate.NewWriter(&p.out, levelOf(level))
	}
	return p
}

func levelOf(level int) int {
	if level < LevelMin || level > LevelMax {
		return DefaultLevel
	}
	return level
}

// append compresses one message and flushes. The only errors are those of the
// writer below, which has none.
func (p *packer) append(dst, message []byte) []byte {
	p.out.buf = dst
	_, _ = p.flate.Write(message)
	_ = p.flate.Flush()
	dst = p.out.buf
	p.out.buf = nil
	return dst[:len(dst)-len(syncTail)]
}
