package wsframe

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"github.com/gobwas/ws"
)

// lengths are the lengths on both sides of each change of the encoding.
var lengths = []int64{0, 1, 125, 126, 127, 128, 255, 256, 65535, 65536, 65537, 1 << 20, math.MaxInt32, 1 << 40, math.MaxInt64}

func TestParseHeaderAgreesWithGobwas(t *testing.T) {
	for _, length := range lengths {
		for bits := range 1 << 4 {
			for op := range ws.OpCode(16) {
				h := ws.Header{Fin: bits&8 != 0, Rsv: byte(bits & 7), OpCode: op, Length: length}
				if bits&1 != 0 {
					h.Masked, h.Mask = true, testMask
				}
				var want bytes.Buffer
				if err := ws.WriteHeader(&want, h); err != nil {
					t.Fatal(err)
				}
				encoded := AppendRawHeader([]byte("x"), h)[1:]
				if !bytes.Equal(encoded, want.Bytes()) {
					t.Fatalf("%+v: encoded % x, want % x", h, encoded, want.Bytes())
				}
				for cut := range encoded {
					if _, n, err := ParseHeader(encoded[:cut]); n != 0 || err != nil {
						t.Fatalf("%+v: %d of %d bytes: n %d, err %v", h, cut, len(encoded), n, err)
					}
				}
				got, n, err := ParseHeader(append(encoded, 0xff))
				if got != h || n != len(encoded) || err != nil {
					t.Fatalf("got %+v, %d, %v; want %+v, %d", got, n, err, h, len(encoded))
				}
			}
		}
	}
}

func TestParseHeaderLengthErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []byte
		want error
	}{
		{"16 bits for 0", []byte{0x82, 126, 0, 0}, ErrLengthEncoding},
		{"16 bits for 125", []byte{0x82, 126, 0, 125}, ErrLengthEncoding},
		{"16 bits for 126", []byte{0x82, 126, 0, 126}, nil},
		{"64 bits for 0", []byte{0x82, 127, 0, 0, 0, 0, 0, 0, 0, 0}, ErrLengthEncoding},
		{"64 bits for 65535", []byte{0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, ErrLengthEncoding},
		{"64 bits for 65536", []byte{0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0}, nil},
		{"63 bits", []byte{0x82, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, nil},
		{"top bit", []byte{0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0}, ErrLengthOverflow},
		{"all bits", []byte{0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, ErrLengthOverflow},
		{"masked, 16 bits for 1", []byte{0x82, 0x80 | 126, 0, 1, 1, 2, 3, 4}, ErrLengthEncoding},
		{"masked, top bit", []byte{0x82, 0x80 | 127, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, ErrLengthOverflow},
	} {
		_, n, err := ParseHeader(c.in)
		if err != c.want {
			t.Errorf("%s: err %v, want %v", c.name, err, c.want)
		}
		if wantN := len(c.in); err == nil && n != wantN || err != nil && n != 0 {
			t.Errorf("%s: n %d", c.name, n)
		}
		var failure *Error
		if err != nil && (!errors.As(err, &failure) || failure.Code != ws.StatusProtocolError) {
			t.Errorf("%s: %v is not a protocol error", c.name, err)
		}
		length := len(c.in) // where the length ends
		if c.in[1]&maskBit != 0 {
			length -= maskBytes
		}
		for cut := range c.in {
			want := c.want
			if cut < length {
				want = nil
			}
			if _, n, err := ParseHeader(c.in[:cut]); n != 0 || err != want {
				t.Errorf("%s cut at %d: n %d, err %v", c.name, cut, n, err)
			}
		}
	}
}

func TestAppendHeader(t *testing.T) {
	for _, length := range lengths {
		if length > math.MaxInt32 && math.MaxInt == math.MaxInt32 {
			continue
		}
		for _, fin := range []bool{true, false} {
			h := ws.Header{Fin: fin, OpCode: ws.OpBinary, Length: length}
			plain := AppendHeader(nil, ws.OpBinary, fin, int(length))
			if got, n, err := ParseHeader(plain); got != h || n != len(plain) || err != nil {
				t.Errorf("%d: got %+v, %d, %v", length, got, n, err)
			}
			if got := HeaderSize(int(length)); got != len(plain) || got != ws.HeaderSize(h) {
				t.Errorf("HeaderSize(%d) = %d, want %d", length, got, len(plain))
			}
			// The header of a compressed message differs by RSV1 only.
			compressed := AppendCompressedHeader(nil, ws.OpBinary, fin, int(length))
			h.Rsv = ws.Rsv(true, false, false)
			if got, n, err := ParseHeader(compressed); got != h || n != len(compressed) || err != nil {
				t.Errorf("%d compressed: got %+v, %d, %v", length, got, n, err)
			}
		}
	}
	if got := AppendHeader(nil, ws.OpText, true, -1); !bytes.Equal(got, []byte{0x81, 0}) {
		t.Errorf("negative length: % x", got)
	}
	if got := AppendRawHeader(nil, ws.Header{OpCode: 0xff, Rsv: 0xff, Length: math.MinInt64}); !bytes.Equal(got, []byte{0x7f, 0}) {
		t.Errorf("values out of range: % x", got)
	}
}

func TestHeaderAllocations(t *testing.T) {
	buf := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		for _, length := range lengths[:8] {
			buf = AppendHeader(buf[:0], ws.OpText, true, int(length))
			buf = AppendCompressedHeader(buf[:0], ws.OpText, true, int(length))
			buf = AppendRawHeader(buf[:0], ws.Header{Masked: true, Length: length})
			if _, n, err := ParseHeader(buf); n == 0 || err != nil {
				t.Fatal(n, err)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	broken := []byte{0x82, 126, 0, 0}
	if n := testing.AllocsPerRun(100, func() {
		if _, _, err := ParseHeader(broken); err == nil {
			t.Fatal("no error")
		}
	}); n != 0 {
		t.Errorf("%v allocations for an error", n)
	}
}

// A parsed header is written back byte for byte, and gobwas/ws reads the same.
func FuzzHeader(f *testing.F) {
	f.Add([]byte{0x81, 0x05})
	f.Add([]byte{0x82, 0x7e, 0x01, 0x00})
	f.Add([]byte{0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0})
	f.Add([]byte{0xff, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4})
	f.Add([]byte{0x81, 0xfe, 0, 5, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, in []byte) {
		given := bytes.Clone(in)
		h, n, err := ParseHeader(in)
		if !bytes.Equal(in, given) {
			t.Fatal("input changed")
		}
		theirs, theirErr := ws.ReadHeader(bytes.NewReader(in))
		switch {
		case err != nil:
			if n != 0 {
				t.Fatalf("n %d with %v", n, err)
			}
			if theirErr == nil && (err != ErrLengthEncoding || ws.HeaderSize(theirs) >= len(in)) {
				t.Fatalf("%v, but gobwas/ws reads %+v", err, theirs)
			}
		case n == 0:
			if theirErr == nil {
				t.Fatalf("incomplete, but gobwas/ws reads %+v", theirs)
			}
		default:
			if theirErr != nil || theirs != h {
				t.Fatalf("%+v, but gobwas/ws reads %+v, %v", h, theirs, theirErr)
			}
			if again := AppendRawHeader(nil, h); !bytes.Equal(again, in[:n]) {
				t.Fatalf("% x became % x", in[:n], again)
			}
		}
	})
}
