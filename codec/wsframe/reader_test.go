package wsframe

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"unsafe"

	"github.com/gobwas/ws"
)

func TestReaderSize(t *testing.T) {
	// Every connection has a Reader: a million of them take 40 MB.
	if size := unsafe.Sizeof(Reader{}); unsafe.Sizeof(uintptr(0)) == 8 && size != 40 {
		t.Errorf("a Reader is %d bytes, the documentation says 40", size)
	}
}

// sampleStream returns a stream with a message of every kind, whole and fragmented.
func sampleStream() ([]byte, []event) {
	long := strings.Repeat("µ", 70) // 140 bytes, a 16-bit length
	return join(
			frame(ws.OpText, true, "Hello"),
			frame(ws.OpBinary, true, ""),
			frame(ws.OpText, false, "κό\xcf"),
			frame(ws.OpPing, true, "p1"),
			frame(ws.OpContinuation, false, ""),
			frame(ws.OpContinuation, false, "\x83"),
			frame(ws.OpPong, true, ""),
			frame(ws.OpContinuation, true, "με"),
			raw(ws.OpText, false, rsv1, "\xff\xfe"),
			frame(ws.OpContinuation, true, "\xfd"),
			raw(ws.OpBinary, true, rsv1, "deflated"),
			frame(ws.OpText, false, ""),
			frame(ws.OpContinuation, true, "view"),
			frame(ws.OpText, true, long),
			frame(ws.OpBinary, false, "1"),
			frame(ws.OpContinuation, true, ""),
			closeFrame(ws.StatusGoingAway, "bye"),
		), []event{
			text("Hello"), bin(""), ping("p1"), pong(""), text("κόσμε"),
			{kind: Text, data: "\xff\xfe\xfd", compressed: true},
			{kind: Binary, data: "deflated", compressed: true},
			text("view"), text(long), bin("1"), closing(ws.StatusGoingAway, "bye"),
		}
}

func TestReaderEverySplit(t *testing.T) {
	stream, events := sampleStream()
	lim := &Limits{AllowRSV1: true}
	want := outcome{events: events, taken: len(stream)}
	expect(t, stream, lim, want)
	for cut := 1; cut < len(stream); cut++ {
		step := cut
		got, err := readAll(stream, lim, func() int { n := step; step = 0; return n })
		if err == nil {
			err = got.equal(want)
		}
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		got, err = readAll(stream, lim, func() int { return cut })
		if err == nil {
			err = got.equal(want)
		}
		if err != nil {
			t.Fatalf("pieces of %d: %v", cut, err)
		}
	}
}

func TestReaderEveryPrefix(t *testing.T) {
	stream, _ := sampleStream()
	for cut := range stream {
		prefix := stream[:cut]
		got, err := readAll(prefix, &Limits{AllowRSV1: true}, atOnce)
		if err != nil || got.failure != 0 || got.taken > cut {
			t.Fatalf("cut at %d: %+v, %v", cut, got, err)
		}
	}
}

func TestReaderEveryByteBroken(t *testing.T) {
	stream, _ := sampleStream()
	for i := range stream {
		for bit := range 8 {
			broken := bytes.Clone(stream)
			broken[i] ^= 1 << bit
			want, err := readAll(broken, &Limits{}, atOnce)
			if err != nil {
				t.Fatalf("byte %d, bit %d: %v", i, bit, err)
			}
			expect(t, broken, &Limits{}, want)
		}
	}
}

func TestReaderNeed(t *testing.T) {
	for _, size := range []int{0, 5, 125, 126, 65535, 65536} {
		encoded := frame(ws.OpBinary, true, strings.Repeat("x", size))
		header := len(encoded) - size
		var r Reader
		var msg Message
		for _, cut := range []int{0, 1, header - 1, header, len(encoded) - 1} {
			if cut == len(encoded) {
				continue
			}
			want := 0
			if cut >= header {
				want = len(encoded)
			}
			if n, err := r.Next(encoded[:cut], nil, &msg); n != 0 || err != nil || r.Need() != want {
				t.Errorf("%d bytes, %d there: n %d, err %v, need %d, want %d", size, cut, n, err, r.Need(), want)
			}
		}
		if n, err := r.Next(encoded, nil, &msg); n != len(encoded) || err != nil || r.Need() != 0 {
			t.Errorf("%d bytes: n %d, err %v, need %d", size, n, err, r.Need())
		}
	}
}

func TestReaderSingleFrameIsAView(t *testing.T) {
	buf := join(frame(ws.OpText, true, "Hello"), frame(ws.OpText, true, "next"))
	rest := bytes.Clone(buf[11:])
	var r Reader
	var msg Message
	n, err := r.Next(buf, nil, &msg)
	if n != 11 || err != nil || string(msg.Data) != "Hello" {
		t.Fatalf("n %d, err %v, data %q", n, err, msg.Data)
	}
	if &msg.Data[0] != &buf[6] {
		t.Error("the payload was copied")
	}
	_ = append(msg.Data, "overwrite"...)
	if !bytes.Equal(buf[n:], rest) {
		t.Error("the next frame was changed")
	}
	if r.buffer != nil {
		t.Error("the reader holds a buffer")
	}
}

func TestReaderMemoryOfFragments(t *testing.T) {
	var r Reader
	var msg Message
	const pieces, size = 700, 1000
	declared := AppendRawHeader(nil, ws.Header{OpCode: ws.OpBinary, Masked: true, Length: 900_000})
	if n, err := r.Next(append(declared, make([]byte, 100)...), nil, &msg); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	if r.buffer != nil {
		t.Fatal("a declared length took memory")
	}
	op := ws.OpBinary
	for i := range pieces {
		buf := frame(op, i == pieces-1, strings.Repeat("x", size))
		if n, err := r.Next(buf, nil, &msg); n != len(buf) || err != nil {
			t.Fatal(n, err)
		}
		received := (i + 1) * size
		if r.Buffered() != received {
			t.Fatalf("%d bytes held, %d received", r.Buffered(), received)
		}
		if have := cap(r.buffer.B); have > max(2*received, pooledBytesMax) {
			t.Fatalf("a buffer of %d bytes for %d", have, received)
		}
		op = ws.OpContinuation
	}
	if msg.Kind != Binary || len(msg.Data) != pieces*size {
		t.Fatalf("%v of %d bytes", msg.Kind, len(msg.Data))
	}
	if n, err := r.Next(nil, nil, &msg); n != 0 || err != nil || r.buffer != nil || r.Buffered() != 0 {
		t.Errorf("the call after delivery: n %d, err %v, %d bytes held", n, err, r.Buffered())
	}
	if r != (Reader{}) {
		t.Errorf("an idle reader is not a new one: %+v", r)
	}
	// The large buffer must not be reused for a message of one byte.
	b := assembly.Get()
	if cap(b.B) > pooledBytesMax {
		t.Errorf("a buffer of %d bytes from the pool", cap(b.B))
	}
	assembly.Put(b)
}

func TestReaderIsNewAfterText(t *testing.T) {
	var r Reader
	var msg Message
	for _, buf := range [][]byte{frame(ws.OpText, false, "\xce"), frame(ws.OpContinuation, true, "\xba")} {
		if n, err := r.Next(buf, nil, &msg); n != len(buf) || err != nil {
			t.Fatal(n, err)
		}
	}
	if r.Release(); r != (Reader{}) {
		t.Errorf("%+v", r)
	}
}

func TestReadersDoNotShareBuffers(t *testing.T) {
	const pieces = 50
	readers := make([]Reader, 8)
	messages := make([]Message, len(readers))
	for round := range 3 {
		for i := range pieces {
			for k := range readers {
				op := ws.OpContinuation
				if i == 0 {
					op = ws.OpBinary
				}
				buf := frame(op, i == pieces-1, strings.Repeat(string(rune('a'+k)), 10+round))
				if n, err := readers[k].Next(buf, nil, &messages[k]); n != len(buf) || err != nil {
					t.Fatal(n, err)
				}
			}
		}
		for k := range readers { // all messages are delivered, none is released
			if want := strings.Repeat(string(rune('a'+k)), pieces*(10+round)); string(messages[k].Data) != want {
				t.Fatalf("reader %d: %.40q", k, messages[k].Data)
			}
		}
	}
}

func TestReaderEmptyFragmentsHoldNothing(t *testing.T) {
	var r Reader
	var msg Message
	op := ws.OpText
	for range 100 {
		buf := frame(op, false, "")
		if n, err := r.Next(buf, nil, &msg); n != len(buf) || err != nil || msg.Kind != None {
			t.Fatal(n, err, msg.Kind)
		}
		op = ws.OpContinuation
	}
	if r.buffer != nil {
		t.Error("empty fragments took a buffer")
	}
	buf := frame(ws.OpContinuation, true, "end")
	if n, err := r.Next(buf, nil, &msg); n != len(buf) || err != nil || string(msg.Data) != "end" {
		t.Fatal(n, err, msg)
	}
	if r.buffer != nil {
		t.Error("the only fragment with bytes was copied")
	}
}

func TestReaderReleaseAndReset(t *testing.T) {
	first, last := frame(ws.OpBinary, false, "abc"), frame(ws.OpContinuation, true, "def")
	var r Reader
	var msg Message
	next := func(b []byte) {
		t.Helper()
		if n, err := r.Next(bytes.Clone(b), nil, &msg); n != len(b) || err != nil {
			t.Fatal(n, err)
		}
	}
	next(first)
	r.Release() // an open message is kept
	if r.Buffered() != 3 {
		t.Fatalf("%d bytes of the open message", r.Buffered())
	}
	next(last)
	if string(msg.Data) != "abcdef" || r.Buffered() != 6 {
		t.Fatalf("%q, %d bytes held", msg.Data, r.Buffered())
	}
	r.Release()
	r.Release()
	if r.Buffered() != 0 || r != (Reader{}) {
		t.Fatalf("after Release: %+v", r)
	}
	next(first)
	r.Reset()
	r.Reset()
	if r != (Reader{}) {
		t.Fatalf("after Reset: %+v", r)
	}
	if _, err := r.Next(last, nil, &msg); err != ErrContinuationUnexpected {
		t.Fatalf("the message outlived Reset: %v", err)
	}
	r.Reset() // clears the failure, too
	next(first)
	next(frame(ws.OpPing, true, "p"))
	if msg.Kind != Ping || r.Buffered() != 3 {
		t.Fatalf("%v, %d bytes held", msg.Kind, r.Buffered())
	}
	r.Reset()
}

// The limits of inbound messages.
func TestReaderLimits(t *testing.T) {
	const limit = 1000
	lim := &Limits{MessageBytes: limit, Fragments: 3}
	fits, over := strings.Repeat("x", limit), strings.Repeat("x", limit+1)
	empty := frame(ws.OpContinuation, false, "")
	for _, c := range []struct {
		name   string
		lim    *Limits
		stream []byte
		want   outcome
	}{
		{"at the limit", lim, frame(ws.OpText, true, fits), outcome{events: []event{text(fits)}, taken: -1}},
		{"one over", lim, frame(ws.OpText, true, over), outcome{failure: 1009}},
		{"one over, header only", lim, frame(ws.OpText, true, over)[:8], outcome{failure: 1009}},
		{"63 bits of length", lim, AppendRawHeader(nil, ws.Header{Fin: true, OpCode: ws.OpBinary, Masked: true, Length: math.MaxInt64}), outcome{failure: 1009}},
		{"63 bits of length, limit of as many", &Limits{MessageBytes: math.MaxInt}, AppendRawHeader(nil, ws.Header{Fin: true, OpCode: ws.OpBinary, Masked: true, Length: math.MaxInt64}), outcome{failure: 1009}},
		{"fragments at the limit", lim, join(frame(ws.OpText, false, fits[:600]), frame(ws.OpContinuation, true, fits[600:])), outcome{events: []event{text(fits)}, taken: -1}},
		{"fragments one over, header only", lim, join(frame(ws.OpText, false, fits[:600]), frame(ws.OpContinuation, true, over[600:])[:8]), outcome{failure: 1009, taken: 608}},
		{"control frames do not count", lim, join(frame(ws.OpText, false, fits), frame(ws.OpPing, true, "ping"), frame(ws.OpContinuation, true, "")), outcome{events: []event{ping("ping"), text(fits)}, taken: -1}},
		{"each message anew", lim, join(frame(ws.OpText, false, fits), frame(ws.OpContinuation, true, ""), frame(ws.OpText, true, fits)), outcome{events: []event{text(fits), text(fits)}, taken: -1}},
		{"as many fragments as allowed", lim, join(frame(ws.OpText, false, ""), empty, frame(ws.OpContinuation, true, "a")), outcome{events: []event{text("a")}, taken: -1}},
		{"one fragment too many", lim, join(frame(ws.OpText, false, ""), empty, empty, frame(ws.OpContinuation, true, "a")), outcome{failure: 1009, taken: 18}},
		{"one frame only", &Limits{Fragments: 1}, join(frame(ws.OpText, true, "a"), frame(ws.OpText, false, "b"), empty), outcome{events: []event{text("a")}, failure: 1009, taken: 14}},
		{"protocol before size", lim, raw(ws.OpText, true, 1, over), outcome{failure: 1002}},
		{"default size", nil, frame(ws.OpBinary, true, strings.Repeat("y", DefaultMessageBytes)), outcome{events: []event{bin(strings.Repeat("y", DefaultMessageBytes))}, taken: -1}},
		{"default size, one over", &Limits{MessageBytes: -1}, frame(ws.OpBinary, true, strings.Repeat("y", DefaultMessageBytes+1))[:14], outcome{failure: 1009}},
		{"default fragments", nil, join(frame(ws.OpBinary, false, "z"), bytes.Repeat(empty, DefaultFragments-2), frame(ws.OpContinuation, true, "")), outcome{events: []event{bin("z")}, taken: -1}},
		{"default fragments, one over", &Limits{Fragments: -1}, join(frame(ws.OpBinary, false, ""), bytes.Repeat(empty, DefaultFragments)), outcome{failure: 1009, taken: DefaultFragments * 6}},
	} {
		t.Run(c.name, func(t *testing.T) { expect(t, c.stream, c.lim, c.want) })
	}
}

func TestReaderAsClient(t *testing.T) {
	lim := &Limits{Client: true}
	stream := AppendFrame(nil, ws.OpText, []byte("one"))
	stream = append(AppendHeader(stream, ws.OpText, false, 1), 'a')
	stream = AppendFrame(stream, ws.OpPing, nil)
	stream = append(AppendHeader(stream, ws.OpContinuation, true, 1), 'b')
	stream = AppendClose(stream, ws.StatusNormalClosure, "done")
	given := bytes.Clone(stream)
	expect(t, stream, lim, outcome{
		events: []event{text("one"), ping(""), text("ab"), closing(1000, "done")},
		taken:  len(stream),
	})
	var r Reader
	var msg Message
	if _, err := r.Next(stream, lim, &msg); err != nil || !bytes.Equal(stream, given) {
		t.Errorf("err %v, or an unmasked frame was changed", err)
	}
	expect(t, frame(ws.OpText, true, "masked"), lim, outcome{failure: 1002})
	expect(t, AppendFrame(nil, ws.OpText, []byte("unmasked")), nil, outcome{failure: 1002})
}

func TestErrorTypes(t *testing.T) {
	var r Reader
	var msg Message
	_, err := r.Next(frame(ws.OpText, true, "\xff"), nil, &msg)
	var failure *Error
	if !errors.Is(err, ErrInvalidUTF8) || !errors.As(err, &failure) || failure.Code != 1007 {
		t.Fatalf("%v", err)
	}
	if got := failure.Error(); got != "wsframe: invalid UTF-8 in text message (1007)" {
		t.Errorf("%q", got)
	}
	for _, e := range []*Error{
		ErrLengthOverflow, ErrLengthEncoding, ErrReservedBits, ErrReservedOpCode, ErrMaskRequired,
		ErrMaskUnexpected, ErrControlFragmented, ErrControlTooLong, ErrContinuationUnexpected,
		ErrContinuationExpected, ErrClosePayload, ErrCloseCode, ErrInvalidUTF8, ErrCloseReason,
		ErrMessageTooBig, ErrTooManyFragments,
	} {
		// The reason fits into a Close frame unchanged.
		if got := AppendClose(nil, e.Code, e.Reason); len(got) != 4+len(e.Reason) || e.Reason == "" {
			t.Errorf("%v became %q", e, got)
		}
	}
}

func TestKindString(t *testing.T) {
	for kind, want := range map[Kind]string{
		None: "none", Text: "text", Binary: "binary", Ping: "ping", Pong: "pong", Close: "close", 9: "Kind(9)",
	} {
		if got := kind.String(); got != want {
			t.Errorf("%d: %q", kind, got)
		}
	}
}

func TestNextAllocations(t *testing.T) {
	for _, payload := range []string{"", "Hello", strings.Repeat("é", 2000)} {
		for _, op := range []ws.OpCode{ws.OpText, ws.OpBinary, ws.OpClose, ws.OpPing} {
			body := payload
			if op.IsControl() {
				body = "\x03\xe8bye"
			}
			encoded := frame(op, true, body)
			buf := make([]byte, len(encoded))
			var r Reader
			var msg Message
			if n := testing.AllocsPerRun(100, func() {
				copy(buf, encoded)
				if n, err := r.Next(buf[:len(buf)-1], nil, &msg); n != 0 || err != nil {
					t.Fatal(n, err)
				}
				if n, err := r.Next(buf, nil, &msg); n != len(buf) || err != nil {
					t.Fatal(n, err)
				}
			}); n != 0 {
				t.Errorf("opcode %d, %d bytes: %v allocations", op, len(body), n)
			}
		}
	}
	unmasked := AppendFrame(nil, ws.OpText, []byte("x"))
	var msg Message
	if n := testing.AllocsPerRun(100, func() {
		var r Reader
		if _, err := r.Next(unmasked, nil, &msg); err == nil {
			t.Fatal("no error")
		}
	}); n > 1 { // the Reader itself, if anything
		t.Errorf("%v allocations for an error", n)
	}
}
