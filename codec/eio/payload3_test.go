package eio

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

// drain returns copies of the packets of a payload and the error that ended it.
func drain(p *Payload) ([]Packet, error) {
	var all []Packet
	for {
		pkt, ok, err := p.Next()
		if err != nil || !ok {
			return all, err
		}
		pkt.Data = bytes.Clone(pkt.Data)
		all = append(all, pkt)
	}
}

func decodeAll3(body []byte, binary bool, maxPackets int) ([]Packet, error) {
	p := NewPayload3(body, binary, maxPackets)
	all, err := drain(&p)
	if _, ok, again := p.Next(); ok || again != err {
		return all, fmt.Errorf("the end is not the end: %v %v, then %v", ok, again, err)
	}
	return all, err
}

// Text payloads as clients 2.x send them.
func TestPayload3Text(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want []Packet
		err  error
	}{
		{in: "6:4hello", want: []Packet{text(Message, "hello")}},
		{in: "1:2", want: []Packet{text(Ping, "")}},
		{in: "6:4test16:4test2", want: []Packet{text(Message, "test1"), text(Message, "test2")}},
		{in: "6:4hello10:b4AQIDBA==", want: []Packet{text(Message, "hello"), bin("\x01\x02\x03\x04")}},
		{in: "2:4€1:1", want: []Packet{text(Message, "€"), text(Close, "")}},
		{in: "4:4😀é1:3", want: []Packet{text(Message, "😀é"), text(Pong, "")}},
		{in: "2:b4", want: []Packet{bin("")}},
		{in: "4:41:2", want: []Packet{text(Message, "1:2")}},
		{in: "0:", want: nil},
		{in: "", err: ErrPacket},
		{in: "abc", err: ErrLength},
		{in: "4hello", err: ErrLength},
		{in: ":4", err: ErrLength},
		{in: "01:2", err: ErrLength},
		{in: "+1:2", err: ErrLength},
		{in: "1.0:2", err: ErrLength},
		{in: "1e0:2", err: ErrLength},
		{in: " 1:2", err: ErrLength},
		{in: "2:2", err: ErrLength},
		{in: "999999999:2", err: ErrLength},
		{in: "9999999999:2", err: ErrLength},
		{in: strings.Repeat("9", 400) + ":2", err: ErrLength},
		{in: "1:21", want: []Packet{text(Ping, "")}, err: ErrLength},
		{in: "1:20:", want: []Packet{text(Ping, "")}, err: ErrPacket},
		{in: "0:1:2", err: ErrPacket},
		{in: "2:4😀", err: ErrLength}, // half of a pair
		{in: "1:7", err: ErrPacket},
		{in: "1:b", err: ErrPacket},
		{in: "2:b2", err: ErrPacket},
		{in: "5:bAQID", err: ErrPacket}, // the form of protocol 4
		{in: "4:b4AA", err: nil, want: []Packet{bin("\x00")}},
		{in: "4:b4A=", err: ErrBase64},
		{in: "2:4\xff", err: ErrUTF8},
		{in: "1:21:\xff", err: ErrUTF8},
	} {
		got, err := decodeAll3([]byte(tt.in), false, testMaxPackets)
		if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) || !samePackets(got, tt.want) {
			t.Errorf("%.40q: %+v %v, want %+v %v", tt.in, got, err, tt.want, tt.err)
		}
	}
}

// Binary payloads.
func TestPayload3Binary(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want []Packet
		err  error
	}{
		{in: "\x00\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04", want: []Packet{text(Message, "hello"), bin("\x01\x02\x03\x04")}},
		{in: "\x00\x04\xff4€\x01\x01\xff\x04", want: []Packet{text(Message, "€"), bin("")}},
		{in: "\x01\x01\x02\xff\x04hello world", want: []Packet{bin("hello world")}},
		{in: "\x00\x04\xffb4AA", want: []Packet{bin("\x00")}},
		{in: "", err: ErrPacket},
		{in: "\x02\x01\xff2", err: ErrPacket},
		{in: "1:2", err: ErrPacket},
		{in: "\x00", err: ErrLength},
		{in: "\x00\xff", err: ErrLength},
		{in: "\x00\x01", err: ErrLength},
		{in: "\x00\x01\xff", err: ErrLength},
		{in: "\x00\x00\x01\xff2", err: ErrLength},
		{in: "\x00\x0a\xff2", err: ErrLength},
		{in: "\x00\x31\xff2", err: ErrLength}, // the digit as a character
		{in: "\x00\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\xff2", err: ErrLength},
		{in: "\x00" + strings.Repeat("\x09", 400) + "\xff2", err: ErrLength},
		{in: "\x00\x00\xff", err: ErrPacket},
		{in: "\x01\x00\xff", err: ErrPacket},
		{in: "\x01\x02\xff\x02x", err: ErrPacket}, // no message
		{in: "\x01\x02\xff4x", err: ErrPacket},    // the type as a character
		{in: "\x00\x02\xff4\xff", err: ErrUTF8},
		{in: "\x00\x01\xff2\x00", want: []Packet{text(Ping, "")}, err: ErrLength},
	} {
		got, err := decodeAll3([]byte(tt.in), true, testMaxPackets)
		if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) || !samePackets(got, tt.want) {
			t.Errorf("%.40q: %+v %v, want %+v %v", tt.in, got, err, tt.want, tt.err)
		}
	}
}

// The number of packets is bounded in both framings.
func TestPayload3TooMany(t *testing.T) {
	for _, body := range []string{strings.Repeat("1:2", 5), strings.Repeat("\x00\x01\xff2", 5)} {
		for limit := range 7 {
			got, err := decodeAll3([]byte(body), body[0] == 0, limit)
			if want := min(limit, 5); len(got) != want || (limit < 5) != errors.Is(err, ErrTooManyPackets) {
				t.Errorf("limit %d: %d packets, %v", limit, len(got), err)
			}
		}
	}
}

func TestParseBinary3(t *testing.T) {
	for in, want := range map[string]string{"\x04": "", "\x04abc": "abc"} {
		p, err := ParseBinary3([]byte(in))
		if err != nil || !p.Binary || p.Type != Message || string(p.Data) != want || cap(p.Data) != len(p.Data) {
			t.Errorf("%q: %+v %v", in, p, err)
		}
	}
	for _, in := range []string{"", "\x00", "\x02", "4abc", "\xff"} {
		if _, err := ParseBinary3([]byte(in)); !errors.Is(err, ErrPacket) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// One packet per WebSocket text message; binary data is "b4" and base64.
func TestParseText3(t *testing.T) {
	for in, want := range map[string]Packet{"4hello": text(Message, "hello"), "2probe": text(Ping, "probe"), "b4AQIDBA==": bin("\x01\x02\x03\x04")} {
		p, err := ParseText3([]byte(in))
		if err != nil || !samePackets([]Packet{p}, []Packet{want}) {
			t.Errorf("%q: %+v %v", in, p, err)
		}
	}
	for in, want := range map[string]error{"": ErrPacket, "b": ErrPacket, "bAQIDBA==": ErrPacket, "abc": ErrPacket, "b4A": ErrBase64} {
		if _, err := ParseText3([]byte(in)); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", in, err, want)
		}
	}
}

// The bytes that a server sends are those of the protocol text.
func TestAppendPayload3(t *testing.T) {
	hello, data := NewMessage([]byte("hello")), NewBinary([]byte{1, 2, 3, 4})
	euro := NewMessage([]byte("€"))
	long := NewMessage([]byte("123456789"))
	for _, tt := range []struct {
		name   string
		frames []*Frame
		binary bool
		want   string
		kind   bool
	}{
		{"text", []*Frame{hello, euro, NoopFrame}, true, "6:4hello2:4€1:6", false},
		{"base64", []*Frame{hello, data}, false, "6:4hello10:b4AQIDBA==", false},
		{"binary", []*Frame{hello, data}, true, "\x00\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04", true},
		{"binary euro", []*Frame{euro, data}, true, "\x00\x04\xff4€\x01\x05\xff\x04\x01\x02\x03\x04", true},
		{"two digits", []*Frame{long, data}, true, "\x00\x01\x00\xff4123456789\x01\x05\xff\x04\x01\x02\x03\x04", true},
		{"nothing", nil, true, "", false},
	} {
		out, taken := AppendPayload3([]byte("pre"), tt.frames, 1000, tt.binary)
		out = out[len("pre"):]
		if taken != len(tt.frames) || string(out) != tt.want || IsBinaryPayload3(out) != tt.kind {
			t.Errorf("%s: %d %q, want %q", tt.name, taken, out, tt.want)
		}
	}
}

// For every limit, frames are sent whole and in order, none is lost or duplicated, and a payload exceeds the limit only
// if it holds a single frame.
func TestAppendPayload3Limits(t *testing.T) {
	build := func() (frames []*Frame) {
		for n := range 6 {
			frames = append(frames, NewMessage([]byte(strings.Repeat("é", n*3%7))), PingFrame,
				Link(NewMessage([]byte("52-[😀]")), NewBinary(make([]byte, n*7)), NewBinary([]byte{byte(n)})))
		}
		return frames
	}
	var want []Packet
	for _, f := range build() {
		for ; f != nil; f = f.Next() {
			if f.Binary() {
				want = append(want, bin(string(f.Payload())))
			} else {
				want = append(want, text(PacketType(f.Payload()[0]), string(f.Payload()[1:])))
			}
		}
	}
	for _, binary := range []bool{false, true} {
		for limit := 0; limit < 400; limit++ {
			var got []Packet
			for queue := build(); len(queue) > 0; {
				out, taken := AppendPayload3(nil, queue, limit, binary)
				packets, err := decodeAll3(bytes.Clone(out), IsBinaryPayload3(out), 1000)
				if err != nil || len(packets) == 0 {
					t.Fatalf("limit %d: %q: %d packets, %v", limit, out, len(packets), err)
				}
				if len(out) > limit && len(packets) > 1 {
					t.Fatalf("limit %d: %q", limit, out)
				}
				for _, p := range packets {
					if p.Binary && binary != IsBinaryPayload3(out) {
						t.Fatalf("limit %d: binary in %q", limit, out)
					}
				}
				got = append(got, packets...)
				queue = queue[taken:]
			}
			if !samePackets(got, want) {
				t.Fatalf("limit %d, binary %v: %+v", limit, binary, got)
			}
		}
	}
}

// Lengths count UTF-16 units, as the encoder of package utf16 does.
func TestUTF16Len(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var s []rune
		for range r.IntN(20) {
			s = append(s, []rune{'a', 'é', '€', '😀', rune(r.IntN(0x10ffff))}[r.IntN(5)])
		}
		text := string(s)
		units := len(utf16.Encode([]rune(text)))
		if got := utf16Len([]byte(text)); got != units {
			t.Fatalf("%q: %d units, want %d", text, got, units)
		}
		if n, ok := utf16Prefix([]byte(text+"x"), units); !ok || n != len(text) {
			t.Fatalf("%q: prefix of %d units is %d bytes, %v", text, units, n, ok)
		}
		if _, ok := utf16Prefix([]byte(text), units+1); ok {
			t.Fatalf("%q has no %d units", text, units+1)
		}
	}
}

// Any body either fails or consists of packets that encode to a body of the same packets. Views stay inside the body.
func FuzzPayload3(f *testing.F) {
	for _, s := range []string{"6:4hello10:b4AQIDBA==", "2:4€", "0:", "4:4😀1", "\x00\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04", "1:2:3", "\x01\x02\xff\x04\x00"} {
		f.Add([]byte(s), s[0] < 2)
	}
	f.Fuzz(func(t *testing.T, body []byte, binary bool) {
		const limit = 50
		packets, err := decodeAll3(bytes.Clone(body), binary, limit)
		if len(packets) > limit {
			t.Fatalf("%d packets", len(packets))
		}
		total := 0
		var frames []*Frame
		for _, p := range packets {
			total += len(p.Data) + 1
			if p.Binary {
				frames = append(frames, NewBinary(p.Data))
				continue
			}
			if !utf8.Valid(p.Data) || p.Type < Open || p.Type > Noop {
				t.Fatalf("packet %+v", p)
			}
			frames = append(frames, NewText(AppendPacket(nil, p.Type, p.Data)))
		}
		if total > len(body) {
			t.Fatalf("%d bytes of packets out of %d", total, len(body))
		}
		if err != nil {
			return
		}
		for _, takesBinary := range []bool{false, true} {
			out, taken := AppendPayload3(nil, frames, 1<<30, takesBinary)
			if taken != len(frames) {
				t.Fatalf("%d of %d frames", taken, len(frames))
			}
			if taken == 0 {
				continue
			}
			again, err := decodeAll3(out, IsBinaryPayload3(out), limit)
			if err != nil || !samePackets(again, packets) {
				t.Fatalf("%q: %+v %v, want %+v", body, again, err, packets)
			}
		}
	})
}

func BenchmarkPayload3(b *testing.B) {
	frames := []*Frame{NewMessage([]byte(`2["chat message",{"text":"hello"}]`)), Link(NewMessage([]byte("51-[]")), NewBinary(make([]byte, 100)))}
	dst := make([]byte, 0, 1<<12)
	for _, binary := range []bool{false, true} {
		b.Run(fmt.Sprintf("append binary=%v", binary), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				dst, sinkInt = AppendPayload3(dst[:0], frames, 1<<12, binary)
			}
		})
		body, _ := AppendPayload3(nil, frames, 1<<12, binary)
		scratch := make([]byte, len(body))
		b.Run(fmt.Sprintf("parse binary=%v", binary), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				copy(scratch, body)
				p := NewPayload3(scratch, binary, 8)
				for {
					if _, ok, err := p.Next(); !ok || err != nil {
						break
					}
				}
			}
		})
	}
}
