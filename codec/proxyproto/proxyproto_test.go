package proxyproto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func v2(verCmd, famProto byte, body ...byte) []byte {
	out := append(bytes.Clone(prefix2), verCmd, famProto)
	out = binary.BigEndian.AppendUint16(out, uint16(len(body)))
	return append(out, body...)
}

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

var (
	body4       = []byte{192, 0, 2, 7, 198, 51, 100, 1, 0x30, 0x39, 0x01, 0xBB}
	body6       = cat(netip.MustParseAddr("2001:db8::7").AsSlice(), netip.MustParseAddr("2001:db8::1").AsSlice(), []byte{0x30, 0x39, 0x01, 0xBB})
	body6mapped = cat(netip.MustParseAddr("::ffff:192.0.2.7").AsSlice(), netip.MustParseAddr("2001:db8::1").AsSlice(), []byte{0, 1, 0, 2})
	tlvs        = []byte{0x02, 0x00, 0x03, 'a', '.', 'b', 0x04, 0x00, 0x00}
)

// Valid headers of both versions, byte by byte.
func TestParse(t *testing.T) {
	for _, c := range []struct {
		name     string
		in       []byte
		src, dst string // "" for none
		local    bool
		version  int
	}{
		{"v1 TCP4", []byte("PROXY TCP4 192.0.2.7 198.51.100.1 12345 443\r\n"), "192.0.2.7:12345", "198.51.100.1:443", false, 1},
		{"v1 TCP6", []byte("PROXY TCP6 2001:db8::7 ::1 0 65535\r\n"), "[2001:db8::7]:0", "[::1]:65535", false, 1},
		{"v1 mapped", []byte("PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n"), "192.0.2.7:1", "[::1]:2", false, 1},
		{"v1 unknown", []byte("PROXY UNKNOWN\r\n"), "", "", false, 1},
		{"v1 unknown with text", []byte("PROXY UNKNOWN ffff::1 some thing else\r\n"), "", "", false, 1},
		{"v1 longest", []byte("PROXY UNKNOWN " + strings.Repeat("f", line1Max-16) + "\r\n"), "", "", false, 1},
		{"v2 inet", v2(0x21, 0x11, body4...), "192.0.2.7:12345", "198.51.100.1:443", false, 2},
		{"v2 inet, TLVs", v2(0x21, 0x11, cat(body4, tlvs)...), "192.0.2.7:12345", "198.51.100.1:443", false, 2},
		{"v2 inet6", v2(0x21, 0x21, cat(body6, tlvs)...), "[2001:db8::7]:12345", "[2001:db8::1]:443", false, 2},
		{"v2 mapped", v2(0x21, 0x21, body6mapped...), "192.0.2.7:1", "[2001:db8::1]:2", false, 2},
		{"v2 unix", v2(0x21, 0x31, make([]byte, unixBytes)...), "", "", false, 2},
		{"v2 unspec", v2(0x21, 0x00), "", "", false, 2},
		{"v2 unspec, TLVs", v2(0x21, 0x00, tlvs...), "", "", false, 2},
		{"v2 local", v2(0x20, 0x00), "", "", true, 2},
		{"v2 local, any family", v2(0x20, 0xFF, 1, 2, 3), "", "", true, 2},
		{"v2 longest", v2(0x21, 0x11, cat(body4, make([]byte, HeaderBytesMax-head2Bytes-inetBytes))...), "192.0.2.7:12345", "198.51.100.1:443", false, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			for at := range c.in {
				if h, n, err := Parse(c.in[:at]); n != 0 || err != nil || h != (Header{}) {
					t.Fatalf("%d of %d bytes: %v, %d, %v", at, len(c.in), h, n, err)
				}
			}
			for _, behind := range []string{"", "GET / HTTP/1.1\r\n", "\n", "PROXY TCP4 "} {
				h, n, err := Parse(append(bytes.Clone(c.in), behind...))
				if err != nil || n != len(c.in) || h.Local != c.local || h.Version != c.version {
					t.Fatalf("%+v, %d of %d, %v", h, n, len(c.in), err)
				}
				if text(h.Source) != c.src || text(h.Destination) != c.dst {
					t.Fatalf("from %v to %v", h.Source, h.Destination)
				}
			}
		})
	}
}

func text(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct {
		in   string
		want error
	}{
		{"GET / HTTP/1.1\r\n", ErrNone},
		{"PROXX", ErrNone},
		{"proxy ", ErrNone},
		{"\r\n\r\n\x01", ErrNone},
		{"\n", ErrNone},
		{"PROXY \n", ErrSyntax},
		{"PROXY \r\n", ErrSyntax},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", ErrSyntax},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n", ErrSyntax},
		{"PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n", ErrSyntax},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", ErrSyntax},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n", ErrSyntax},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", ErrSyntax},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n", ErrSyntax},
		{"PROXY TCP4 1.2.3.04 1.2.3.4 1 2\r\n", ErrSyntax},
		{"PROXY TCP4 ::1 ::1 1 2\r\n", ErrSyntax},
		{"PROXY TCP6 1.2.3.4 ::1 1 2\r\n", ErrSyntax},
		{"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", ErrSyntax},
		{"PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n", ErrSyntax},
		{"PROXY UNKNOWNS\r\n", ErrSyntax},
		{"PROXY UNKNOWN " + strings.Repeat("f", line1Max-15) + "\r\n", ErrTooLong},
		{"PROXY " + strings.Repeat("f", line1Max), ErrTooLong},
		{string(prefix2) + "\x11", ErrUnsupported},
		{string(v2(0x11, 0x11, body4...)), ErrUnsupported},
		{string(v2(0x22, 0x11, body4...)), ErrUnsupported},
		{string(v2(0x21, 0x12, body4...)), ErrUnsupported},
		{string(v2(0x21, 0x10, body4...)), ErrUnsupported},
		{string(v2(0x21, 0x01, body4...)), ErrUnsupported},
		{string(v2(0x21, 0x41, body4...)), ErrUnsupported},
		{string(v2(0x21, 0x11, body4[:11]...)), ErrSyntax},
		{string(v2(0x21, 0x21, body6[:35]...)), ErrSyntax},
		{string(v2(0x21, 0x31, make([]byte, unixBytes-1)...)), ErrSyntax},
		{string(v2(0x21, 0x11, make([]byte, HeaderBytesMax-head2Bytes+1)...))[:head2Bytes], ErrTooLong},
	} {
		h, n, err := Parse([]byte(c.in))
		if !errors.Is(err, c.want) || n != 0 || h != (Header{}) {
			t.Errorf("%q: %+v, %d, %v, want %v", c.in, h, n, err, c.want)
		}
	}
}

// A result for a prefix of the data is final, and nothing after the header matters.
func FuzzParse(f *testing.F) {
	f.Add([]byte("PROXY TCP4 192.0.2.7 198.51.100.1 12345 443\r\nGET"))
	f.Add([]byte("PROXY UNKNOWN x\r\n"))
	f.Add(v2(0x21, 0x11, cat(body4, tlvs)...))
	f.Add(v2(0x21, 0x21, body6...))
	f.Add(v2(0x20, 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, n, err := Parse(data)
		switch {
		case n < 0 || n > len(data) || n > HeaderBytesMax:
			t.Fatalf("%d of %d bytes", n, len(data))
		case err != nil && (n != 0 || h != Header{}):
			t.Fatalf("%+v, %d with %v", h, n, err)
		case err == nil && n == 0 && len(data) >= HeaderBytesMax:
			t.Fatal("it waits for ever")
		case n > 0:
			if h.Source.IsValid() != h.Destination.IsValid() || h.Source.Addr().Is4In6() || h.Version < 1 || h.Version > 2 {
				t.Fatalf("%+v", h)
			}
			if again, m, err := Parse(data[:n]); again != h || m != n || err != nil {
				t.Fatalf("the header alone: %+v, %d, %v", again, m, err)
			}
		}
		for at := range min(len(data), 300) {
			was, k, e := Parse(data[:at])
			if k == 0 && e == nil {
				continue
			}
			// Parse may report a header as too long or as malformed, depending on the bytes so far, but never accept
			// it.
			if e == nil && (was != h || k != n || err != nil) || e != nil && err == nil {
				t.Fatalf("%d bytes: %+v, %d, %v; all: %+v, %d, %v", at, was, k, e, h, n, err)
			}
			break
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for name, in := range map[string][]byte{
		"v1": []byte("PROXY TCP4 192.0.2.7 198.51.100.1 12345 443\r\n"), "v2": v2(0x21, 0x11, body4...),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, n, err := Parse(in); n == 0 || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}
