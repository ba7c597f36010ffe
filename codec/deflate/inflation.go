package deflate

import (
	"bufio"
	"errors"
	"io"
	"iter"
)

// chunkBytes is the amount of compressed input that an [Inflation] reads between two
// pauses. It takes at most 0.7 ms to inflate.
const chunkBytes = 4 << 10

// errStopped ends the decompressor of a closed Inflation.
var errStopped = errors.New("deflate: stopped")

// Inflation is [Inflate] in steps, for messages that take longer than an event loop
// can spare at once: DEFLATE expands data up to a thousand times, and the time does
// not depend on the length alone. Between steps it holds a decompressor, the
// compressed message and the output so far. Only one goroutine at a time may use it.
// Close must be called in the end.
type Inflation struct {
	data   []byte // with messageEnd
	limit  int
	window *Window
	out    []byte
	err    error
	run    *unpacker // set from the first to the last step

	next func() (progress, bool)
	stop func()
}

// progress is the work of an Inflation since its last pause, in bytes.
type progress struct{ in, out int }

// NewInflation prepares to inflate a message and does no work yet. The arguments are
// those of [Inflate]. data is copied. The caller must not use dst or window until the
// message is complete or Close is called.
func NewInflation(dst, data []byte, limit int, window *Window) *Inflation {
	i := &Inflation{limit: limit, window: window, out: dst}
	if len(data) > 0 {
		i.data = append(append(make([]byte, 0, len(data)+len(messageEnd)), data...), messageEnd[:]...)
	}
	return i
}

// Step inflates until the message is complete or invalid, and then returns true. It
// returns false if more has returned false. Step calls more at every pause, after at
// most 4 KiB of input and 32 KiB of output, with the numbers of bytes read and
// inflated since the last pause.
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

// Result returns what [Inflate] would return. Call it after Step has returned true.
func (i *Inflation) Result() ([]byte, error) { return i.out, i.err }

// Close releases the memory of the Inflation. It may be called at any time, more than once.
func (i *Inflation) Close() {
	if i.stop != nil {
		i.stop()
	}
}

// Size returns the number of bytes that the compressed and the inflated message take now.
func (i *Inflation) Size() int {
	if i.run != nil {
		return cap(i.data) + cap(i.run.out)
	}
	return cap(i.data) + cap(i.out)
}

// inflate inflates the message in a coroutine. It pauses at each yield.
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

// chunkReader is the input of an unpacker; it pauses at every read.
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
