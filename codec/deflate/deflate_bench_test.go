package deflate

import (
	"bytes"
	"fmt"
	"testing"
)

func BenchmarkCompress(b *testing.B) {
	c := NewCompressor(DefaultLevel, WindowBitsMax)
	for _, n := range []int{1 << 10, 10 << 10, 100 << 10} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			m, dst := sample(n), make([]byte, 0, n)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				dst = c.Append(dst[:0], m)
			}
			b.ReportMetric(float64(len(dst))/float64(n), "ratio")
		})
	}
}

func BenchmarkInflate(b *testing.B) {
	c := NewCompressor(DefaultLevel, WindowBitsMax)
	for _, n := range []int{1 << 10, 100 << 10} {
		for _, w := range []*Window{nil, NewWindow(WindowBitsMax)} {
			b.Run(fmt.Sprintf("%d/takeover=%v", n, w != nil), func(b *testing.B) {
				packed, dst := c.Append(nil, sample(n)), make([]byte, 0, n)
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					var err error
					if dst, err = Inflate(dst[:0], packed, n, w); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// The work that a peer can cause with 100 KB that inflate to nothing: blocks, code tables, and the most streams.
func BenchmarkInflateHostile(b *testing.B) {
	const n = 100 << 10
	for name, data := range map[string][]byte{
		"tables":  tables(n),
		"fixed":   append(bytes.Repeat([]byte{0x02, 0x08, 0x20, 0x80, 0x00}, n/5), 0),
		"stored":  append(bytes.Repeat([]byte{0, 0, 0, 0xff, 0xff}, n/5), 0),
		"streams": bytes.Repeat([]byte{0x03, 0x00}, n/2),
	} {
		b.Run(name, func(b *testing.B) {
			w := NewWindow(WindowBitsMax)
			w.keep(noise(1 << WindowBitsMax))
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if out, err := Inflate(nil, data, 1<<20, w); len(out) > 0 || (err != nil) != (name == "streams") {
					b.Fatal(len(out), err)
				}
			}
		})
	}
}

// tables returns about n bytes of blocks that have a code table each (RFC 1951 section 3.2.7) and no content.
func tables(n int) []byte {
	var out []byte
	var acc, have uint
	put := func(bits, v uint) {
		acc |= v << have
		for have += bits; have >= 8; have -= 8 {
			out = append(out, byte(acc))
			acc >>= 8
		}
	}
	for len(out) < n {
		put(1, 0)  // not the last
		put(2, 2)  // with a table
		put(5, 0)  // 257 literals and lengths
		put(5, 0)  // one distance
		put(4, 14) // 18 lengths of the code for lengths: 16, 17, 18, 0, 8, ..., 1
		for i := range 18 {
			put(3, map[int]uint{2: 1, 17: 1}[i]) // the symbols 18 and 1 have one bit each
		}
		for _, zeros := range []uint{138, 118} {
			put(1, 1) // symbol 18: that many zeros
			put(7, zeros-11)
		}
		put(1, 0) // the end of the block, literal 256, has a code of one bit
		put(1, 0) // and so has the distance
		put(1, 0) // the end of the block
	}
	put(3, 0) // the header of the empty stored block whose rest a sender removes
	put(7, 0)
	return out
}
