package deflate

import (
	"sync"

	"github.com/klauspost/compress/flate"
)

// Levels of compression. Above 6 a message costs up to ten times as much time and
// gets only a few per cent shorter.
const (
	LevelMin = 1
	LevelMax = 9
	// DefaultLevel takes less than half the time of level 6; JSON is about an eighth
	// longer.
	DefaultLevel = 1
)

// syncTail ends the output of a flush: the length, and its complement, of an empty
// stored block. It is removed from each message (RFC 7692 section 7.2.1).
var syncTail = [4]byte{0x00, 0x00, 0xff, 0xff}

// Compressor compresses messages that do not depend on each other. Safe for
// concurrent use; its state is pooled.
type Compressor struct {
	level, windowBits int
	writers           sync.Pool // of *packer
}

// NewCompressor returns a Compressor of the level, 1 to 9, and a window of
// 2^windowBits bytes, 8 to 15. Values out of range mean [DefaultLevel] and 15. With
// a window of less than 15 bits the level has no effect.
func NewCompressor(level, windowBits int) *Compressor {
	return &Compressor{level: level, windowBits: windowBits}
}

// Append appends the compressed message to dst, as the payload of a frame with RSV1.
// The result may be longer than the message.
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

// Stream compresses the messages of one connection, with the preceding messages as
// context. One goroutine at a time may use it. It holds about a megabyte.
type Stream struct{ packer *packer }

// NewStream returns a Stream. The arguments are those of [NewCompressor].
func NewStream(level, windowBits int) *Stream { return &Stream{newPacker(level, windowBits)} }

// Append is like [Compressor.Append]. The caller must send all results, in the order
// of the calls.
func (s *Stream) Append(dst, message []byte) []byte { return s.packer.append(dst, message) }

// packer is a DEFLATE compressor with its output.
type packer struct {
	flate *flate.Writer
	out   appender
}

// appender is an io.Writer that appends to buf. Write never fails.
type appender struct{ buf []byte }

// Write implements io.Writer.
func (a *appender) Write(p []byte) (int, error) {
	a.buf = append(a.buf, p...)
	return len(p), nil
}

func newPacker(level, bits int) *packer {
	p := new(packer)
	// The constructors fail only for arguments out of range.
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

// append compresses and flushes one message. Errors could only come from the writer
// below, which never fails.
func (p *packer) append(dst, message []byte) []byte {
	p.out.buf = dst
	_, _ = p.flate.Write(message)
	_ = p.flate.Flush()
	dst = p.out.buf
	p.out.buf = nil
	return dst[:len(dst)-len(syncTail)]
}
