package eio

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

const testMaxPackets = 16

// decodeAll returns copies of the packets of body and the error that ended the iteration.
func decodeAll(body []byte, maxPackets int) ([]Packet, error) {
	p := NewPayload(body, maxPackets)
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

// encodeAll is the inverse of decodeAll.
func encodeAll(packets []Packet) []byte {
	var body []byte
	for i, p := range packets {
		if i > 0 {
			body = append(body, Separator)
		}
		if p.Binary {
			body = AppendBinary(body, p.Data)
		} else {
			body = AppendPacket(body, p.Type, p.Data)
		}
	}
	return body
}

func samePackets(a, b []Packet) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Type != b[i].Type || a[i].Binary != b[i].Binary || !bytes.Equal(a[i].Data, b[i].Data) {
			return false
		}
	}
	return true
}

func text(t PacketType, data string) Packet { return Packet{Type: t, Data: []byte(data)} }

func bin(data string) Packet { return Packet{Type: Message, Binary: true, Data: []byte(data)} }

// Batches of packets, base64 binary data, and binary messages between text.
func TestPayload(t *testing.T) {
	wrapped := wrap(string(AppendBinary(nil, bytes.Repeat([]byte("x"), 200))), 76)
	tests := []struct {
		in   string
		want []Packet
		err  error
	}{
		{in: "4hello", want: []Packet{text(Message, "hello")}},
		{in: "4test1\x1e4test2\x1e4test3", want: []Packet{text(Message, "test1"), text(Message, "test2"), text(Message, "test3")}},
		{in: "4hello\x1ebAQIDBA==", want: []Packet{text(Message, "hello"), bin("\x01\x02\x03\x04")}},
		{in: "4hello\x1e2\x1e4world", want: []Packet{text(Message, "hello"), text(Ping, ""), text(Message, "world")}},
		{in: "451-[\"a\",{\"_placeholder\":true,\"num\":0}]\x1ebAQ\x1eb", want: []Packet{
			text(Message, "51-[\"a\",{\"_placeholder\":true,\"num\":0}]"), bin("\x01"), bin("")}},
		{in: "4€ 𝄞", want: []Packet{text(Message, "€ 𝄞")}},
		{in: wrapped + "\x1e1", want: []Packet{bin(strings.Repeat("x", 200)), text(Close, "")}},
		{in: "", err: ErrPacket},
		{in: "abc", err: ErrPacket}, // the public suite expects 400
		{in: "\x1e", err: ErrPacket},
		{in: "4a\x1e", want: []Packet{text(Message, "a")}, err: ErrPacket},
		{in: "\x1e4a", err: ErrPacket},
		{in: "4a\x1e\x1e4b", want: []Packet{text(Message, "a")}, err: ErrPacket},
		{in: "4a\x1e9", want: []Packet{text(Message, "a")}, err: ErrPacket},
		{in: "4a\x1ebA", want: []Packet{text(Message, "a")}, err: ErrBase64},
		{in: "4a\x1ebAQ==\x00", want: []Packet{text(Message, "a")}, err: ErrBase64},
		{in: "4a\xff", err: ErrUTF8},
		{in: "4a\x1e4\xed\xa0\x80", err: ErrUTF8}, // a surrogate; nothing of the body is used
		{in: "4\xe2\x82\x1e4\xac", err: ErrUTF8},  // a rune cut by the separator
	}
	for _, tt := range tests {
		got, err := decodeAll([]byte(tt.in), testMaxPackets)
		if !errors.Is(err, tt.err) {
			t.Errorf("%q: error %v, want %v", tt.in, err, tt.err)
		}
		if !samePackets(got, tt.want) {
			t.Errorf("%q: %+v, want %+v", tt.in, got, tt.want)
		}
	}
}

func TestPayloadMaxPackets(t *testing.T) {
	for limit := -1; limit <= 3; limit++ {
		for n := 1; n <= 4; n++ {
			body := strings.Repeat("4x\x1e", n-1) + "4x"
			got, err := decodeAll([]byte(body), limit)
			if want := min(n, max(limit, 0)); len(got) != want {
				t.Errorf("limit %d, %d packets: got %d", limit, n, len(got))
			}
			if tooMany := n > limit; tooMany != errors.Is(err, ErrTooManyPackets) || !tooMany && err != nil {
				t.Errorf("limit %d, %d packets: error %v", limit, n, err)
			}
		}
	}
}

func TestPayloadEndAndErrorAreSticky(t *testing.T) {
	p := NewPayload([]byte("4a"), 1)
	p.Next()
	for range 3 {
		if pkt, ok, err := p.Next(); ok || err != nil || pkt.Data != nil {
			t.Fatalf("after the end: %+v %v %v", pkt, ok, err)
		}
	}
	p = NewPayload([]byte("x\x1e4a"), 5)
	for range 3 {
		if pkt, ok, err := p.Next(); ok || err != ErrPacket || pkt.Data != nil {
			t.Fatalf("after the error: %+v %v %v", pkt, ok, err)
		}
	}
}

// Decoding one packet in place must not change its neighbours, which are still held as views.
func TestPayloadViewsStayValid(t *testing.T) {
	p := NewPayload([]byte("4first\x1ebAQIDBA==\x1e4last\x1ebBQY="), 4)
	var views []Packet
	for {
		pkt, ok, err := p.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		views = append(views, pkt)
	}
	if !samePackets(views, []Packet{text(Message, "first"), bin("\x01\x02\x03\x04"), text(Message, "last"), bin("\x05\x06")}) {
		t.Errorf("got %+v", views)
	}
}

func FuzzPayload(f *testing.F) {
	for _, s := range []string{
		"", "4hello", "4hello\x1ebAQIDBA==", "4a\x1e\x1e4b", "abc", "b\x1eb\x1eb", "bAQ\x1e4€\x1e2probe",
		"bQUJD\nRA==\n\x1e1", "4\xff", strings.Repeat("2\x1e", 20),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := decodeAll(bytes.Clone(in), testMaxPackets)
		if len(got) > testMaxPackets {
			t.Fatalf("%q: %d packets", in, len(got))
		}
		want, wantErr := splitAll(in, testMaxPackets)
		if !errors.Is(err, wantErr) || !samePackets(got, want) {
			t.Fatalf("%q: %+v %v, want %+v %v", in, got, err, want, wantErr)
		}
		if err != nil {
			return
		}
		again, err := decodeAll(encodeAll(got), testMaxPackets)
		if err != nil || !samePackets(again, got) {
			t.Fatalf("%q: %+v, again %+v %v", in, got, again, err)
		}
	})
}

// splitAll is the simple definition that Payload must agree with.
func splitAll(body []byte, maxPackets int) (all []Packet, err error) {
	if !utf8.Valid(body) {
		return nil, ErrUTF8
	}
	for i, s := range strings.Split(string(body), "\x1e") {
		switch {
		case i == maxPackets:
			return all, ErrTooManyPackets
		case s == "" || !strings.ContainsAny(s[:1], "0123456b"):
			return all, ErrPacket
		case s[0] == 'b':
			data, ok := strictBase64([]byte(s[1:]))
			if !ok {
				return all, ErrBase64
			}
			all = append(all, bin(string(data)))
		default:
			all = append(all, text(PacketType(s[0]), s[1:]))
		}
	}
	return all, nil
}
