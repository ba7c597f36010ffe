package deflate

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
)

// Errors of [Inflate].
var (
	// ErrTooBig is a message that is longer than its limit when inflated.
	ErrTooBig = errors.New("deflate: inflated message too big")
	// ErrCorrupt is a message that is not in the DEFLATE format (RFC 1951).
	ErrCorrupt = errors.New("deflate: corrupt message")
)

const (
	// streamsMax bounds the final blocks in one message. Each begins a new DEFLATE
	// stream, with a copy of the window, for as little as two bytes of input.
	// Senders have one at the most, since the sync flush became common.
	streamsMax = 256
	// inputKeep bounds the input buffer that stays in the pool.
	inputKeep = 64 << 10
)

// messageEnd is put behind each message: what its sender has cut off (RFC 7692
// section 7.2.2), and an empty final block that ends the stream.
var messageEnd = [...]byte{0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff}

// Window is the context of a peer that keeps it from one message to the next: the
// last bytes that were inflated. Owned by one goroutine at a time.
type Window struct {
	bytes []byte
	max   int
}

// NewWindow returns an empty window of at most 2^bits bytes, 8 to 15. Memory is
// taken as messages come.
func NewWindow(bits int) *Window { return &Window{max: 1 << windowBits(bits)} }

// Len is how many bytes it holds.
func (w *Window) Len() int { return len(w.bytes) }

// keep adds what was inflated.
func (w *Window) keep(data []byte) {
	if len(data) >= w.max {
		w.bytes = append(w.bytes[:0], data[len(data)-w.max:]...)
		return
	}
	if over := len(w.bytes) + len(data) - w.max; over > 0 {
		w.bytes = w.bytes[:copy(w.bytes, w.bytes[over:])]
	}
	w.bytes = append(w.bytes, data...)
}

// Inflate appends the message whose compressed form is data to dst. window is nil
// unless the sender keeps its context. No more than limit bytes are appended.
// data must not be a part of dst's free space. Errors: ErrTooBig, ErrCorrupt; dst
// and the window are then as they were before.
func Inflate(dst, data []byte, limit int, window *Window) ([]byte, error) {
	// Some compressors have nothing to flush for an empty message.
	if len(data) == 0 {
		return dst, nil
	}
	u := unpackers.Get().(*unpacker)
	start := len(dst)
	u.out, u.left = dst, max(limit, 0)
	u.load(data)
	err := u.run(window)
	dst = u.out
	u.release()
	if err != nil {
		return dst[:start], err
	}
	if window != nil {
		window.keep(dst[start:])
	}
	return dst, nil
}

// unpacker is a DEFLATE decompressor with its input and where its output goes.
type unpacker struct {
	flate io.ReadCloser
	in    []byte
	input bytes.Reader
	// chunks, when set, reads input in small pieces for the decompressor, and pause is
	// told of each; see Inflation.
	chunks *bufio.Reader
	pause  func(in, out int) bool
	out    []byte
	left   int // bytes that may still be appended
}

var unpackers = sync.Pool{New: func() any {
	u := new(unpacker)
	u.flate = flate.NewReader(&u.input)
	return u
}}

// release puts it back without anything of the message.
func (u *unpacker) release() {
	if cap(u.in) > inputKeep {
		u.in = nil
	}
	u.out, u.chunks, u.pause = nil, nil, nil
	u.input.Reset(nil)
	unpackers.Put(u)
}

// Write implements io.Writer for the decompressor, which gives at most a window at
// a time.
func (u *unpacker) Write(p []byte) (int, error) {
	if len(p) > u.left {
		return 0, ErrTooBig
	}
	u.left -= len(p)
	u.out = append(u.out, p...)
	if u.pause != nil && !u.pause(0, len(p)) {
		return 0, errStopped
	}
	return len(p), nil
}

// load takes the compressed form of a message.
func (u *unpacker) load(data []byte) {
	u.in = append(append(u.in[:0], data...), messageEnd[:]...)
	u.input.Reset(u.in)
}

// source is what the decompressor reads.
func (u *unpacker) source() flate.Reader {
	if u.chunks != nil {
		return u.chunks
	}
	return &u.input
}

// unread is how much of the input the decompressor has not taken.
func (u *unpacker) unread() int {
	if u.chunks != nil {
		return u.input.Len() + u.chunks.Buffered()
	}
	return u.input.Len()
}

// run inflates the message that was loaded.
func (u *unpacker) run(window *Window) error {
	var before []byte
	if window != nil {
		before = window.bytes
	}
	context, start, source := before, len(u.out), u.source()
	for range streamsMax {
		_ = u.flate.(flate.Resetter).Reset(source, context) // it has no errors
		switch _, err := u.flate.(io.WriterTo).WriteTo(u); {
		case errors.Is(err, ErrTooBig):
			return ErrTooBig
		case errors.Is(err, errStopped):
			return errStopped
		case err != nil:
			return ErrCorrupt
		}
		// Behind a final block of the message itself there is more (section 7.2.3.4): at
		// least the padding that makes messageEnd fit, which some leave out.
		if rest := u.unread(); rest == 0 || rest == len(messageEnd) {
			return nil
		}
		context = lastBytes(before, u.out[start:])
	}
	return ErrCorrupt
}

// lastBytes is the context for what follows before and out.
func lastBytes(before, out []byte) []byte {
	const windowBytes = 1 << WindowBitsMax
	switch {
	case len(out) == 0:
		return before
	case len(out) < windowBytes && len(before) > 0:
		out = append(append(make([]byte, 0, len(before)+len(out)), before...), out...)
	}
	return out[max(0, len(out)-windowBytes):]
}
