package eio

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws"
)

// Sizes around all borders: of the three header forms, and of the room inside an allocation.
var frameSizes = []int{
	0, 1, 2, 77, 78, 79, 80, 81, 124, 125, 126, 127, 203, 204, 205, 206, 459, 460, 461, 462,
	1000, 65534, 65535, 65536, 65537, 1 << 20,
}

func TestFrameWebSocket(t *testing.T) {
	for _, n := range frameSizes {
		data := bytes.Repeat([]byte("x"), n)
		tests := []struct {
			name    string
			frame   *Frame
			payload []byte
			op      ws.OpCode
		}{
			{"text", NewText(data), data, ws.OpText},
			{"message", NewMessage(data), append([]byte("4"), data...), ws.OpText},
			{"binary", NewBinary(data), data, ws.OpBinary},
		}
		for _, tt := range tests {
			t.Run(fmt.Sprint(tt.name, n), func(t *testing.T) {
				r := bytes.NewReader(tt.frame.WebSocket())
				got, err := ws.ReadFrame(r)
				if err != nil {
					t.Fatal(err)
				}
				if r.Len() != 0 {
					t.Errorf("%d bytes behind the frame", r.Len())
				}
				if err := ws.CheckHeader(got.Header, ws.StateClientSide); err != nil {
					t.Errorf("header %+v: %v", got.Header, err)
				}
				if !got.Header.Fin || got.Header.OpCode != tt.op || got.Header.Masked {
					t.Errorf("header %+v", got.Header)
				}
				if head := ws.HeaderSize(got.Header); len(tt.frame.WebSocket()) != head+len(tt.payload) {
					t.Errorf("%d bytes, want a header of %d and %d", len(tt.frame.WebSocket()), head, len(tt.payload))
				}
				if !bytes.Equal(got.Payload, tt.payload) || !bytes.Equal(tt.frame.Payload(), tt.payload) {
					t.Error("payload differs")
				}
				if tt.frame.Binary() != (tt.op == ws.OpBinary) {
					t.Errorf("Binary() = %v", tt.frame.Binary())
				}
				if w := tt.frame.WebSocket(); len(w) != cap(w) {
					t.Errorf("len %d, cap %d: an append would write into the frame", len(w), cap(w))
				}
			})
		}
	}
}

func TestFrameCopiesItsInput(t *testing.T) {
	for _, n := range []int{4, 4000} {
		for name, build := range map[string]func([]byte) *Frame{"text": NewText, "message": NewMessage, "binary": NewBinary} {
			data := bytes.Repeat([]byte("a"), n)
			f := build(data)
			want := bytes.Clone(f.WebSocket())
			clear(data)
			if !bytes.Equal(f.WebSocket(), want) {
				t.Errorf("%s of %d bytes: the frame changed with its input", name, n)
			}
		}
	}
}

// The polling form of text and binary packets.
func TestFramePolling(t *testing.T) {
	for _, n := range frameSizes {
		data := bytes.Repeat([]byte("y"), n)
		for name, tt := range map[string]struct {
			frame *Frame
			want  []byte
		}{
			"text":    {NewText(data), data},
			"message": {NewMessage(data), AppendPacket(nil, Message, data)},
			"binary":  {NewBinary(data), AppendBinary(nil, data)},
		} {
			for range 2 { // the second time from the kept form
				got := tt.frame.AppendPolling([]byte("<"))
				if !bytes.Equal(got[1:], tt.want) || got[0] != '<' {
					t.Fatalf("%s of %d bytes: %.20q, want %.20q", name, n, got, tt.want)
				}
				if tt.frame.PollingLen() != len(tt.want) {
					t.Fatalf("%s of %d bytes: PollingLen %d, want %d", name, n, tt.frame.PollingLen(), len(tt.want))
				}
			}
		}
	}
}

func TestFrameBinaryRace(t *testing.T) {
	data := bytes.Repeat([]byte{1, 2, 3}, 100)
	f, want := NewBinary(data), AppendBinary(nil, data)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if !bytes.Equal(f.AppendPolling(nil), want) {
					t.Error("polling form differs")
				}
			}
		})
	}
	wg.Wait()
}

func TestControlFrames(t *testing.T) {
	for want, f := range map[string]*Frame{"2": PingFrame, "3probe": PongProbe, "6": NoopFrame, "1": CloseFrame} {
		if string(f.Payload()) != want || f.Binary() || f.Next() != nil {
			t.Errorf("%q: %q", want, f.Payload())
		}
		if string(f.AppendPolling(nil)) != want {
			t.Errorf("%q: polling %q", want, f.AppendPolling(nil))
		}
	}
}

// A packet and its attachments are one chain of frames.
func TestLink(t *testing.T) {
	head, a, b := NewMessage([]byte("52-[]")), NewBinary([]byte{1}), NewBinary(make([]byte, 200))
	if Link(head, a, b) != head {
		t.Fatal("Link does not return the head")
	}
	if head.Next() != a || a.Next() != b || b.Next() != nil {
		t.Fatal("chain is wrong")
	}
	if want := (2 + 6) + (2 + 1) + (4 + 200); head.Size() != want {
		t.Errorf("Size %d, want %d", head.Size(), want)
	}
	if want := 4 + 200; b.Size() != want {
		t.Errorf("Size of the tail %d, want %d", b.Size(), want)
	}
	if f := NewText([]byte("2")); Link(f) != f || f.Next() != nil {
		t.Error("Link without attachments")
	}
}

// For every limit, a payload holds whole frames, in order, within the limit, and the rest follows.
func TestAppendPayload(t *testing.T) {
	var frames []*Frame
	for n := range 12 {
		frames = append(frames, NewMessage(bytes.Repeat([]byte{'a' + byte(n)}, n*5%17)), NewBinary(make([]byte, n)))
	}
	all := string(join(frames))
	for limit := -1; limit <= len(all)+1; limit++ {
		var got []string
		for queue := frames; len(queue) > 0; {
			out, taken := AppendPayload([]byte("pre"), queue, limit)
			if taken < 1 {
				t.Fatalf("limit %d: no progress", limit)
			}
			out = out[len("pre"):]
			if len(out) > limit && taken > 1 {
				t.Fatalf("limit %d: %d bytes, %d frames", limit, len(out), taken)
			}
			if taken < len(queue) && len(out)+1+queue[taken].PollingLen() <= limit {
				t.Fatalf("limit %d: one more would have fitted", limit)
			}
			got = append(got, string(out))
			queue = queue[taken:]
		}
		if joined := strings.Join(got, "\x1e"); joined != all {
			t.Fatalf("limit %d: %q, want %q", limit, joined, all)
		}
	}
	if out, taken := AppendPayload(nil, nil, 10); out != nil || taken != 0 {
		t.Errorf("no frames: %q %d", out, taken)
	}
}

// join returns the payload of frames and their attachments without a limit.
func join(frames []*Frame) []byte {
	var parts [][]byte
	for _, f := range frames {
		for ; f != nil; f = f.Next() {
			parts = append(parts, f.AppendPolling(nil))
		}
	}
	return bytes.Join(parts, []byte{Separator})
}

// The limit may fall between a packet and its attachments. Nothing is lost or duplicated.
func TestAppendPayloadSplitsChains(t *testing.T) {
	chain := func(attachments int) *Frame {
		head := NewMessage(fmt.Appendf(nil, "5%d-[]", attachments))
		var as []*Frame
		for i := range attachments {
			as = append(as, NewBinary(bytes.Repeat([]byte{byte(i)}, 1+i*4)))
		}
		return Link(head, as...)
	}
	frames := []*Frame{chain(0), chain(3), PingFrame, chain(1), chain(5)}
	all := string(join(frames))
	for limit := 0; limit <= len(all)+1; limit++ {
		queue := append([]*Frame(nil), frames...)
		var got []string
		for rounds := 0; len(queue) > 0; rounds++ {
			if rounds > 20 {
				t.Fatalf("limit %d: no end", limit)
			}
			var out []byte
			var taken int
			out, taken = AppendPayload(nil, queue, limit)
			if len(out) == 0 {
				t.Fatalf("limit %d: no progress", limit)
			}
			if len(out) > limit && bytes.IndexByte(out, Separator) >= 0 {
				t.Fatalf("limit %d: %q", limit, out)
			}
			got = append(got, string(out))
			queue = queue[taken:]
		}
		if joined := strings.Join(got, "\x1e"); joined != all {
			t.Fatalf("limit %d: %q, want %q", limit, joined, all)
		}
		if limit > len(all) && len(got) != 1 {
			t.Fatalf("limit %d: %d payloads", limit, len(got))
		}
	}
	if string(join(frames)) != all {
		t.Error("the shared frames changed")
	}
}

// Payloads exactly at the limit, and one byte above.
func TestAppendPayloadExact(t *testing.T) {
	frames := []*Frame{NewMessage([]byte("abc")), NewMessage([]byte("de"))} // 4 + 1 + 3 bytes
	for limit, want := range map[int]int{7: 1, 8: 2, 4: 1, 1: 1} {
		if _, taken := AppendPayload(nil, frames, limit); taken != want {
			t.Errorf("limit %d: %d frames, want %d", limit, taken, want)
		}
	}
}

// The decoder reads what a server sends.
func TestAppendPayloadRoundTrip(t *testing.T) {
	frames := []*Frame{NewMessage([]byte("2[\"a\"]")), PingFrame, Link(NewMessage([]byte("51-[]")), NewBinary([]byte{0, 255}))}
	body, taken := AppendPayload(nil, frames, 1<<20)
	if taken != len(frames) {
		t.Fatalf("taken %d", taken)
	}
	got, err := decodeAll(body, 4)
	if err != nil {
		t.Fatal(err)
	}
	if !samePackets(got, []Packet{text(Message, "2[\"a\"]"), text(Ping, ""), text(Message, "51-[]"), bin("\x00\xff")}) {
		t.Errorf("got %+v", got)
	}
}
