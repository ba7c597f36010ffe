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
	// ErrTooBig reports that the inflated message is longer than the limit.
	ErrTooBig = errors.New("deflate: inflated message too big")
	// ErrCorrupt reports a message that is not valid DEFLATE (RFC 1951).
	ErrCorrupt = errors.New("deflate: corrupt message")
)

const (
	// streamsMax bounds the final blocks in one message. Each final block begins a new
	// DEFLATE stream, which copies the window, for only two bytes of input. Ordinary
	// senders use at most one.
	streamsMax = 256
	// inputKeep is the largest input buffer, in bytes, that stays in the pool.
	inputKeep = 64 << 10
)

// messageEnd is appended to each message: the tail that its sender removed (RFC 7692
// section 7.2.2), and an empty final block that ends the stream.
var messageEnd = [...]byte{0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff}

// Window is the context of a peer that keeps it between messages: the last bytes
// inflated. Only one goroutine at a time may use it.
type Window struct {
	bytes []byte
	max   int
}

// NewWindow returns an empty Window of at most 2^bits bytes, bits being 8 to 15. Its
// memory grows as messages arrive.
func NewWindow(bits int) *Window { return &Window{max: 1 << windowBits(bits)} }

// Len returns the number of bytes in the window.
func (w *Window) Len() int { return len(w.bytes) }

// keep adds inflated bytes to the window.
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

// Inflate inflates the message in data and appends it to dst, at most limit bytes.
// window is nil unless the sender keeps its context. data must not overlap the free
// capacity of dst. The error is ErrTooBig or ErrCorrupt; dst and the window are then
// unchanged.
func Inflate(dst, data []byte, limit int, window *Window) ([]byte, error) {
	// Some compressors produce no output for an empty message.
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

// unpacker is a DEFLATE decompressor with its input and output.
type unpacker struct {
	flate io.ReadCloser
	in    []byte
	input bytes.Reader
	// chunks, if not nil, reads the input in small pieces; pause is called for each.
	// See Inflation.
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

// release returns u to the pool, without references to the message.
func (u *unpacker) release() {
	if cap(u.in) > inputKeep {
		u.in = nil
	}
	u.out, u.chunks, u.pause = nil, nil, nil
	u.input.Reset(nil)
	unpackers.Put(u)
}

// Write implements io.Writer for the decompressor, which writes at most one window
// at a time.
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

// load sets the compressed message to inflate.
func (u *unpacker) load(data []byte) {
	u.in = append(append(u.in[:0], data...), messageEnd[:]...)
	u.input.Reset(u.in)
}

// source returns the reader that the decompressor reads from.
func (u *unpacker) source() flate.Reader {
	if u.chunks != nil {
		return u.chunks
	}
	return &u.input
}

// unread returns the number of input bytes that the decompressor has not read.
func (u *unpacker) unread() int {
	if u.chunks != nil {
		return u.input.Len() + u.chunks.Buffered()
	}
	return u.input.Len()
}

// run inflates the loaded message.
func (u *unpacker) run(window *Window) error {
	var before []byte
	if window != nil {
		before = window.bytes
	}
	context, start, source := before, len(u.out), u.source()
	for range streamsMax {
		_ = u.flate.(flate.Resetter).Reset(source, context) // it never fails
		switch _, err := u.flate.(io.WriterTo).WriteTo(u); {
		case errors.Is(err, ErrTooBig):
			return ErrTooBig
		case errors.Is(err, errStopped):
			return errStopped
		case err != nil:
			return ErrCorrupt
		}
		// More input follows a final block of the message (section 7.2.3.4): at least
		// the padding before messageEnd, which some senders omit.
		if rest := u.unread(); rest == 0 || rest == len(messageEnd) {
			return nil
		}
		context = lastBytes(before, u.out[start:])
	}
	return ErrCorrupt
}

// lastBytes returns the last window of before and out together, as context for the next stream.
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
