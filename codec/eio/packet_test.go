package eio

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

func TestParseText(t *testing.T) {
	tests := []struct {
		in   string
		want Packet
		err  error
	}{
		{in: "0{}", want: Packet{Type: Open, Data: []byte("{}")}},
		{in: "1", want: Packet{Type: Close}},
		{in: "2probe", want: Packet{Type: Ping, Data: []byte("probe")}},
		{in: "3", want: Packet{Type: Pong}},
		{in: "4", want: Packet{Type: Message}},
		{in: "4héllo", want: Packet{Type: Message, Data: []byte("héllo")}},
		{in: "44", want: Packet{Type: Message, Data: []byte("4")}},
		{in: "5", want: Packet{Type: Upgrade}},
		{in: "6", want: Packet{Type: Noop}},
		{in: "b", want: Packet{Type: Message, Binary: true}},
		{in: "bAQIDBA==", want: Packet{Type: Message, Binary: true, Data: []byte{1, 2, 3, 4}}},
		{in: "b4", err: ErrBase64},
		{in: "b\x00", err: ErrBase64},
		{in: "", err: ErrPacket},
		{in: "7", err: ErrPacket},
		{in: "/", err: ErrPacket},
		{in: "abc", err: ErrPacket},
		{in: "B", err: ErrPacket},
		{in: "\x00", err: ErrPacket},
		{in: "\x04hello", err: ErrPacket},
		{in: "\xff", err: ErrPacket},
	}
	for _, tt := range tests {
		got, err := ParseText([]byte(tt.in))
		if !errors.Is(err, tt.err) {
			t.Errorf("ParseText(%q): error %v, want %v", tt.in, err, tt.err)
		}
		if got.Type != tt.want.Type || got.Binary != tt.want.Binary || !bytes.Equal(got.Data, tt.want.Data) {
			t.Errorf("ParseText(%q) = %+v, want %+v", tt.in, got, tt.want)
		}
	}
}

func TestParseTextEveryFirstByte(t *testing.T) {
	for c := range 256 {
		_, err := ParseText([]byte{byte(c)})
		valid := c >= '0' && c <= '6' || c == 'b'
		if valid != (err == nil) {
			t.Errorf("first byte %#x: error %v", c, err)
		}
	}
}

func TestPacketDataIsCapped(t *testing.T) {
	for _, in := range []string{"4a", "bAQ=="} {
		p, err := ParseText([]byte(in + "rest")[:len(in)])
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Data) != cap(p.Data) {
			t.Errorf("%q: len %d, cap %d: an append would write into the buffer", in, len(p.Data), cap(p.Data))
		}
	}
}

func TestPacketTypeString(t *testing.T) {
	want := []string{"open", "close", "ping", "pong", "message", "upgrade", "noop", "unknown"}
	for i, w := range want {
		if got := (Open + PacketType(i)).String(); got != w {
			t.Errorf("type %d: %q, want %q", i, got, w)
		}
	}
}

func TestAppendPacket(t *testing.T) {
	if got := AppendPacket([]byte("x"), Ping, nil); string(got) != "x2" {
		t.Errorf("got %q", got)
	}
	if got := AppendPacket(nil, Message, []byte("hi")); string(got) != "4hi" {
		t.Errorf("got %q", got)
	}
}

// Base64 as the public test suite sends and expects it.
func TestAppendBinary(t *testing.T) {
	if got := AppendBinary([]byte("4hello\x1e"), []byte{1, 2, 3, 4}); string(got) != "4hello\x1ebAQIDBA==" {
		t.Errorf("got %q", got)
	}
	for n := range 20 {
		if got := AppendBinary(nil, make([]byte, n)); len(got) != binaryLen(n) {
			t.Errorf("%d bytes: %d, want %d", n, len(got), binaryLen(n))
		}
	}
}

func TestDecodeBase64(t *testing.T) {
	tests := []struct {
		in, want string
		ok       bool
	}{
		{"", "", true},
		{"Zg==", "f", true},
		{"Zg", "f", true}, // padding left out
		{"Zm8=", "fo", true},
		{"Zm8", "fo", true},
		{"Zm9v", "foo", true},
		{"Zm9vYmFy", "foobar", true},
		{"+/+/", "\xfb\xff\xbf", true},
		{"Zm9v\n", "foo", true},          // the Java client ends with a line feed
		{"Zm9v\nYmFy\n", "foobar", true}, // and wraps
		{"Zm9v\r\nYg==\r\n", "foob", true},
		{"Z\nm\r9v\n\n", "foo", true},
		{"Zg=\n=", "f", true},
		{"\n", "", true},
		{"Z", "", false},
		{"Zm9vY", "", false},
		{"Zg=", "", false},   // half of the padding
		{"Zg===", "", false}, // too much of it
		{"Zm8==", "", false},
		{"Zm9v=", "", false},
		{"Zm9v====", "", false},
		{"=", "", false},
		{"====", "", false},
		{"Z===", "", false},
		{"Zg==Zg==", "", false}, // data behind the padding
		{"Zh==", "", false},     // bits left over
		{"Zm9=", "", false},
		{"Zh", "", false},
		{"-_-_", "", false}, // url-safe alphabet
		{"Zm 9v", "", false},
		{"Zm9v\x00", "", false},
		{"Zm9v é", "", false},
	}
	for _, tt := range tests {
		got, ok := decodeBase64([]byte(tt.in))
		if ok != tt.ok || string(got) != tt.want {
			t.Errorf("%q: %q %v, want %q %v", tt.in, got, ok, tt.want, tt.ok)
		}
	}
}

// In-place decoding of every length: each byte must have been read before it is overwritten.
func TestDecodeBase64EveryLength(t *testing.T) {
	src := make([]byte, 300)
	for i := range src {
		src[i] = byte(i*7 + 3)
	}
	for n := range src {
		plain := base64.StdEncoding.EncodeToString(src[:n])
		for _, in := range []string{plain, strings.TrimRight(plain, "="), wrap(plain, 76), wrap(plain, 1), "\r\n" + wrap(plain, 5)} {
			got, ok := decodeBase64([]byte(in))
			if !ok || !bytes.Equal(got, src[:n]) {
				t.Fatalf("%d bytes as %q: %x %v", n, in, got, ok)
			}
		}
	}
}

// wrap puts a line feed behind every width characters and at the end.
func wrap(s string, width int) string {
	var b strings.Builder
	for len(s) > width {
		b.WriteString(s[:width])
		b.WriteByte('\n')
		s = s[width:]
	}
	b.WriteString(s)
	b.WriteByte('\n')
	return b.String()
}

// strictBase64 is the definition that decodeBase64 must agree with.
func strictBase64(in []byte) ([]byte, bool) {
	plain := strings.NewReplacer("\n", "", "\r", "").Replace(string(in))
	if got, err := base64.StdEncoding.Strict().DecodeString(plain); err == nil {
		return got, true
	}
	got, err := base64.RawStdEncoding.Strict().DecodeString(plain)
	return got, err == nil
}

func FuzzDecodeBase64(f *testing.F) {
	for _, s := range []string{"", "AQIDBA==", "AQIDBA", "Zm9v\nYmFy\n", "Zh==", "====", "A", "-_", "QUJD=\nQ", "AAAA\n\rAA=\n=\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		want, wantOK := strictBase64(in)
		got, ok := decodeBase64(bytes.Clone(in))
		if ok != wantOK {
			t.Fatalf("%q: ok %v, want %v", in, ok, wantOK)
		}
		if ok && !bytes.Equal(got, want) {
			t.Fatalf("%q: %x, want %x", in, got, want)
		}
	})
}

func FuzzParseText(f *testing.F) {
	for _, s := range []string{"", "4hello", "2probe", "bAQIDBA==", "b", "7", "\x1e", "4\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		buf := bytes.Clone(in)
		p, err := ParseText(buf)
		if err != nil {
			if p.Data != nil || p.Type != 0 {
				t.Fatalf("%q: packet %+v beside an error", in, p)
			}
			return
		}
		if p.Binary {
			if p.Type != Message {
				t.Fatalf("%q: binary packet of type %v", in, p.Type)
			}
			again, err := ParseText(AppendBinary(nil, p.Data))
			if err != nil || !again.Binary || !bytes.Equal(again.Data, p.Data) {
				t.Fatalf("%q: %+v, again %+v %v", in, p, again, err)
			}
			return
		}
		if got := AppendPacket(nil, p.Type, p.Data); !bytes.Equal(got, in) {
			t.Fatalf("%q: encodes as %q", in, got)
		}
		if !bytes.Equal(buf, in) {
			t.Fatalf("%q: a text packet was changed to %q", in, buf)
		}
	})
}
