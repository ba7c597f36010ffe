package deflate

import (
	"bufio"
	"errors"
	"io"
	"iter"
)

// chunkBytes is how much compressed input is read between two pauses of an
// [Inflation]. It takes 0.7 ms at the worst.
const chunkBytes = 4 << 10

// errStopped ends the decompressor of an Inflation that is closed.
var errStopped = errors.New("deflate: stopped")

// Inflation is [Inflate] in steps, for messages that take longer than their loop
// has time: what DEFLATE expands to is up to a thousand times its length, and the
// time for it does not depend on the length alone. Between two steps it holds a
// decompressor, the compressed message and what was inflated. Owned by one
// goroutine at a time. Close it in the end.
type Inflation struct {
	data   []byte // with messageEnd
	limit  int
	window *Window
	out    []byte
	err    error
	run    *unpacker // between the first and the last step

	next func() (progress, bool)
	stop func()
}

// progress is what an Inflation has done since its last pause.
type progress struct{ in, out int }

// NewInflation begins to inflate a message. The arguments are those of [Inflate];
// data is copied, and dst and window must not be used otherwise until the message
// is whole or Close is called. It does no work yet.
func NewInflation(dst, data []byte, limit int, window *Window) *Inflation {
	i := &Inflation{limit: limit, window: window, out: dst}
	if len(data) > 0 {
		i.data = append(append(make([]byte, 0, len(data)+len(messageEnd)), data...), messageEnd[:]...)
	}
	return i
}

// Step goes on until the message is whole or has an error, and returns true then;
// it returns false when more has returned false. more is asked at every pause, of
// which there is one for at most 4 KiB of input and 32 KiB of output, and is told
// how many bytes were read and how many were inflated since the last one.
func (i *Inflation) Step(more func(in, out int) bool) (done bool) {
	if i.next == nil {
		i.next, i.stop = iter.Pull(i.inflate)
	}
	for {
		p, ok := i.next()
		if !ok {
			return true
		}
		if !more(p.in, p.out) {
			return false
		}
	}
}

// Result is what [Inflate] returns, when Step has returned true.
func (i *Inflation) Result() ([]byte, error) { return i.out, i.err }

// Close gives back what the Inflation holds. It may be called at any time.
func (i *Inflation) Close() {
	if i.stop != nil {
		i.stop()
	}
}

// Size is how many bytes of memory the messages take now, compressed and inflated.
func (i *Inflation) Size() int {
	if i.run != nil {
		return cap(i.data) + cap(i.run.out)
	}
	return cap(i.data) + cap(i.out)
}

// inflate inflates the message, in a coroutine that pauses at each yield.
func (i *Inflation) inflate(yield func(progress) bool) {
	if len(i.data) == 0 {
		return
	}
	u := unpackers.Get().(*unpacker)
	i.run = u
	defer func() {
		i.run = nil
		u.release()
	}()
	u.input.Reset(i.data)
	start := len(i.out)
	u.out, u.left = i.out, max(i.limit, 0)
	u.pause = func(in, out int) bool { return yield(progress{in, out}) }
	u.chunks = bufio.NewReaderSize((*chunkReader)(u), chunkBytes)
	i.err = u.run(i.window)
	i.data, i.out = nil, u.out
	if i.err != nil {
		i.out = i.out[:start]
	} else if i.window != nil {
		i.window.keep(i.out[start:])
	}
}

// chunkReader is the input of an unpacker that pauses at every read.
type chunkReader unpacker

// Read implements io.Reader.
func (r *chunkReader) Read(p []byte) (int, error) {
	n, err := r.input.Read(p[:min(len(p), chunkBytes)])
	if err == nil && !r.pause(n, 0) {
		return 0, errStopped
	}
	return n, err
}

var _ io.Reader = (*chunkReader)(nil)
