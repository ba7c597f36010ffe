package eio

import (
	"bytes"
	"fmt"
	"testing"
)

// Results are stored here, so that the compiler cannot remove the work.
var (
	sinkFrame  *Frame
	sinkString string
	sinkBytes  []byte
	sinkInt    int
)

func TestAllocations(t *testing.T) {
	message := []byte(`42["chat message",{"text":"hello"}]`)
	body := bytes.Join([][]byte{message, []byte("2"), message, []byte("bAQIDBA==")}, []byte{Separator})
	scratch := make([]byte, len(body))
	binaryText := []byte("bAQIDBA==")
	dst := make([]byte, 0, 1<<12)
	frames := []*Frame{NewMessage(message), PingFrame, Link(NewMessage(message), NewBinary(message)), NewMessage(message)}
	AppendPayload(dst, frames, 1<<12) // make the base64 form, which is then kept
	open := &OpenInfo{SID: NewSID(1), Upgrades: []string{"websocket"}, MaxPayload: 1e6}
	id := []byte(open.SID)

	tests := []struct {
		name string
		max  float64
		run  func()
	}{
		{"ParseText", 0, func() { ParseText(message) }},
		{"ParseText binary", 0, func() { ParseText(append(scratch[:0], binaryText...)) }},
		{"Payload", 0, func() {
			copy(scratch, body)
			p := NewPayload(scratch, 8)
			for {
				if _, ok, err := p.Next(); !ok || err != nil {
					break
				}
				sinkInt++
			}
		}},
		{"AppendPacket", 0, func() { dst = AppendPacket(dst[:0], Message, message) }},
		{"AppendBinary", 0, func() { dst = AppendBinary(dst[:0], message) }},
		{"AppendPayload", 0, func() { dst, sinkInt = AppendPayload(dst[:0], frames, 1<<12) }},
		{"AppendPayload3", 0, func() { dst, sinkInt = AppendPayload3(dst[:0], frames, 1<<12, false) }},
		{"AppendPayload3 binary", 0, func() { dst, sinkInt = AppendPayload3(dst[:0], frames, 1<<12, true) }},
		{"WebSocket3", 0, func() { sinkBytes = frames[2].Next().WebSocket3() }},
		{"Payload3", 0, func() {
			p := NewPayload3(append(scratch[:0], "6:4hello10:b4AQIDBA=="...), false, 8)
			for {
				if _, ok, err := p.Next(); !ok || err != nil {
					break
				}
			}
		}},
		{"AppendJSONP", 0, func() { dst = AppendJSONP(dst[:0], 1, message) }},
		{"AppendOpen", 0, func() { dst = AppendOpen(dst[:0], open) }},
		{"AppendError", 0, func() { dst = AppendError(dst[:0], SessionIDUnknown, "") }},
		{"ShardOf", 0, func() { sinkInt, _ = ShardOf(id) }},
		{"NewMessage small", 1, func() { sinkFrame = NewMessage(message) }},
		{"NewMessage 460", 1, func() { sinkFrame = NewMessage(make([]byte, 459)) }},
		{"NewMessage large", 2, func() { sinkFrame = NewMessage(dst[:2000]) }},
		{"NewBinary large", 2, func() { sinkFrame = NewBinary(dst[:2000]) }},
		{"NewSID", 1, func() { sinkString = NewSID(3) }},
		{"NewSocketID", 1, func() { sinkString = NewSocketID(3) }},
	}
	for _, tt := range tests {
		limit := tt.max
		if raceEnabled && (tt.name == "NewSID" || tt.name == "NewSocketID") {
			limit++ // the pool makes a new reserve now and then
		}
		if got := testing.AllocsPerRun(200, tt.run); got > limit {
			t.Errorf("%s: %v allocations, want at most %v", tt.name, got, limit)
		}
	}
}

func BenchmarkParseText(b *testing.B) {
	message := []byte(`42["chat message",{"text":"hello"}]`)
	b.ReportAllocs()
	for b.Loop() {
		p, err := ParseText(message)
		if err != nil {
			b.Fatal(err)
		}
		sinkBytes = p.Data
	}
}

func BenchmarkPayload(b *testing.B) {
	message := []byte(`42["chat message",{"text":"hello"}]`)
	for _, n := range []int{1, 10, 100} {
		body := bytes.Repeat(append(message, Separator), n)
		body = body[:len(body)-1]
		b.Run(fmt.Sprint("text", n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				p := NewPayload(body, n)
				for {
					_, ok, err := p.Next()
					if err != nil {
						b.Fatal(err)
					}
					if !ok {
						break
					}
				}
			}
		})
	}
	encoded := AppendBinary(nil, make([]byte, 4096))
	b.Run("binary4096", func(b *testing.B) {
		body := make([]byte, len(encoded))
		b.ReportAllocs()
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			copy(body, encoded)
			p := NewPayload(body, 1)
			if _, ok, err := p.Next(); !ok || err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkNewMessage(b *testing.B) {
	for _, n := range []int{32, 150, 400, 1024, 65536} {
		data := make([]byte, n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sinkFrame = NewMessage(data)
			}
		})
	}
}

func BenchmarkAppendPayload(b *testing.B) {
	dst := make([]byte, 0, 1<<16)
	for _, n := range []int{1, 16, 256} {
		frames := make([]*Frame, n)
		for i := range frames {
			frames[i] = NewMessage([]byte(`2["chat message",{"text":"hello"}]`))
		}
		b.Run(fmt.Sprint("text", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sinkBytes, sinkInt = AppendPayload(dst, frames, 1_000_000)
			}
		})
	}
	binary := []*Frame{NewBinary(make([]byte, 4096))}
	b.Run("binary4096", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sinkBytes, sinkInt = AppendPayload(dst, binary, 1_000_000)
		}
	})
}

func BenchmarkNewSID(b *testing.B) {
	b.Run("serial", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sinkString = NewSID(1)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_ = NewSID(1)
			}
		})
	})
}

func BenchmarkNewSocketID(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		sinkString = NewSocketID(1)
	}
}

func BenchmarkShardOf(b *testing.B) {
	id := []byte(NewSID(200))
	b.ReportAllocs()
	for b.Loop() {
		sinkInt, _ = ShardOf(id)
	}
}

func BenchmarkAppendOpen(b *testing.B) {
	o := &OpenInfo{SID: NewSID(1), Upgrades: []string{"websocket"}, PingInterval: 25e9, PingTimeout: 20e9, MaxPayload: 1e6}
	dst := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		sinkBytes = AppendOpen(dst, o)
	}
}
