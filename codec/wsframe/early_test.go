package wsframe

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// failsAt feeds stream to a reader byte by byte. It returns the reader's error and
// the number of bytes that had arrived by then.
func failsAt(stream []byte, lim *Limits) (at int, err error) {
	var r Reader
	defer r.Reset()
	var msg Message
	taken := 0
	for at = 1; at <= len(stream); at++ {
		for {
			n, err := r.Next(bytes.Clone(stream[taken:at]), lim, &msg)
			if err != nil {
				return at, err
			}
			if taken += n; n == 0 {
				break
			}
		}
	}
	return at - 1, nil
}

// A header that breaks a rule is refused at the byte that breaks it, before the
// header or the frame is complete.
func TestHeaderIsJudgedAtOnce(t *testing.T) {
	const mask = 0x80
	hello := string(frame(ws.OpText, true, "Hello"))
	open := string(frame(ws.OpText, false, "Hello"))
	for _, c := range []struct {
		name, before string
		stream       []byte
		lim          Limits
		at           int // of stream
		want         error
	}{
		{"reserved bits and opcode", "", []byte{0xff, 0xff}, Limits{}, 1, ErrReservedOpCode},
		{"reserved opcode", hello, []byte{0x83, mask}, Limits{}, 1, ErrReservedOpCode},
		{"reserved control opcode", hello, []byte{0x8b, mask}, Limits{}, 1, ErrReservedOpCode},
		{"first reserved bit", "", []byte{0xc1, mask}, Limits{}, 1, ErrReservedBits},
		{"second reserved bit", "", []byte{0xa1, mask}, Limits{AllowRSV1: true}, 1, ErrReservedBits},
		{"third reserved bit", "", []byte{0x92, mask}, Limits{AllowRSV1: true}, 1, ErrReservedBits},
		{"compressed control frame", "", []byte{0xc9, mask}, Limits{AllowRSV1: true}, 1, ErrReservedBits},
		{"compressed continuation", open, []byte{0xc0, mask}, Limits{AllowRSV1: true}, 1, ErrReservedBits},
		{"fragmented ping", "", []byte{0x09, mask}, Limits{}, 1, ErrControlFragmented},
		{"fragmented close in a message", open, []byte{0x08, mask}, Limits{}, 1, ErrControlFragmented},
		{"continuation of nothing", hello, []byte{0x80, mask}, Limits{}, 1, ErrContinuationUnexpected},
		{"text in a message", open, []byte{0x81, mask}, Limits{}, 1, ErrContinuationExpected},
		{"binary in a message", open, []byte{0x02, mask}, Limits{}, 1, ErrContinuationExpected},
		{"unmasked", "", []byte{0x81, 126, 1, 0}, Limits{}, 2, ErrMaskRequired},
		{"unmasked close", "", []byte{0x88, 2, 3, 0xe8}, Limits{}, 2, ErrMaskRequired},
		{"masked for a client", "", []byte{0x81, mask | 5, 1, 2, 3, 4}, Limits{Client: true}, 2, ErrMaskUnexpected},
		{"control frame of 16 bits", "", []byte{0x89, mask | 126, 0, 126, 0, 0, 0, 0}, Limits{}, 2, ErrControlTooLong},
		{"control frame of 64 bits", open, []byte{0x88, mask | 127, 0, 0}, Limits{}, 2, ErrControlTooLong},
		{"16 bits for 5", "", []byte{0x81, mask | 126, 0, 5, 1, 2, 3, 4}, Limits{}, 4, ErrLengthEncoding},
		{"64 bits for 5", "", []byte{0x81, mask | 127, 0, 0, 0, 0, 0, 0, 0, 5, 1, 2, 3, 4}, Limits{}, 10, ErrLengthEncoding},
		{"64 bits overflow", "", []byte{0x81, mask | 127, 0x80, 0, 0, 0, 0, 0, 0, 5, 1, 2, 3, 4}, Limits{}, 10, ErrLengthOverflow},
		{"too long", "", []byte{0x82, mask | 126, 0x03, 0xe9, 1, 2, 3, 4}, Limits{MessageBytes: 1000}, 4, ErrMessageTooBig},
		{"too long, short form", "", []byte{0x82, mask | 11, 1, 2, 3, 4}, Limits{MessageBytes: 10}, 2, ErrMessageTooBig},
		{"too long together", open, []byte{0x80, mask | 6, 1, 2, 3, 4}, Limits{MessageBytes: 10}, 2, ErrMessageTooBig},
	} {
		t.Run(c.name, func(t *testing.T) {
			at, err := failsAt(append([]byte(c.before), c.stream...), &c.lim)
			if err != c.want || at-len(c.before) != c.at {
				t.Errorf("%v at byte %d, want %v at %d", err, at-len(c.before), c.want, c.at)
			}
		})
	}
}

// Text is validated as it arrives (Autobahn 6.4.3 and 6.4.4, with all bytes but
// the last): in a single frame, and in the first and later frames of a message.
// The reader fails at the first byte that valid text cannot have there.
func TestTextIsJudgedAtOnce(t *testing.T) {
	const greek = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"
	pad := strings.Repeat("é", previewBytes) // several pieces
	for _, c := range []struct {
		name, text string
		at         int // bytes of text that have arrived
	}{
		{"6.4.3", greek + "\xf4\x90\x80\x80edited", len(greek) + 2},
		{"6.4.4", greek + "\xf4\x90\x80\x80", len(greek) + 2},
		{"first byte", "\xff....", 1},
		{"surrogate", "a\xed\xa0\x80....", 3},
		{"overlong", "\xc0\xaf....", 1},
		{"behind several pieces", pad + "\xce\xce....", len(pad) + 2},
		{"behind runes across pieces", "a" + pad + "\xff....", len("a"+pad) + 1},
		{"a rune cut by its end", "ab\xce", -1},
		{"valid", greek, 0},
	} {
		first := frame(ws.OpText, false, "before "+greek[:1])
		second := AppendMaskedFrame(nil, ws.OpContinuation, false, testMask, []byte(greek[1:2]))
		for how, before := range map[string][]byte{
			"one frame":       nil,
			"first fragment":  nil,
			"third fragment":  join(first, second),
			"behind a ping":   join(first, second, frame(ws.OpPing, true, "\xff")),
			"another message": frame(ws.OpText, true, greek),
		} {
			op, fin := ws.OpContinuation, how != "first fragment"
			if before == nil || how == "another message" {
				op = ws.OpText
			}
			encoded := frame(op, fin, c.text)
			at, err := failsAt(append(bytes.Clone(before), encoded...), nil)
			want, wantAt := error(ErrInvalidUTF8), len(before)+len(encoded)-len(c.text)+c.at
			switch {
			case c.at == 0 || c.at < 0 && !fin:
				want, wantAt = nil, len(before)+len(encoded)
			case c.at < 0:
				wantAt = len(before) + len(encoded)
			}
			if err != want || at != wantAt {
				t.Errorf("%s, %s: %v at byte %d, want %v at %d", c.name, how, err, at, want, wantAt)
			}
		}
	}
}

// Payloads that need not be text are not validated early. A server's unmasked
// frames are validated as they arrive, too.
func TestOnlyTextIsJudgedEarly(t *testing.T) {
	packed := &Limits{AllowRSV1: true}
	for name, stream := range map[string][]byte{
		"binary":              frame(ws.OpBinary, true, "\xff\xff"),
		"compressed":          raw(ws.OpText, true, rsv1, "\xff\xff"),
		"compressed fragment": join(raw(ws.OpText, false, rsv1, "\xff"), frame(ws.OpContinuation, true, "\xff\xff")),
		"binary fragment":     join(frame(ws.OpBinary, false, "\xff"), frame(ws.OpContinuation, true, "\xff\xff")),
		"ping in text":        join(frame(ws.OpText, false, "a"), frame(ws.OpPing, true, "\xff\xff"), frame(ws.OpContinuation, true, "b")),
	} {
		if at, err := failsAt(stream, packed); err != nil {
			t.Errorf("%s: %v at %d", name, err, at)
		}
	}
	if at, err := failsAt(AppendFrame(nil, ws.OpText, []byte("ab\xffcd")), &Limits{Client: true}); err != ErrInvalidUTF8 || at != 5 {
		t.Errorf("%v at %d", err, at)
	}
}

// Validation processes each byte once, however the frame is split: a reader called
// for every byte of a long frame validates its text exactly once.
func TestPreviewIsLinear(t *testing.T) {
	encoded := frame(ws.OpText, true, strings.Repeat("κ", 2000))
	var r Reader
	var msg Message
	for cut := range encoded {
		before := r.seen
		if n, err := r.Next(bytes.Clone(encoded[:cut]), nil, &msg); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		if cut > 8 && r.seen != before+1 {
			t.Fatalf("at %d: from %d to %d", cut, before, r.seen)
		}
	}
	if n, err := r.Next(encoded, nil, &msg); n != len(encoded) || err != nil || msg.Kind != Text || r != (Reader{}) {
		t.Fatal(n, err, msg.Kind, r)
	}
	// A frame too long for r.seen is validated when it is complete.
	if math.MaxInt > math.MaxUint32 {
		huge := AppendRawHeader(nil, ws.Header{Fin: true, OpCode: ws.OpText, Masked: true, Length: math.MaxUint32 + 1})
		if n, err := r.Next(append(huge, 0xff), &Limits{MessageBytes: math.MaxInt}, &msg); n != 0 || err != nil || r.seen != 0 {
			t.Fatal(n, err, fmt.Sprint(r.seen))
		}
	}
}
