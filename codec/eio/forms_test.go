package eio

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"unsafe"

	"github.com/gobwas/ws"
)

// readFrame parses a WebSocket frame.
func readFrame(t *testing.T, wire []byte) ws.Frame {
	t.Helper()
	r := bytes.NewReader(wire)
	f, err := ws.ReadFrame(r)
	if err != nil || r.Len() != 0 {
		t.Fatalf("%v, %d bytes left of %q", err, r.Len(), wire)
	}
	return f
}

// Queues hold many frames: the pointer to other forms must not grow each frame.
func TestFrameSize(t *testing.T) {
	if size := unsafe.Sizeof(Frame{}); size > 48 {
		t.Errorf("a Frame has %d bytes, the size classes are made for 48", size)
	}
}

// The WebSocket forms of protocol 3.
func TestWebSocket3(t *testing.T) {
	for _, n := range frameSizes {
		data := bytes.Repeat([]byte{7}, n)
		for name, f := range map[string]*Frame{"text": NewText(data), "message": NewMessage(data)} {
			for form, wire := range map[string][]byte{"binary": f.WebSocket3(), "text": f.WebSocketText3()} {
				if !bytes.Equal(wire, f.WebSocket()) {
					t.Errorf("%s of %d bytes: the %s form is not that of protocol 4", name, n, form)
				}
			}
		}
		f := NewBinary(data)
		for range 2 { // the second time from the kept form
			got := readFrame(t, f.WebSocket3())
			if got.Header.OpCode != ws.OpBinary || !bytes.Equal(got.Payload, append([]byte{4}, data...)) {
				t.Errorf("%d bytes: %+v %.20q", n, got.Header, got.Payload)
			}
			got = readFrame(t, f.WebSocketText3())
			want := append([]byte("b4"), AppendBinary(nil, data)[1:]...)
			if got.Header.OpCode != ws.OpText || !bytes.Equal(got.Payload, want) {
				t.Errorf("%d bytes: %+v %.20q", n, got.Header, got.Payload)
			}
		}
		if !bytes.Equal(f.Payload(), data) || !bytes.Equal(f.AppendPolling(nil), AppendBinary(nil, data)) {
			t.Errorf("%d bytes: the forms of protocol 4 changed", n)
		}
	}
}

// The deflated form is made once and kept, with RSV1. Frames that do not get shorter, or are plain, stay as they are.
func TestFrameDeflated(t *testing.T) {
	for _, f := range []*Frame{NewMessage(make([]byte, 300)), NewBinary(make([]byte, 70000))} {
		calls := 0
		for range 3 {
			wire := f.Deflated(func(payload []byte) []byte {
				calls++
				if !bytes.Equal(payload, f.Payload()) {
					t.Error("compress got something else than the payload")
				}
				return []byte("packed")
			})
			got := readFrame(t, wire)
			if !got.Header.Fin || !got.Header.Rsv1() || got.Header.Rsv2() || string(got.Payload) != "packed" {
				t.Errorf("%+v %q", got.Header, got.Payload)
			}
			if (got.Header.OpCode == ws.OpBinary) != f.Binary() {
				t.Errorf("opcode %v", got.Header.OpCode)
			}
		}
		if calls != 1 {
			t.Errorf("compressed %d times", calls)
		}
	}
	f, calls := NewMessage([]byte("x")), 0
	for range 3 {
		wire := f.Deflated(func([]byte) []byte { calls++; return nil })
		if &wire[0] != &f.WebSocket()[0] {
			t.Error("what does not pay must be the frame itself")
		}
	}
	if calls != 1 {
		t.Errorf("asked %d times", calls)
	}
}

// compress may return a buffer that it reuses.
func TestFrameDeflatedCopies(t *testing.T) {
	scratch := []byte("packed")
	f := NewMessage([]byte("x"))
	wire := f.Deflated(func([]byte) []byte { return scratch })
	clear(scratch)
	if got := readFrame(t, wire); string(got.Payload) != "packed" {
		t.Errorf("%q", got.Payload)
	}
}

func TestFramePlain(t *testing.T) {
	a, b := NewBinary([]byte{1}), NewBinary([]byte{2})
	head := Link(NewMessage([]byte("52-[]")), a, b)
	if head.IsPlain() || a.IsPlain() {
		t.Error("plain without asking for it")
	}
	if Plain(head) != head {
		t.Error("Plain does not return its frame")
	}
	for f := head; f != nil; f = f.Next() {
		wire := f.Deflated(func([]byte) []byte { t.Error("a plain frame is compressed"); return nil })
		if !f.IsPlain() || !bytes.Equal(wire, f.WebSocket()) {
			t.Errorf("%q is not plain", f.Payload())
		}
	}
	if Plain(nil) != nil {
		t.Error("Plain of nothing")
	}
}

// Many goroutines request all forms at once. All get the same, correct bytes.
func TestFrameFormsRace(t *testing.T) {
	data := bytes.Repeat([]byte{1, 2, 3}, 100)
	f := NewBinary(data)
	packed := fmt.Appendf(nil, "%x", data[:20])
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				polling := f.AppendPolling(nil)
				three, text := f.WebSocket3(), f.WebSocketText3()
				deflated := f.Deflated(func([]byte) []byte { return packed })
				if !bytes.Equal(polling, AppendBinary(nil, data)) || !bytes.Equal(three[5:], data) ||
					!bytes.Equal(text[6:], polling[1:]) || !bytes.Equal(deflated[2:], packed) {
					t.Error("a form differs")
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkFrameForms(b *testing.B) {
	f := NewBinary(make([]byte, 1000))
	b.Run("WebSocket3", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sinkBytes = f.WebSocket3()
		}
	})
	b.Run("Deflated", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sinkBytes = f.Deflated(func([]byte) []byte { return []byte("x") })
		}
	})
}
