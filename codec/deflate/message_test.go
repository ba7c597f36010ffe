package deflate

import (
	"bytes"
	"compress/flate"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"strings"
	"sync"
	"testing"
)

// sample returns n bytes of typical server data.
func sample(n int) []byte {
	r := rand.New(rand.NewSource(int64(n)))
	b := []byte(`42["tick",[`)
	for len(b) < n {
		b = fmt.Appendf(b, `{"id":%d,"name":"user-%d","price":%.4f,"ok":%v},`, r.Intn(1e6), r.Intn(1000), r.Float64()*100, r.Intn(2) == 0)
	}
	return b[:n]
}

func noise(n int) []byte {
	b := make([]byte, n)
	rand.New(rand.NewSource(int64(n))).Read(b)
	return b
}

var messages = [][]byte{
	{}, []byte("x"), []byte("Hello"), sample(100), sample(1024), noise(70), sample(70_000), noise(70_000), {}, sample(300_000),
}

// plain inflates with the standard library.
func plain(t *testing.T, data, context []byte) []byte {
	t.Helper()
	r := flate.NewReaderDict(io.MultiReader(bytes.NewReader(data), bytes.NewReader(messageEnd[:])), context)
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Messages without context survive a round trip, and Inflate agrees with the standard library.
func TestRoundTrip(t *testing.T) {
	for _, level := range []int{0, 1, 6, 7, 9, 10} {
		for _, bits := range []int{0, 8, 9, 12} {
			if bits != 0 && level != 0 {
				continue // a small window has one level
			}
			c := NewCompressor(level, bits)
			for i, m := range messages {
				packed := c.Append([]byte("head"), m)
				if string(packed[:4]) != "head" {
					t.Fatal("what was there is gone")
				}
				packed = packed[4:]
				out, err := Inflate([]byte("head"), packed, len(m), nil)
				if err != nil || string(out[:4]) != "head" || !bytes.Equal(out[4:], m) {
					t.Fatalf("level %d, %d bits, message %d: %d bytes, %v", level, bits, i, len(out)-4, err)
				}
				if !bytes.Equal(plain(t, packed, nil), m) {
					t.Fatalf("level %d, %d bits, message %d: not for others", level, bits, i)
				}
			}
		}
	}
}

// With context takeover a message needs its predecessors, and a window of the negotiated size suffices.
func TestTakeover(t *testing.T) {
	for _, bits := range []int{8, 10, 15} {
		s, w := NewStream(1, bits), NewWindow(bits)
		var sum, alone int
		for round := range 2 {
			for i, m := range messages {
				packed := s.Append(nil, m)
				out, err := Inflate(nil, packed, len(m), w)
				if err != nil || !bytes.Equal(out, m) {
					t.Fatalf("%d bits, round %d, message %d: %d bytes, %v", bits, round, i, len(out), err)
				}
				if w.Len() > 1<<bits || cap(w.bytes) > 2<<bits {
					t.Fatalf("the window has %d bytes, room for %d", w.Len(), cap(w.bytes))
				}
			}
		}
		for range 10 {
			m := sample(200)
			packed := s.Append(nil, m)
			if out, err := Inflate(nil, packed, len(m), w); err != nil || !bytes.Equal(out, m) {
				t.Fatal(err)
			}
			sum += len(packed)
			alone += len(NewCompressor(1, bits).Append(nil, m))
		}
		if sum*2 > alone {
			t.Errorf("%d bits: the context saves little: %d of %d", bits, sum, alone)
		}
	}
	s := NewStream(1, 15)
	s.Append(nil, sample(1000))
	if packed := s.Append(nil, sample(1000)); len(packed) > 50 {
		t.Errorf("a repetition takes %d bytes", len(packed))
	} else if _, err := Inflate(nil, packed, 1000, nil); !errors.Is(err, ErrCorrupt) {
		t.Errorf("without its context: %v", err)
	}
}

// The compressor uses no distance beyond the negotiated window: the peer could not resolve it.
func TestSmallWindow(t *testing.T) {
	far := append(append(bytes.Repeat([]byte("the first of two"), 4), noise(4096)...), bytes.Repeat([]byte("the first of two"), 4)...)
	for _, bits := range []int{8, 10, 12} {
		s := NewStream(1, bits)
		w := NewWindow(bits)
		// Byte by byte, each distance must be within the window of bytes inflated before.
		for i := range far {
			out, err := Inflate(nil, s.Append(nil, far[i:i+1]), 1, w)
			if err != nil || out[0] != far[i] {
				t.Fatal(bits, i, err)
			}
		}
		for i := 0; i < len(far); i += 61 {
			part := far[i:min(i+61, len(far))]
			if out, err := Inflate(nil, s.Append(nil, part), 61, w); err != nil || !bytes.Equal(out, part) {
				t.Fatal(bits, i, err)
			}
		}
	}
}

// The examples of RFC 7692 section 7.2.3.
func TestExamples(t *testing.T) {
	for name, packed := range map[string]string{
		"7.2.3.1":                 "f248cdc9c90700",
		"7.2.3.3 stored block":    "000500faff48656c6c6f00",
		"7.2.3.4 final block":     "f348cdc9c9070000",
		"final without padding":   "f348cdc9c90700",
		"7.2.3.5 two blocks":      "f248050000 00ffff cac9c90700",
		"two final blocks":        "f3480500 cbc9c9070000",
		"empty final blocks":      "030003000300 f248cdc9c90700",
		"stored in a final block": "010500faff48656c6c6f00",
	} {
		data, err := hex.DecodeString(strings.ReplaceAll(packed, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range []*Window{nil, NewWindow(15)} {
			out, err := Inflate(nil, data, 5, w)
			if err != nil || string(out) != "Hello" {
				t.Errorf("%s: %q, %v", name, out, err)
			}
		}
	}
	// 7.2.3.2: the second "Hello" is a reference to the first.
	w := NewWindow(15)
	for _, packed := range []string{"\xf2\x48\xcd\xc9\xc9\x07\x00", "\xf2\x00\x11\x00\x00"} {
		if out, err := Inflate(nil, []byte(packed), 5, w); err != nil || string(out) != "Hello" {
			t.Errorf("%x: %q, %v", packed, out, err)
		}
	}
	// 7.2.3.6: an empty message, and one whose compressor had nothing to flush.
	for _, packed := range []string{"\x00", ""} {
		if out, err := Inflate(nil, []byte(packed), 0, w); err != nil || len(out) != 0 {
			t.Errorf("%x: %q, %v", packed, out, err)
		}
	}
}

// The context extends across a final block: into the rest of the message and into the next message.
func TestContextAcrossStreams(t *testing.T) {
	var final bytes.Buffer
	fw, _ := flate.NewWriter(&final, 6)
	_, _ = fw.Write([]byte("Hello"))
	_ = fw.Close()
	back := []byte("\xf2\x00\x11\x00\x00") // "Hello" from five bytes ago
	for _, w := range []*Window{nil, NewWindow(9)} {
		out, err := Inflate(nil, append(bytes.Clone(final.Bytes()), back...), 10, w)
		if err != nil || string(out) != "HelloHello" {
			t.Fatalf("%q, %v", out, err)
		}
	}
	w := NewWindow(15)
	if _, err := Inflate(nil, append(bytes.Clone(final.Bytes()), 0), 5, w); err != nil {
		t.Fatal(err)
	}
	if out, err := Inflate(nil, append([]byte{0x03, 0x00}, back...), 5, w); err != nil || string(out) != "Hello" {
		t.Fatalf("%q, %v", out, err)
	}
}

// A decompression bomb costs no more than the limit in memory and no more than streamsMax allows in time.
func TestBombs(t *testing.T) {
	c := NewCompressor(6, 15)
	zeros := c.Append(nil, make([]byte, 16<<20))
	const limit = 1 << 20
	for _, w := range []*Window{nil, NewWindow(15)} {
		out, err := Inflate(make([]byte, 3, 8), zeros, limit, w)
		if !errors.Is(err, ErrTooBig) || len(out) != 3 || cap(out) > 2*limit {
			t.Errorf("%v, %d bytes, room for %d", err, len(out), cap(out))
		}
	}
	for n := range 3 {
		m := make([]byte, limit+n-1)
		if _, err := Inflate(nil, c.Append(nil, m), limit, nil); (err != nil) != (n == 2) || err != nil && !errors.Is(err, ErrTooBig) {
			t.Error(n, err)
		}
	}
	if _, err := Inflate(nil, c.Append(nil, []byte("x")), -1, nil); !errors.Is(err, ErrTooBig) {
		t.Error(err)
	}
	streams := bytes.Repeat([]byte{0x03, 0x00}, 500_000)
	if _, err := Inflate(nil, streams, limit, nil); !errors.Is(err, ErrCorrupt) {
		t.Errorf("half a million streams: %v", err)
	}
}

// Truncated and corrupt messages give an error and no panic, and leave no state in the pool.
func TestCorrupt(t *testing.T) {
	m := sample(2000)
	packed := NewCompressor(1, 15).Append(nil, m)
	wrong := 0
	for i := range packed {
		if out, err := Inflate(nil, packed[:i], len(m), nil); err == nil && len(out) == len(m) && i < len(packed)-1 {
			t.Errorf("%d of %d bytes are the whole message", i, len(packed))
		} else if err != nil {
			wrong++
		}
		flipped := bytes.Clone(packed)
		flipped[i] ^= 0x10
		_, _ = Inflate(nil, flipped, len(m), nil)
		if out, err := Inflate(nil, packed, len(m), nil); err != nil || !bytes.Equal(out, m) {
			t.Fatalf("after a corrupt message: %v", err)
		}
	}
	if wrong < len(packed)/2 {
		t.Errorf("only %d of %d cuts are errors", wrong, len(packed))
	}
	for _, bad := range []string{"\x07", "\xff\xff\xff\xff", "\xf2\x00\x11\x00\x00", "\x00\x05\x00\xfa\xfe"} {
		if _, err := Inflate(nil, []byte(bad), 100, nil); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%x: %v", bad, err)
		}
	}
}

// Compressors are safe for concurrent use.
func TestConcurrent(t *testing.T) {
	c := NewCompressor(1, 15)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 50 {
				m := sample(100 + 37*i + g)
				if out, err := Inflate(nil, c.Append(nil, m), len(m), nil); err != nil || !bytes.Equal(out, m) {
					t.Error(g, i, err)
				}
			}
		})
	}
	wg.Wait()
}

// Any input is bounded, gives the same result with and without an unused window, and never panics.
func FuzzInflate(f *testing.F) {
	c := NewCompressor(6, 15)
	for _, m := range messages[:6] {
		f.Add(c.Append(nil, m), 1000)
	}
	f.Add([]byte("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), 5)
	f.Add([]byte("\xf2\x00\x11\x00\x00"), 5)
	f.Fuzz(func(t *testing.T, data []byte, limit int) {
		limit &= 1<<16 - 1
		out, err := Inflate(nil, data, limit, nil)
		if slow, other, _ := inSteps(t, data, limit, nil); other != err || !bytes.Equal(slow, out) {
			t.Fatalf("in steps: %d bytes, %v, not %d, %v", len(slow), other, len(out), err)
		}
		if err != nil {
			if !errors.Is(err, ErrTooBig) && !errors.Is(err, ErrCorrupt) || len(out) != 0 {
				t.Fatal(err, len(out))
			}
			return
		}
		if len(out) > limit {
			t.Fatalf("%d bytes, the limit is %d", len(out), limit)
		}
		w := NewWindow(15)
		w.keep(noise(100))
		again, err := Inflate(nil, data, limit, w)
		if err != nil || !bytes.Equal(again, out) {
			t.Fatalf("with a window: %v", err)
		}
		if back, err := Inflate(nil, c.Append(nil, out), limit, nil); err != nil || !bytes.Equal(back, out) {
			t.Fatalf("round trip: %v", err)
		}
	})
}
