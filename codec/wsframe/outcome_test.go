package wsframe

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/gobwas/ws"
)

// event is a copy of a delivered message.
type event struct {
	kind       Kind
	data       string
	code       ws.StatusCode
	compressed bool
}

func text(s string) event { return event{kind: Text, data: s} }
func bin(s string) event  { return event{kind: Binary, data: s} }
func ping(s string) event { return event{kind: Ping, data: s} }
func pong(s string) event { return event{kind: Pong, data: s} }

func closing(code ws.StatusCode, reason string) event {
	return event{kind: Close, data: reason, code: code}
}

// outcome is the result of reading a stream, however it is split.
type outcome struct {
	events  []event
	failure ws.StatusCode // 0 when there was none
	taken   int           // bytes of the stream, without the frame that failed
}

func (o outcome) equal(other outcome) error {
	if len(o.events) != len(other.events) {
		return fmt.Errorf("%d messages, want %d", len(o.events), len(other.events))
	}
	for i, e := range o.events {
		if e != other.events[i] {
			return fmt.Errorf("message %d: %.80q, want %.80q", i, fmt.Sprint(e), fmt.Sprint(other.events[i]))
		}
	}
	if o.failure != other.failure {
		return fmt.Errorf("failure %d, want %d", o.failure, other.failure)
	}
	if o.taken != other.taken {
		return fmt.Errorf("%d bytes taken, want %d", o.taken, other.taken)
	}
	return nil
}

// readAll reads a stream as an event loop does. next returns the number of bytes
// that arrive next; 0 means all the rest. readAll also checks that bytes which were
// not consumed stay unchanged, that Need is right, and that errors are final.
func readAll(stream []byte, lim *Limits, next func() int) (o outcome, err error) {
	var r Reader
	defer r.Reset()
	var msg Message
	received, need := 0, 0
	for received < len(stream) || received == 0 {
		arriving := next()
		if arriving <= 0 || arriving > len(stream)-received {
			arriving = len(stream) - received
		}
		received += arriving
		buf := bytes.Clone(stream[o.taken:received])
		for {
			n, err := r.Next(buf, lim, &msg)
			if need != 0 && n != need && (err == nil || n != 0) && len(buf) >= need {
				return o, fmt.Errorf("frame of %d bytes, Need said %d", n, need)
			}
			buf = buf[n:]
			if !bytes.Equal(buf, stream[o.taken+n:received]) {
				return o, fmt.Errorf("bytes changed that were not taken, at %d of %d", o.taken+n, received)
			}
			if err != nil {
				if msg.Kind != None || msg.Data != nil || msg.Code != 0 {
					return o, fmt.Errorf("%v delivered with %v", msg.Kind, err)
				}
				var failure *Error
				if !errors.As(err, &failure) {
					return o, fmt.Errorf("error of type %T", err)
				}
				o.failure = failure.Code
				return o, checkFinal(&r, buf, lim, err)
			}
			o.taken += n
			if r.buffer != nil && cap(r.buffer.B) > max(2*received, pooledBytesMax) {
				return o, fmt.Errorf("a buffer of %d bytes, %d received", cap(r.buffer.B), received)
			}
			need = r.Need()
			if n == 0 {
				if msg.Kind != None || msg.Data != nil {
					return o, fmt.Errorf("nothing taken but %v delivered", msg.Kind)
				}
				if need != 0 && need <= len(buf) {
					return o, fmt.Errorf("need %d, has %d", need, len(buf))
				}
				break
			}
			if need != 0 {
				return o, fmt.Errorf("need %d after a whole frame", need)
			}
			if msg.Kind != None {
				if msg.Data == nil || cap(msg.Data) != len(msg.Data) {
					return o, fmt.Errorf("data can be appended to, or is nil: %d of %d", len(msg.Data), cap(msg.Data))
				}
				o.events = append(o.events, event{msg.Kind, string(msg.Data), msg.Code, msg.Compressed})
			}
		}
		if received == 0 {
			break
		}
	}
	return o, nil
}

// checkFinal checks that the reader stays failed and holds no memory.
func checkFinal(r *Reader, rest []byte, lim *Limits, first error) error {
	var msg Message
	if n, err := r.Next(rest, lim, &msg); n != 0 || err != first || msg.Kind != None {
		return fmt.Errorf("after %v: n %d, err %v, kind %v", first, n, err, msg.Kind)
	}
	if r.Buffered() != 0 || r.Need() != 0 {
		return fmt.Errorf("failed reader holds %d bytes, needs %d", r.Buffered(), r.Need())
	}
	return nil
}

func atOnce() int { return 0 }

// chopped splits a stream into single bytes, or a long one into about a thousand pieces.
func chopped(stream []byte) func() int {
	const pieces = 1024
	return func() int { return 1 + len(stream)/pieces }
}

// expect reads the stream in one piece and chopped. A negative want.taken is not
// compared.
func expect(t *testing.T, stream []byte, lim *Limits, want outcome) {
	t.Helper()
	for _, mode := range []struct {
		name string
		next func() int
	}{{"at once", atOnce}, {"chopped", chopped(stream)}} {
		got, err := readAll(stream, lim, mode.next)
		if err != nil {
			t.Errorf("%s: %v", mode.name, err)
			continue
		}
		if want.taken < 0 {
			got.taken = want.taken
		}
		if err := got.equal(want); err != nil {
			t.Errorf("%s: %v", mode.name, err)
		}
	}
}

// testMask is the mask in the examples of RFC 6455 section 5.7.
var testMask = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// frame returns a frame of a client.
func frame(op ws.OpCode, fin bool, payload string) []byte {
	return AppendMaskedFrame(nil, op, fin, testMask, []byte(payload))
}

// raw returns a frame of a client with reserved bits.
func raw(op ws.OpCode, fin bool, rsv byte, payload string) []byte {
	out := AppendRawHeader(nil, ws.Header{
		Fin: fin, Rsv: rsv, OpCode: op, Masked: true, Length: int64(len(payload)),
	})
	return append(out, payload...)
}

func closeFrame(code ws.StatusCode, reason string) []byte {
	return frame(ws.OpClose, true, string([]byte{byte(code >> 8), byte(code)})+reason)
}

func join(frames ...[]byte) []byte { return bytes.Join(frames, nil) }
