package wsframe

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// reference reads a stream in a simple way, with the header reader and the checks of
// gobwas/ws.
func reference(stream []byte, lim *Limits) (o outcome) {
	var message []byte
	var open ws.Header // the first header of the open message
	frames := 0        // frames of the open message
	for {
		rest := bytes.NewReader(stream[o.taken:])
		h, err := ws.ReadHeader(rest)
		if errors.Is(err, ws.ErrHeaderLengthMSB) {
			o.failure = ws.StatusProtocolError
			return o
		}
		if err != nil {
			o.failure = referenceStart(stream[o.taken:], lim, len(message), frames > 0)
			return o
		}
		size := len(stream) - o.taken - rest.Len()
		if ws.HeaderSize(h) != size || !referenceHeader(h, lim, frames > 0) {
			o.failure = ws.StatusProtocolError
			return o
		}
		if !h.OpCode.IsControl() && (h.Length > int64(lim.MessageBytes-len(message)) || frames > 0 && frames >= lim.Fragments) {
			o.failure = ws.StatusMessageTooBig
			return o
		}
		whole := int64(rest.Len()) >= h.Length
		payload := bytes.Clone(stream[o.taken+size:][:min(int64(rest.Len()), h.Length)])
		for i := range payload {
			payload[i] ^= h.Mask[i%4]
		}
		if h.OpCode.IsControl() {
			if !whole {
				return o
			}
			e, failure := referenceControl(h, payload)
			if o.failure = failure; failure != 0 {
				return o
			}
			o.events = append(o.events, e)
			o.taken += size + len(payload)
			continue
		}
		if frames == 0 {
			open = h
		}
		frames++
		message = append(message, payload...)
		if open.OpCode == ws.OpText && !open.Rsv1() && !referenceText(message, h.Fin && whole) {
			o.failure = ws.StatusInvalidFramePayloadData
			return o
		}
		if !whole {
			return o
		}
		o.taken += size + len(payload)
		if h.Fin {
			o.events = append(o.events, event{kindOf(open.OpCode), string(message), 0, open.Rsv1()})
			message, frames = nil, 0
		}
	}
}

// referenceStart checks an incomplete header: it completes the header with harmless
// bytes.
func referenceStart(b []byte, lim *Limits, held int, fragmented bool) ws.StatusCode {
	if len(b) == 0 {
		return 0
	}
	if len(b) == 1 {
		b = []byte{b[0], 0x80}
		if lim.Client {
			b[1] = 0
		}
	}
	lengthEnd, harmless := 2, []byte(nil)
	switch b[1] & 0x7f {
	case 126:
		lengthEnd, harmless = 4, []byte{0, 126}
	case 127:
		lengthEnd, harmless = 10, []byte{0, 0, 0, 0, 0, 1, 0, 0}
	}
	known := len(b) >= lengthEnd
	if known {
		harmless = b[2:lengthEnd]
	}
	complete := append(append([]byte{b[0], b[1]}, harmless...), 0, 0, 0, 0)
	rest := bytes.NewReader(complete)
	h, err := ws.ReadHeader(rest)
	switch {
	case err != nil, !referenceHeader(h, lim, fragmented), known && ws.HeaderSize(h) != len(complete)-rest.Len():
		return ws.StatusProtocolError
	case known && !h.OpCode.IsControl() && h.Length > int64(lim.MessageBytes-held):
		return ws.StatusMessageTooBig
	}
	return 0
}

func referenceHeader(h ws.Header, lim *Limits, fragmented bool) bool {
	state := ws.StateServerSide
	if lim.Client {
		state = ws.StateClientSide
	}
	if lim.AllowRSV1 {
		state = state.Set(ws.StateExtended)
	}
	if fragmented {
		state = state.Set(ws.StateFragmented)
	}
	if ws.CheckHeader(h, state) != nil || h.Rsv2() || h.Rsv3() {
		return false
	}
	return !h.Rsv1() || h.OpCode == ws.OpText || h.OpCode == ws.OpBinary
}

func referenceControl(h ws.Header, payload []byte) (e event, failure ws.StatusCode) {
	switch {
	case h.OpCode != ws.OpClose:
		return event{kind: kindOf(h.OpCode), data: string(payload)}, 0
	case len(payload) == 0:
		return closing(ws.StatusNoStatusRcvd, ""), 0
	case len(payload) == 1:
		return event{}, ws.StatusProtocolError
	}
	code, reason := ws.ParseCloseFrameData(payload)
	checked := code
	if code >= 1012 && code <= 1014 { // registered later, unknown to gobwas/ws
		checked = ws.StatusNormalClosure
	}
	err := ws.CheckCloseFrameData(checked, reason)
	switch {
	case err == ws.ErrProtocolInvalidUTF8 && code < 5000:
		return event{}, ws.StatusInvalidFramePayloadData
	case err != nil || code >= 5000:
		return event{}, ws.StatusProtocolError
	}
	return closing(code, reason), 0
}

// referenceText reports whether a message is UTF-8, or may still become UTF-8.
func referenceText(message []byte, whole bool) bool {
	for len(message) > 0 {
		r, size := utf8.DecodeRune(message)
		if r == utf8.RuneError && size == 1 {
			return !whole && !utf8.FullRune(message)
		}
		message = message[size:]
	}
	return true
}

// compareReads reads the stream in one piece and in random pieces, and compares with reference.
func compareReads(t *testing.T, stream []byte, lim *Limits, seed uint64) {
	t.Helper()
	want := reference(stream, lim)
	random := rand.New(rand.NewPCG(seed, 1))
	most := 1 + random.IntN(64)
	for name, next := range map[string]func() int{
		"whole":  atOnce,
		"pieces": func() int { return 1 + random.IntN(most) },
	} {
		got, err := readAll(stream, lim, next)
		if err == nil {
			err = got.equal(want)
		}
		if err != nil {
			t.Fatalf("%s: %v\nlimits %+v\nstream % x", name, err, *lim, stream)
		}
	}
}

func fuzzLimits(flags byte) *Limits {
	lim := &Limits{MessageBytes: 300, Fragments: 5, AllowRSV1: flags&1 != 0, Client: flags&2 != 0}
	if flags&4 != 0 {
		lim.MessageBytes, lim.Fragments = 100_000, 100
	}
	return lim
}

// FuzzReader passes arbitrary bytes to the reader.
func FuzzReader(f *testing.F) {
	stream, _ := sampleStream()
	f.Add(stream, byte(0), uint64(1))
	f.Add(stream, byte(5), uint64(2))
	f.Add(AppendClose(AppendFrame(nil, ws.OpText, []byte("Hello")), 1000, "x"), byte(2), uint64(3))
	f.Add(join(frame(ws.OpText, false, "\xf4\x8f"), frame(ws.OpContinuation, true, "\xbf\xbf")), byte(0), uint64(4))
	f.Add([]byte{0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, byte(0), uint64(5))
	f.Add([]byte{0x82, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, byte(0), uint64(6))
	f.Fuzz(func(t *testing.T, stream []byte, flags byte, seed uint64) {
		if len(stream) > 1<<14 {
			t.Skip("pieces are copied, this would be quadratic")
		}
		compareReads(t, stream, fuzzLimits(flags), seed)
	})
}

// FuzzReaderFrames makes frames from the input. Most of them are valid, so that the
// fuzzer reaches long runs of frames.
func FuzzReaderFrames(f *testing.F) {
	f.Add([]byte("\x01\x05Hello\x41\x02ab\x42\x01c\x04\x00\x02\x01d"), byte(0), uint64(1))
	f.Add([]byte("\x81\x01\xce\x04\x00\x02\x01\xba\x06\x00"), byte(7), uint64(2))
	f.Fuzz(func(t *testing.T, script []byte, flags byte, seed uint64) {
		if len(script) > 1<<12 {
			t.Skip("long scripts find nothing new")
		}
		lim := fuzzLimits(flags)
		stream := compose(script, lim, rand.New(rand.NewPCG(seed, 2)))
		if len(stream) <= 1<<14 {
			compareReads(t, stream, lim, seed)
		}
	})
}

// compose interprets script as commands of two bytes, opcode and length, with payloads.
func compose(script []byte, lim *Limits, random *rand.Rand) (stream []byte) {
	inside := false // inside a message, where the next data frame is a continuation
	for len(script) >= 2 && len(stream) < 1<<14 {
		command, size := script[0], int(script[1])
		script = script[2:]
		payload := script[:min(size, len(script))]
		script = script[len(payload):]
		h := ws.Header{Fin: command&0x40 == 0, Masked: !lim.Client}
		switch command & 7 {
		case 4:
			h.OpCode, h.Fin = ws.OpPing, true
		case 5:
			h.OpCode, h.Fin = ws.OpPong, true
		case 6:
			h.OpCode, h.Fin = ws.OpClose, true
			payload = append([]byte{0x03, 0xe8 + command>>3&15}, payload...)
		case 7: // anything
			h.OpCode, h.Rsv, h.Masked = ws.OpCode(size&15), command>>3&7, size&16 == 0
		default:
			h.OpCode = ws.OpText + ws.OpCode(command&1)
			if inside {
				h.OpCode = ws.OpContinuation
			} else if command&0x30 == 0x30 {
				h.Rsv = rsv1
			}
			inside = !h.Fin
		}
		if h.OpCode.IsControl() && len(payload) > 125 && command&0x80 == 0 {
			payload = payload[:125]
		}
		if h.Masked {
			h.Mask = [4]byte{byte(random.Uint32()), byte(random.Uint32()), byte(random.Uint32()), byte(random.Uint32())}
		}
		h.Length = int64(len(payload))
		stream = AppendRawHeader(stream, h)
		start := len(stream)
		stream = append(stream, payload...)
		ws.Cipher(stream[start:], h.Mask, 0)
	}
	return stream
}
