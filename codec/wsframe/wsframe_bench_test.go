package wsframe

import (
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// asciiMask maps ASCII to ASCII, so that a frame unmasked in place repeatedly stays
// valid text without a copy.
var asciiMask = [4]byte{0x11, 0x22, 0x33, 0x44}

func BenchmarkParseHeader(b *testing.B) {
	for _, c := range []struct {
		name   string
		length int64
	}{{"7bit", 100}, {"16bit", 4096}, {"64bit", 1 << 20}} {
		b.Run(c.name, func(b *testing.B) {
			encoded := AppendRawHeader(nil, ws.Header{Fin: true, OpCode: ws.OpText, Masked: true, Mask: testMask, Length: c.length})
			b.ReportAllocs()
			for b.Loop() {
				if _, n, err := ParseHeader(encoded); n == 0 || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}

func BenchmarkAppendHeader(b *testing.B) {
	buf := make([]byte, 0, headerBytesMax)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendHeader(buf[:0], ws.OpText, true, 4096)
	}
}

func BenchmarkNextText(b *testing.B) {
	for _, c := range []struct {
		name string
		size int
	}{{"128B", 128}, {"4KiB", 4096}} {
		b.Run(c.name, func(b *testing.B) {
			payload := []byte(strings.Repeat("abcdefgh", c.size/8))
			buf := AppendMaskedFrame(nil, ws.OpText, true, asciiMask, payload)
			var r Reader
			var msg Message
			var lim Limits
			b.SetBytes(int64(c.size))
			b.ReportAllocs()
			for b.Loop() {
				if n, err := r.Next(buf, &lim, &msg); n != len(buf) || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}

func BenchmarkNextFragments(b *testing.B) {
	payload := []byte(strings.Repeat("abcdefgh", 128))
	frames := [][]byte{
		AppendMaskedFrame(nil, ws.OpText, false, asciiMask, payload),
		AppendMaskedFrame(nil, ws.OpContinuation, false, asciiMask, payload),
		AppendMaskedFrame(nil, ws.OpContinuation, true, asciiMask, payload),
	}
	var r Reader
	var msg Message
	var lim Limits
	b.SetBytes(int64(3 * len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		for _, buf := range frames {
			if n, err := r.Next(buf, &lim, &msg); n != len(buf) || err != nil {
				b.Fatal(n, err)
			}
		}
	}
}

func BenchmarkAcceptKey(b *testing.B) {
	key, dst := []byte(rfcKey), make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		dst = AcceptKey(dst[:0], key)
	}
}

func BenchmarkUTF8Feed(b *testing.B) {
	for name, s := range map[string]string{"ascii": "abcdefgh", "mixed": "abcdeé😀"} {
		b.Run(name, func(b *testing.B) {
			p := []byte(strings.Repeat(s, 100))
			var u UTF8
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			for b.Loop() {
				if !u.Feed(p) {
					b.Fatal("refused")
				}
			}
		})
	}
}
